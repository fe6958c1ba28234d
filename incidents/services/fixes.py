"""What is changed to end it, and the proof by suites: the failing input is a case, which the new version passes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import Unknown, WrongState, invalid
from incidents.models import Fix, Incident
from incidents.policies import fixes
from incidents.policies.fixes import Proof, Suite
from incidents.queries.standing import reopened_at
from incidents.services.keeping import locked, record, tell
from incidents.types import IncidentStatus, TimelineKind

CASES_MOST = 50


def propose_fix(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    change: str,
    about_tenant: uuid.UUID | None = None,
    agent: str = "",
    old_version: str = "",
    new_version: str = "",
    cases: Sequence[Mapping[str, Any]] = (),
    by: Actor,
    at: datetime,
) -> Fix:
    """Write down what is changed, with the cases that the failing input became: [{"set", "key"}] of `about_tenant`.

    Said again with another new version, cases or words, or after it was reopened, it is a further fix: the newest counts. Whether the cases are there
    is for the caller to look at, in the organisation's scope. Raises Unknown, InvalidInput.
    """
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    change = inputs.text("/change", change)
    kept = _cases(cases)
    names = {
        name: inputs.text(f"/{name}", value, most=inputs.NAME_MOST, is_needed=bool(kept))
        for name, value in (("agent", agent), ("old_version", old_version), ("new_version", new_version))
    }
    if kept and (about_tenant is None or about_tenant not in incident.tenants):
        raise invalid("/about_tenant", "The cases are those of an organisation that the incident names.")
    if kept and names["old_version"] == names["new_version"]:
        raise invalid("/new_version", "The fix is in another version than the one that failed.")
    said = {"change": change, "about_tenant": about_tenant, "cases": kept, **names}
    since = Fix.objects.filter(tenant_id=tenant, incident=incident, proposed_at__gte=reopened_at(incident))
    newest = since.order_by("-proposed_at", "-id").first()
    if newest is not None and newest.deployed_at is None and all(getattr(newest, k) == v for k, v in said.items()):
        return newest  # sent twice
    made = Fix.objects.create(
        tenant_id=tenant, incident=incident, canary=fixes.NO_CANARY, proposed_at=at, proposed_by=by.label[:200], **said
    )
    if kept and incident.learnt_at is None:
        incident.learnt_at = at
        incident.save(update_fields=["learnt_at"])
    data = {"fix": str(made.id), "cases": str(len(kept)), **names}
    record(incident, "incident.fix_proposed", data, by, at, reason=change)
    with_cases = f" Cases: {', '.join(each['set'] + '/' + each['key'] for each in kept)}." if kept else ""
    tell(incident, TimelineKind.FIX, f"Proposed: {change}{with_cases}", by, at, data={"fix": str(made.id)})
    return made


def check_fix(
    *,
    tenant: uuid.UUID,
    fix_id: uuid.UUID,
    old_suite: uuid.UUID,
    new_suite: uuid.UUID,
    old: Suite,
    new: Suite,
    by: Actor,
    at: datetime,
) -> Proof:
    """Write down what two suite runs show; `old` and `new` were read in the organisation's scope (queries/suites.py).

    Raises Unknown, WrongState once the fix is deployed: then its proof stands.
    """
    scope.require_tenant(tenant)
    fix = Fix.objects.filter(tenant_id=tenant, id=fix_id).first()
    if fix is None:
        raise Unknown("There is no such fix.")
    incident = locked(tenant, fix.incident_id)
    _require_reviewable(incident)
    if fix.deployed_at is not None:
        raise WrongState("This fix is deployed. Write down a further one, and check that.")
    shown = fixes.proof(
        agent=fix.agent, old_version=fix.old_version, new_version=fix.new_version, cases=fix.cases, old=old, new=new
    )
    fix.old_suite, fix.new_suite, fix.checked_at = old_suite, new_suite, at
    fix.failed_on_old, fix.passes_on_new = shown.failed_on_old, shown.passes_on_new
    fix.full_suite_passed = shown.full_suite_passed
    fix.save()
    verdict = "it holds" if shown.holds else " ".join(shown.reasons)[:1_000]
    data = {"fix": str(fix.id), "old_suite": str(old_suite), "new_suite": str(new_suite), "verdict": verdict}
    record(incident, "incident.fix_checked", data, by, at)
    words = "The fix holds: its cases fail on the old version and pass on the new, and the full suite passes."
    tell(incident, TimelineKind.FIX, words if shown.holds else f"The fix does not hold yet. {verdict}", by, at)
    return shown


def _require_reviewable(incident: Incident) -> None:
    """A proof is looked at where a fix may still change: not under a watch."""
    if incident.status not in (IncidentStatus.IDENTIFIED, IncidentStatus.FIX_IN_REVIEW):
        word = IncidentStatus(incident.status).label.lower()
        raise WrongState(f"A fix is checked while its cause is known or it is in review; it is “{word}” now.")


def _cases(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    if len(cases) > CASES_MOST:
        raise invalid("/cases", f"A fix names at most {CASES_MOST} cases.")
    found: list[dict[str, str]] = []
    for case in cases:
        one = {name: inputs.text(f"/cases/{name}", case.get(name), most=120) for name in ("set", "key")}
        if one not in found:
            found.append(one)
    if len({each["set"] for each in found}) > 1:
        raise invalid("/cases", "The cases of a fix are in one eval set, which is run as a whole.")
    return found
