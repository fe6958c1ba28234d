"""Taking evidence: read of customers' rows in staff's scope, write of our own in ours, one slice after the other.

The plan is in rows, so a worker that dies loses one slice: the next goes on where it was. Two workers at once keep
nothing twice.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from incidents.models import Snapshot
from incidents.queries import capturing, custody, surroundings
from incidents.queries import evidence as queries
from incidents.services import evidence
from incidents.types import SnapshotState
from tenants.house import house_scope

SLICE_RUNS = 50
# Whoever was asked for a snapshot and the sweep may both tell of it: the second waits, and finds that it was told.
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('evidence:' || %s, 0))"


def take(snapshot_id: uuid.UUID) -> bool:
    """Take a snapshot to its end; False where there is nothing to do. It opens the scopes it needs, one after the other."""
    with house_scope() as house:
        found = queries.snapshot(tenant=house, snapshot_id=snapshot_id)
    if found is None or (found.state == SnapshotState.COMPLETE and found.told_at is not None):
        return False
    if found.state == SnapshotState.PLANNED:
        try:
            _take(found)
        except Exception as error:
            with house_scope() as house:
                evidence.note_failure(tenant=house, snapshot_id=snapshot_id, error=f"{type(error).__name__}: {error}")
            raise
    tell(snapshot_id)
    return True


def _take(found: Snapshot) -> None:
    with house_scope():
        window = queries.window_of(found.incident, at=found.planned_at)
        ours = queries.own_documents(found.incident)
    if found.frozen_at is None:
        _freeze(found, window)
    with house_scope() as house:
        at = clock.now()
        evidence.keep_surroundings(tenant=house, snapshot_id=found.id, about=None, documents=ours, at=at)
        organisations = queries.organisations(found)
    for about in dict.fromkeys([*window.tenants, *organisations]):
        with staff_scope():
            documents = surroundings.documents_of_tenant(
                tenant=about, agent=window.agent, version=window.version, since=window.since, until=window.until
            )
        with house_scope() as house:
            evidence.keep_surroundings(
                tenant=house, snapshot_id=found.id, about=about, documents=documents, at=clock.now()
            )
    while _take_slice(found):
        pass
    with house_scope() as house:
        evidence.complete_snapshot(tenant=house, snapshot_id=found.id, at=clock.now())


def _freeze(found: Snapshot, window: queries.Window) -> None:
    most = evidence.MOST_RUNS
    further: list[evidence.Run] = []
    is_cut = False
    if window.agent:
        with staff_scope():
            for about in window.tenants:
                runs = capturing.runs_of_version(
                    tenant=about, agent=window.agent, version=window.version, since=window.since, until=window.until,
                    most=most + 1,
                )  # fmt: skip
                is_cut = is_cut or len(runs) > most
                further += [(about, run) for run in runs[:most]]
    with house_scope() as house:
        evidence.freeze_plan(tenant=house, snapshot_id=found.id, further=further, is_cut=is_cut, at=clock.now())


def _take_slice(found: Snapshot) -> bool:
    """Keep some more runs; False where all are."""
    with house_scope():
        waiting = queries.waiting_runs(found, most=SLICE_RUNS)
    if waiting is None:
        return False
    about, runs = waiting
    with staff_scope():
        captured = capturing.documents_of_runs(tenant=about, runs=runs)
    with house_scope() as house:
        evidence.keep_runs(
            tenant=house,
            snapshot_id=found.id,
            about=about,
            runs=runs,
            missing=captured.missing,
            documents=captured.documents,
            at=clock.now(),
        )
    return True


def tell(snapshot_id: uuid.UUID, *, at: datetime | None = None) -> None:
    """Into the log of each organisation: what was kept of its rows, under which digest. Told twice, it is told once."""
    with house_scope() as house:
        found = queries.snapshot(tenant=house, snapshot_id=snapshot_id)
        if found is None or found.completed_at is None:
            return
        manifest, ref = queries.manifest_of(found), found.incident.ref
    with staff_scope():
        there = custody.known_organisations(manifest.organisations)
    for about in there:
        with tenant_scope(about), connection.cursor() as cursor:
            cursor.execute(_ALONE, [str(found.id)])
            if not custody.has_entry(tenant=about, entry=found.id, at=found.completed_at):
                evidence.note_taken(tenant=about, incident_ref=ref, snapshot=found, manifest=manifest.of(about))
    with house_scope() as house:
        evidence.note_snapshot_told(tenant=house, snapshot_id=snapshot_id, at=at or clock.now())
