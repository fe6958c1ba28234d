"""An incident of our own organisation, and customers' runs that it is about, for tests of evidence, blast radius and reversal."""

from __future__ import annotations

import hashlib
import uuid
import zlib
from datetime import datetime, timedelta
from typing import Any

from agentops.common import clock
from agentops.common.ids import new_id
from incidents.models import Evidence, Incident, Reversal, SideEffect, Snapshot
from incidents.queries.named import incident_called
from incidents.types import EvidenceKind, Severity
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
    organisation: Organisation,
    *orders: str,
    user: str = "u-1",
    version: str = VERSION,
    at: datetime | None = None,
    run: uuid.UUID | None = None,
) -> uuid.UUID:
    """A run over the wire that refunds each of these orders, one a second, with a receipt of the payment system. `run`: one
    that the guard knows, told by its spans as well."""
    run = run or new_id()
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


def kept(ref: str) -> uuid.UUID:
    """One item of evidence of an incident."""
    at = clock.now()
    with house_scope() as house:
        about = incident_called(ref)
        snapshot, _ = Snapshot.objects.get_or_create(
            tenant_id=house, incident=about, number=1, defaults={"planned_at": at, "planned_by": "t"}
        )
        made = Evidence.objects.create(
            tenant_id=house, incident_id=about.id, snapshot=snapshot, kind=EvidenceKind.CONFIG, source=new_id().hex,
            sha256=hashlib.sha256(b"{}\n").hexdigest(), size=3, body=zlib.compress(b"{}\n"), captured_at=at,
        )  # fmt: skip
        return made.id


def reversal(ref: str) -> uuid.UUID:
    """One side effect of an incident that is to be undone."""
    at = clock.now()
    with house_scope() as house:
        about = incident_called(ref)
        effect = SideEffect.objects.create(
            tenant_id=house,
            incident=about,
            about_tenant=new_id(),
            run_id=new_id(),
            span_id=1,
            tool=TOOL,
            occurred_at=at,
        )
        made = Reversal.objects.create(
            tenant_id=house, effect=effect, incident_id=about.id, position=1, how="by hand", planned_at=at, planned_by="t",
            idempotency_key=f"reversal/{effect.id}",
        )  # fmt: skip
        return made.id
