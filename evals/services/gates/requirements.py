"""What a gate asks for."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agentops.catalog import queries as catalog_queries
from agentops.catalog import services as catalog
from agentops.catalog.types import Gate
from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput
from audit.types import Actor
from evals.errors import Unknown, invalid
from evals.models import EvalSet, GatePolicy, GateRequirement
from evals.services.gates import entries
from evals.types import SuiteMode

REPEATS_MOST = 20
REQUIREMENTS_MOST = 20
REASON_MOST = 500
LEAST_RATE, MARGIN = 1.0, 0.1  # what is asked for where nothing is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One suite that must pass, by its set's name."""

    eval_set: str
    mode: SuiteMode = SuiteMode.PLAIN
    least_rate: float = LEAST_RATE
    margin: float = MARGIN
    repeats: int = 1

    def words(self) -> str:
        mode = " where tools fail" if self.mode == SuiteMode.CHAOS else ""
        times = f", each {self.repeats} times" if self.repeats > 1 else ""
        return f"{self.eval_set}{mode}: {self.least_rate:.1%} or more, at most {self.margin:.1%} worse{times}"


def set_gate(
    *, tenant: uuid.UUID, agent: str, requirements: Sequence[Requirement], reason: str = "", by: Actor, at: datetime
) -> GatePolicy:
    """Say what every version of an agent must pass before it can be approved; an earlier word is replaced whole, and needs a
    reason where less is asked for than before.

    From the commit on no version is approved without it. What has passed and is not approved yet must pass again if other
    things are asked for now. The same again changes nothing. Raises AgentUnknown, InvalidInput.
    """
    scope.require_tenant(tenant)
    reason = _reason(reason)
    sets = _checked(tenant, requirements)
    _require_agent(tenant, agent)
    policy, is_new = GatePolicy.objects.select_for_update().get_or_create(
        tenant_id=tenant, agent=agent, defaults={"set_at": at, "set_by": by.label[:200]}
    )
    before = [] if is_new else _stand(policy)
    if not is_new and sorted(before, key=_place) == sorted(requirements, key=_place):
        return policy
    if asks_less(before, requirements) and not reason:
        raise invalid("/reason", "less is asked for than before: say why", "required")
    GateRequirement.objects.filter(tenant_id=tenant, policy=policy).delete()
    GateRequirement.objects.bulk_create(
        [
            GateRequirement(
                tenant_id=tenant,
                policy=policy,
                eval_set_id=sets[each.eval_set],
                mode=each.mode,
                least_rate=each.least_rate,
                margin=each.margin,
                repeats=each.repeats,
            )
            for each in requirements
        ]
    )
    policy.set_at, policy.set_by = at, by.label[:200]
    policy.save(update_fields=["set_at", "set_by"])
    entries.policy_set(tenant, agent, [each.words() for each in requirements], reason, by, at)
    catalog.require_gate(tenant=tenant, agent=agent, by=by, at=at)
    _ask_again(tenant, agent, by, at)
    return policy


def remove_gate(*, tenant: uuid.UUID, agent: str, reason: str, by: Actor, at: datetime) -> None:
    """Take the gate away, and say why. What has failed stays failed. Raises Unknown, InvalidInput."""
    scope.require_tenant(tenant)
    policy = GatePolicy.objects.select_for_update().filter(tenant_id=tenant, agent=agent).first()
    if policy is None:
        raise Unknown(f"No gate stands before the versions of {agent[:100]}.")
    reason = _reason(reason)
    if not reason:
        raise invalid("/reason", "say why versions of this agent need pass no gate any more", "required")
    policy.delete()
    entries.policy_removed(tenant, agent, reason, by, at)
    catalog.require_gate(tenant=tenant, agent=agent, is_required=False, by=by, at=at)


def asks_less(before: Sequence[Requirement], after: Sequence[Requirement]) -> bool:
    """Could a version pass what is asked for now, and not what was?"""
    now = {_place(each): each for each in after}
    return any(
        _place(each) not in now
        or now[_place(each)].least_rate < each.least_rate
        or now[_place(each)].margin > each.margin
        or now[_place(each)].repeats < each.repeats
        for each in before
    )


def _place(requirement: Requirement) -> tuple[str, str]:
    return requirement.eval_set, str(requirement.mode)


def _stand(policy: GatePolicy) -> list[Requirement]:
    found = GateRequirement.objects.filter(tenant_id=policy.tenant_id, policy=policy).select_related("eval_set")
    return [
        Requirement(
            eval_set=each.eval_set.name,
            mode=SuiteMode(each.mode),
            least_rate=each.least_rate,
            margin=each.margin,
            repeats=each.repeats,
        )
        for each in found
    ]


def _ask_again(tenant: uuid.UUID, agent: str, by: Actor, at: datetime) -> None:
    for version in catalog_queries.agent(tenant=tenant, name=agent).versions:
        if version.gate == Gate.PASSED and not version.is_approved:
            catalog.record_gate(
                tenant=tenant,
                agent=agent,
                version=version.version,
                verdict=Gate.REQUIRED,
                detail="what the gate asks for was changed",
                by=by,
                at=at,
            )


# -- in ---------------------------------------------------------------------------------------------------------------


def _checked(tenant: uuid.UUID, requirements: Sequence[Requirement]) -> dict[str, uuid.UUID]:
    """The sets by name. Raises InvalidInput with all that is wrong."""
    if not 1 <= len(requirements) <= REQUIREMENTS_MOST:
        raise invalid("/requirements", f"1 to {REQUIREMENTS_MOST} suites are expected", "range")
    names = [each.eval_set for each in requirements if "\0" not in each.eval_set]
    found = EvalSet.objects.filter(tenant_id=tenant, name__in=names, archived_at__isnull=True)
    sets = dict(found.values_list("name", "id"))
    problems = [
        InputProblem(f"/requirements/{place}/{member}", code, detail)
        for place, each in enumerate(requirements)
        for member, code, detail in _wrong(each, sets)
    ]
    places = [_place(each) for each in requirements]
    problems += [
        InputProblem(f"/requirements/{place}", "twice", "this set is asked for twice in this mode")
        for place, each in enumerate(places)
        if each in places[:place]
    ]
    if problems:
        raise InvalidInput("some of the requirements are not valid", problems=tuple(problems))
    return sets


def _wrong(each: Requirement, sets: dict[str, uuid.UUID]) -> list[tuple[str, str, str]]:
    found = []
    if each.eval_set not in sets:
        known = ", ".join(sorted(sets)) or "none of these"
        found.append(("set", "unknown", f"there is no eval set {each.eval_set[:100]!r} that is in use ({known})"))
    for member, value in (("least_rate", each.least_rate), ("margin", each.margin)):
        if not (math.isfinite(value) and 0 <= value <= 1):
            found.append((member, "range", "a share from 0 to 1 is expected"))
    if not 1 <= each.repeats <= REPEATS_MOST:
        found.append(("repeats", "range", f"a whole number from 1 to {REPEATS_MOST} is expected"))
    return found


def _require_agent(tenant: uuid.UUID, agent: str) -> None:
    if "\0" in agent:
        raise invalid("/agent", "no NUL character may be in it", "nul")
    catalog_queries.agent(tenant=tenant, name=agent)


def _reason(text: str) -> str:
    text = text.strip()
    if len(text) > REASON_MOST or "\0" in text:
        raise invalid("/reason", f"at most {REASON_MOST} characters without NUL are taken", "too_long")
    return text
