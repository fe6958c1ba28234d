"""What an organisation allows all of its agents: narrower than its plan, never wider."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput
from agentops.runtime.models import OrganisationCaps
from agentops.runtime.policies.caps import NAMES, PLAN_CAPS
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import queries as tenants


def set_organisation_caps(
    *, tenant: uuid.UUID, caps: Mapping[str, int | None], by: Actor, at: datetime
) -> OrganisationCaps:
    """Set the caps that no agent of the organisation passes; runs in progress keep theirs.

    Names as in EffectiveCaps; None, or a name left out, is not narrower than the plan. Raises InvalidInput.
    """
    scope.require_tenant(tenant)
    chosen = {name: value for name, value in caps.items() if value is not None}
    _check(tenant, chosen)
    before = OrganisationCaps.objects.select_for_update().filter(tenant_id=tenant).first()
    old = dict(before.caps) if before else {}
    found, _ = OrganisationCaps.objects.update_or_create(
        tenant_id=tenant, key="1", defaults={"caps": chosen, "set_at": at, "set_by": by.label}
    )
    if old != chosen:
        audit.record(
            tenant=tenant,
            action="caps.changed",
            actor=by,
            target=Target(type="tenant", id=str(tenant)),
            outcome=Outcome.SUCCESS,
            data={"changes": {name: [old.get(name), chosen.get(name)] for name in sorted({*old, *chosen})}},
            at=at,
        )
    return found


def _check(tenant: uuid.UUID, chosen: Mapping[str, int]) -> None:
    outer = asdict(PLAN_CAPS[tenants.plan_of(tenant)])
    problems = []
    for name, value in chosen.items():
        if name not in NAMES:
            problems.append(InputProblem(f"/{name}", "unknown", f"there is no such cap; these are: {', '.join(NAMES)}"))
        elif isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= outer[name]:
            problems.append(
                InputProblem(f"/{name}", "range", f"a whole number from 1 to {outer[name]} (the plan's) is expected")
            )
    if problems:
        raise InvalidInput(problems[0].detail, problems=tuple(problems))
