"""What was undone, in the log of the organisation it was undone for. Told twice, it is told once."""

from __future__ import annotations

import uuid

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from incidents.queries import custody
from incidents.queries.reversals import untold
from incidents.services import reversals
from incidents.types import ReversalState
from tenants.house import house_scope


def tell_reversals() -> int:
    """Tell what ended; answers how many. It opens the scopes it needs, one after the other."""
    with house_scope() as house:
        waiting = untold(tenant=house)
    if not waiting:
        return 0
    by_tenant: dict[uuid.UUID, list[int]] = {}
    for place, (found, _) in enumerate(waiting):
        by_tenant.setdefault(found.effect.about_tenant, []).append(place)
    with staff_scope():
        known = custody.known_organisations(by_tenant)
    for about in known:
        with tenant_scope(about):
            for place in by_tenant[about]:
                found, ref = waiting[place]
                assert found.ended_at is not None
                if not custody.has_entry(tenant=about, entry=found.id, at=found.ended_at):
                    tool = (found.effect.tool or found.effect.system or "a side effect")[:200]
                    state = ReversalState(found.state).label.lower()
                    reversals.note_ended(tenant=about, incident_ref=ref, reversal=found, tool=tool, state=state)
    with house_scope() as house:
        reversals.note_reversals_told(tenant=house, reversals=[found.id for found, _ in waiting], at=clock.now())
    return len(waiting)
