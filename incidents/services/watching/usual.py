"""What is usual for each agent, and the runs whose investigation was opened."""

from __future__ import annotations

import uuid
from contextlib import suppress
from datetime import datetime

from agentops.common.scope import staff_scope, tenant_scope
from audit.types import SYSTEM
from evals import services as evals
from evals.errors import Unknown
from incidents.models import AgentUsual, DetectorMark
from incidents.queries.watching import runs as reading
from incidents.types import AlertClass
from tenants import queries as tenants
from tenants.house import house_scope


def compute_usual(*, at: datetime) -> int:
    """Compute the usual steps and tokens anew, one organisation after the other; answers how many agents have one."""
    count = 0
    for about in tenants.active_tenant_ids():
        with staff_scope():
            rows = reading.usual_of(tenant=about, at=at)
        with house_scope() as house:
            AgentUsual.objects.filter(tenant_id=house, about_tenant=about).exclude(
                agent__in=[agent for _, agent in rows]
            ).delete()
            AgentUsual.objects.bulk_create(
                [
                    AgentUsual(
                        tenant_id=house,
                        about_tenant=about,
                        agent=agent,
                        runs=runs,
                        steps_p99=steps,
                        tokens_p99=tokens,
                        tokens_p50=median,
                        computed_at=at,
                    )
                    for (_, agent), (runs, steps, tokens, median) in rows.items()
                ],
                update_conflicts=True,
                unique_fields=["tenant_id", "about_tenant", "agent"],
                update_fields=["runs", "steps_p99", "tokens_p50", "tokens_p99", "computed_at"],
            )
        count += len(rows)
    return count


def open_investigations(*, at: datetime) -> int:
    """Send the runs that were far above their agent's p99 of tokens to the review queue, which keeps one item a run.

    Which, stands in the detector's mark until it is done: a round that dies between asking and striking it off asks again,
    and finds the item that is there.
    """
    with house_scope() as house:
        mark = DetectorMark.objects.filter(tenant_id=house, detector=AlertClass.TOKEN_P99).first()
        todo = list(mark.known.get("todo", [])) if mark else []
    for tenant, run in todo:
        with tenant_scope(uuid.UUID(tenant)), suppress(Unknown):  # erased since
            evals.ask_review(tenant=uuid.UUID(tenant), run_id=uuid.UUID(run), by=SYSTEM, at=at)
    if todo:
        with house_scope() as house:
            mark = DetectorMark.objects.select_for_update().get(tenant_id=house, detector=AlertClass.TOKEN_P99)
            left = [each for each in mark.known.get("todo", []) if each not in todo]
            mark.known = {**mark.known, "todo": left}
            mark.save(update_fields=["known"])
    return len(todo)
