"""How long the evidence of an incident of so many runs takes, from the plan to the digest in the log; then all of it goes."""

from __future__ import annotations

import time
import uuid
from datetime import timedelta
from typing import Any

from django.db import connections

from agentops.common import clock
from audit.types import operator
from incidents.models import Incident, Snapshot
from incidents.queries import custody
from incidents.services import evidence, taking
from incidents.types import Severity
from tenants.house import house_scope

MOST_SECONDS = 10.0
BY = operator("bench")


def measure(tenant: uuid.UUID, agent: str, version: str, tool: str, *, runs: int) -> dict[str, Any]:
    """Of the newest runs of a version; sound if it is complete by digest within ten seconds."""
    at = clock.now()
    with house_scope() as house:
        incident = Incident.objects.create(
            tenant_id=house, year=1999, number=1, title="bench", severity=Severity.SEV3, tenants=[tenant], agent=agent,
            agent_version=version, tool=tool, impact_started_at=at - timedelta(days=31), declared_at=at, declared_by=BY.label,
        )  # fmt: skip
        most, evidence.MOST_RUNS = evidence.MOST_RUNS, runs
        planned = evidence.plan_snapshot(tenant=house, incident_id=incident.id, reason="bench", by=BY, at=at)
    began = time.perf_counter()
    try:
        taking.take(planned.id)
        seconds = time.perf_counter() - began
        checks = custody.check(incident)
        with house_scope():
            made = Snapshot.objects.get(id=planned.id)
    finally:
        evidence.MOST_RUNS = most
        _forget(incident.id)
    problems = [problem for checked in checks for problem in checked.problems]
    return {
        "runs": made.runs,
        "items": made.items,
        "megabytes": round(made.stored_bytes / 1e6, 1),
        "seconds": round(seconds, 2),
        "verify_seconds": round(time.perf_counter() - began - seconds, 2),
        "problems": problems,
        "sound": seconds <= MOST_SECONDS and not problems and made.runs == runs,
    }


def _forget(incident: uuid.UUID) -> None:
    with connections["owner"].cursor() as cursor:
        for table in ("timelineentry", "evidence", "legalhold"):
            cursor.execute(f"DELETE FROM incidents_{table} WHERE incident_id = %s", [incident])  # noqa: S608
        cursor.execute(
            "DELETE FROM incidents_snapshotrun WHERE snapshot_id IN (SELECT id FROM incidents_snapshot WHERE incident_id = %s)",
            [incident],
        )
        cursor.execute("DELETE FROM incidents_snapshot WHERE incident_id = %s", [incident])
        cursor.execute("DELETE FROM incidents_incident WHERE id = %s", [incident])
