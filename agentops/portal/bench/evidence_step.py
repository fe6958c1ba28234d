"""How long the evidence of an incident of so many runs takes, from the plan to the digest in the log; then all of it goes."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connections

from agentops.common import clock
from agentops.common.ids import new_id
from audit.types import operator
from incidents.queries import custody
from incidents.queries import evidence as queries
from incidents.services import evidence, taking
from tenants.house import house_scope

MOST_SECONDS = 10.0
BY = operator("bench")


def measure(tenant: uuid.UUID, agent: str, version: str, tool: str, *, runs: int) -> dict[str, Any]:
    """Of the newest runs of a version; sound if it is complete by digest within ten seconds."""
    at, incident = clock.now(), new_id()
    with house_scope() as house:
        _make(house, incident, tenant, (agent, version, tool), at)
        most, evidence.MOST_RUNS = evidence.MOST_RUNS, runs
        planned = evidence.plan_snapshot(tenant=house, incident_id=incident, reason="bench", by=BY, at=at)
    began = time.perf_counter()
    try:
        taking.take(planned.id)
        seconds = time.perf_counter() - began
        with house_scope() as house:
            made = queries.snapshot(tenant=house, snapshot_id=planned.id)
        assert made is not None
        checks = custody.check(made.incident)
    finally:
        evidence.MOST_RUNS = most
        _forget(incident)
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


def _make(house: uuid.UUID, incident: uuid.UUID, tenant: uuid.UUID, what: tuple[str, str, str], at: datetime) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO incidents_incident (tenant_id, id, year, number, title, summary, severity, status, status_number, is_drill, "
            "tenants, agent, agent_version, tool, model_route, runs, impact_started_at, declared_at, declared_by, "
            "not_stopped_because, not_stopped_by, cancel_reason, reopened) VALUES (%s, %s, 1999, 1, 'bench', '', 3, 'triage', 1, false, "
            "%s, %s, %s, %s, '', '[]', %s, %s, %s, '', '', '', 0)",
            [house, incident, [tenant], *what, at - timedelta(days=31), at, BY.label],
        )


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
