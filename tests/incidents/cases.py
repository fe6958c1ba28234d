"""An incident of our own organisation, and customers' runs that it is about, for tests of evidence, blast radius and reversal."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from agentops.common import clock
from agentops.common.ids import new_id
from incidents.models import Incident
from incidents.types import Severity
from tenants.house import house_scope
from tests.evals.telling import Machine
from tests.world import Organisation, World

AGENT, VERSION, TOOL = "refund-desk", "1", "refund"


def incident(world: World, *, runs: list[Any] | None = None, **said: Any) -> Incident:
    """About Acme's refund-desk 1, that began an hour ago, unless something else is said."""
    at = clock.now()
    values: dict[str, Any] = {
        "title": "Refunds to the wrong people",
        "severity": Severity.SEV1,
        "tenants": [world.acme.id],
        "agent": AGENT,
        "agent_version": VERSION,
        "tool": TOOL,
        "runs": runs or [],
        "impact_started_at": at - timedelta(hours=1),
        "detected_at": at - timedelta(minutes=1),
        "declared_at": at,
        "declared_by": world.sam.email,
    }
    with house_scope() as house:
        number = Incident.objects.filter(tenant_id=house).count() + 1
        return Incident.objects.create(tenant_id=house, year=2026, number=number, **{**values, **said})


def refund_run(
    organisation: Organisation, *orders: str, user: str = "u-1", version: str = VERSION, at: datetime | None = None
) -> uuid.UUID:
    """A run over the wire that refunds each of these orders, one a second, with a receipt of the payment system."""
    run = new_id()
    began = at or clock.now() - timedelta(minutes=10)
    calls = [
        {
            "tool": TOOL,
            "started_at": clock.rfc3339(began + timedelta(seconds=number)),
            "ended_at": clock.rfc3339(began + timedelta(seconds=number + 1)),
            "arguments": {"order_id": order},
            "result": {"receipt": f"rf_{order}"},
            "external_system": "stripe",
            "external_id": f"rf_{order}",
            "idempotency_key": f"key-{run.hex[:6]}-{order}",
        }
        for number, order in enumerate(orders, start=1)
    ]
    Machine(organisation).spans(
        run, *calls, at=began, agent=AGENT, agent_version=version, user_id=user, input="refund me, please"
    )
    return run
