"""What the guard knows of a run, for the run's page: decisions between the spans, caps and what is used of them."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.pages import place
from agentops.runtime import queries
from agentops.runtime.decisionview import Step, steps, view_of
from agentops.runtime.presenting import run_uses
from agentops.runtime.queries import GuardedRunView
from agentops.traces.timeline import Event
from tenants.access import TenantRequest

MOST_DECISIONS = 600  # read for a page; a run with more has them in the list of decisions


def guard_context(request: TenantRequest, run: uuid.UUID) -> dict[str, Any]:
    """`guarded` is None for a run that only sent traces; then there is nothing else."""
    tenant = request.access.tenant.id
    guarded = queries.guarded_run(tenant=tenant, run=run)
    if guarded is None:
        return {"guarded": None}
    rows = queries.decisions_of_run(tenant=tenant, run=run, most=MOST_DECISIONS + 1)
    now = clock.now()
    return {
        "guarded": guarded,
        "uses": run_uses(guarded, at=now),
        "family": _family(request, guarded),
        "steps": steps(rows[:MOST_DECISIONS], queries.permit_uses(tenant=tenant, run=run), now),
        "has_more_decisions": len(rows) > MOST_DECISIONS,
        "decisions_url": f"{place(request, 'decisions')}?{urlencode({'run_id': run.hex})}",
    }


def events_of(request: TenantRequest, decided: list[Step]) -> list[Event]:
    """Decisions as the timeline takes them."""
    return [
        Event(
            at=step.row.decided_at,
            key=step.key,
            url=place(request, "decision", decision=step.key),
            name=step.sentence,
            detail=step.detail,
            answer=step.row.decision,
            took_us=step.row.took_us,
        )
        for step in decided
    ]


def opened_decision(request: TenantRequest, run: uuid.UUID) -> dict[str, Any]:
    """The decision that the address opens (`?decision=`). Raises NotFound for one of another run."""
    chosen = request.GET.get("decision", "")
    if not chosen:
        return {}
    try:
        key = Cursor.decode(chosen)
    except InvalidInput as error:
        raise NotFound("There is no such decision.") from error
    tenant = request.access.tenant.id
    row = queries.decision(tenant=tenant, key=key)
    if row.run_id != run:
        raise NotFound("There is no such decision in this run.")
    return {"decision": view_of(tenant=tenant, row=row, at=clock.now())}


def _family(request: TenantRequest, guarded: GuardedRunView) -> list[tuple[str, uuid.UUID, str]]:
    """The runs above this one, as words, ids and addresses: its counters are those of the first."""
    found = []
    if guarded.parent_id is not None and guarded.parent_id != guarded.root_id:
        found.append(("Begun by", guarded.parent_id))
    if guarded.root_id != guarded.run_id:
        found.append(("Counts towards", guarded.root_id))
    return [(word, run, place(request, "run", run_id=run.hex)) for word, run in found]
