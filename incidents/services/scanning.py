"""Looking for what was touched: an entry in the organisation's log, a read of its rows, a write of ours, each a transaction.

What is planned is in rows; a worker that dies leaves the look to the next sweep, and two at once write it once.
"""

from __future__ import annotations

import uuid

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from audit.types import SYSTEM, Actor
from incidents.models import BlastScan, Incident
from incidents.queries import blast as queries
from incidents.queries import custody, touched
from incidents.queries.evidence import named_runs, window_of
from incidents.queries.ways import ways as ways_of
from incidents.services import blast
from tenants.house import house_scope


def scan(scan_id: uuid.UUID) -> bool:
    """Do one look to its end; False where there is nothing to do. It opens the scopes it needs, one after the other."""
    with house_scope() as house:
        found = queries.scan(tenant=house, scan_id=scan_id)
        own = [run for about, run in named_runs(found.incident) if about == found.about_tenant] if found else []
    if found is None or found.ended_at is not None:
        return False
    try:
        _scan(found, own)
    except Exception as error:
        with house_scope() as house:
            blast.note_scan_failure(tenant=house, scan_id=scan_id, error=f"{type(error).__name__}: {error}")
        raise
    return True


def _scan(found: BlastScan, own: list[uuid.UUID]) -> None:
    about, criteria = found.about_tenant, blast.Criteria.of(found.criteria)
    with staff_scope():
        is_known = bool(custody.known_organisations([about]))
    if is_known:
        with tenant_scope(about):
            if not custody.has_entry(tenant=about, entry=found.id, at=found.began_at):
                kind = "staff" if found.by_id.startswith("staff:") else "system"
                by = Actor(type=kind, id=found.by_id or SYSTEM.id, label=found.by)
                blast.note_scanned(
                    tenant=about, incident_ref=found.incident.ref, criteria=criteria, entry=found.id, by=by,
                    at=found.began_at,
                )  # fmt: skip
    with staff_scope():
        ways = ways_of(tenant=about, agents=[criteria.agent])
        marks = touched.Marks(
            tenant=about, agent=criteria.agent, version=criteria.version, tool=criteria.tool, since=criteria.since,
            until=criteria.until, own=own, writers=ways.writers,
        )  # fmt: skip
        seen = touched.find(marks)
    with house_scope() as house:
        blast.take_found(tenant=house, scan_id=found.id, found=seen, ways=ways, at=clock.now())


def plan_first(incident_id: uuid.UUID) -> int:
    """The first look of an incident, by what it says of itself; answers how many organisations. None where one was planned."""
    with house_scope() as house:
        incident = Incident.objects.filter(tenant_id=house, id=incident_id).first()
        if incident is None or BlastScan.objects.filter(tenant_id=house, incident=incident).exists():
            return 0
        at = clock.now()
        window = window_of(incident, at=at)
        if not window.tenants or not (window.agent or named_runs(incident)):
            return 0
        criteria = blast.Criteria(
            agent=window.agent, version=window.version, tool=window.tool, since=window.since, until=window.until
        )
        about = window.tenants[: blast.MOST_ORGANISATIONS]
        planned = blast.plan_scans(
            tenant=house, incident_id=incident_id, criteria=criteria, about=about, by=SYSTEM, at=at
        )
        return len(planned)
