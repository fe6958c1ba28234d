"""Evidence: planned in the transaction of the declaration, taken by a job (taking.py), held until a commander lets it go."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from celery import signature
from django.db import connection

from agentops.common import scope
from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound
from agentops.common.ids import new_id
from agentops.common.queues import Queue, ring_on_commit
from audit import services as audit
from audit.types import SYSTEM, Actor, Outcome, Target
from incidents.manifests import Manifest
from incidents.models import Evidence, Incident, LegalHold, Snapshot, SnapshotRun
from incidents.queries.documents import Document
from incidents.queries.evidence import manifest_of, named_runs
from incidents.services import timeline
from incidents.types import IncidentStatus, SnapshotState, TimelineKind

TAKE = "incidents.tasks.evidence.take"
MOST_RUNS = 500
_OVER = (IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)
Run = tuple[uuid.UUID, uuid.UUID]  # an organisation, and a run of it

_PLAN = """
INSERT INTO incidents_snapshotrun (tenant_id, id, snapshot_id, about_tenant, run_id, is_missing)
SELECT %s, n.id, %s, n.about_tenant, n.run_id, false FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[]) AS n (id, about_tenant, run_id)
ON CONFLICT DO NOTHING
"""
_LOCK = """
SELECT about_tenant, run_id FROM incidents_snapshotrun
WHERE tenant_id = %s AND snapshot_id = %s AND about_tenant = %s AND run_id = ANY(%s) AND captured_at IS NULL FOR UPDATE
"""
_RELEASE = """
UPDATE incidents_evidence SET body = NULL WHERE tenant_id = %s AND incident_id = %s AND body IS NOT NULL RETURNING size
"""


def plan_snapshot(*, tenant: uuid.UUID, incident_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> Snapshot:
    """Freeze which runs are kept, and hold them; a job takes them after the commit.

    The runs that the incident and its alerts name are of the plan at once. The others of the agent version join it when the
    job begins (this transaction cannot see them). A snapshot that is still being taken is answered as it is.
    """
    scope.require_tenant(tenant)
    incident = Incident.objects.select_for_update().filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    snapshots = Snapshot.objects.filter(tenant_id=tenant, incident_id=incident_id)
    waiting = snapshots.filter(state=SnapshotState.PLANNED).first()
    if waiting is not None:
        return waiting
    made = Snapshot.objects.create(
        tenant_id=tenant,
        incident=incident,
        number=snapshots.count() + 1,
        reason=reason.strip(),
        planned_at=at,
        planned_by=by.label,
    )
    LegalHold.objects.get_or_create(
        tenant_id=tenant,
        incident=incident,
        released_at=None,
        defaults={"held_at": at, "held_by": by.label, "reason": reason.strip()},
    )
    named = named_runs(incident)[:MOST_RUNS]
    _plan(made, named)
    audit.record(
        tenant=tenant,
        action="evidence.planned",
        actor=by,
        target=Target("incident", incident.ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident.ref, "snapshot": made.number, "runs": len(named)},
        at=at,
        reason=reason.strip(),
    )
    ring_on_commit(signature(TAKE, queue=Queue.DEFAULT.value), snapshot_id=str(made.id))
    return made


def freeze_plan(
    *, tenant: uuid.UUID, snapshot_id: uuid.UUID, further: Iterable[Run], is_cut: bool, at: datetime
) -> int:
    """The further runs join the plan, as far as there is room; from now on none does. Answers how many are planned."""
    scope.require_tenant(tenant)
    made = _open(tenant, snapshot_id)
    if made is None or made.frozen_at is not None:
        return 0
    _plan(made, named_runs(made.incident)[:MOST_RUNS])
    planned = SnapshotRun.objects.filter(tenant_id=tenant, snapshot=made)
    there, runs = set(planned.values_list("about_tenant", "run_id")), list(dict.fromkeys(further))
    room = max(0, MOST_RUNS - len(there))
    new = [run for run in runs if run not in there]
    _plan(made, new[:room])
    made.frozen_at, made.is_cut, made.runs = at, is_cut or len(new) > room, len(there) + min(room, len(new))
    made.save(update_fields=["frozen_at", "is_cut", "runs"])
    return made.runs


def keep_runs(
    *,
    tenant: uuid.UUID,
    snapshot_id: uuid.UUID,
    about: uuid.UUID,
    runs: Sequence[uuid.UUID],
    missing: frozenset[uuid.UUID],
    documents: Iterable[tuple[uuid.UUID | None, Document]],
    at: datetime,
) -> int:
    """Keep what runs of one organisation held. What another worker kept meanwhile stays as it kept it."""
    scope.require_tenant(tenant)
    made = _open(tenant, snapshot_id)
    if made is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [tenant, snapshot_id, about, list(runs)])
        ours = {run_id for _, run_id in cursor.fetchall()}
    _keep(made, about, [document for run, document in documents if run is None or run in ours], at)
    taken = SnapshotRun.objects.filter(tenant_id=tenant, snapshot=made, about_tenant=about)
    taken.filter(run_id__in=ours - missing).update(captured_at=at)
    taken.filter(run_id__in=ours & missing).update(captured_at=at, is_missing=True)
    return len(ours)


def keep_surroundings(
    *, tenant: uuid.UUID, snapshot_id: uuid.UUID, about: uuid.UUID | None, documents: Iterable[Document], at: datetime
) -> None:
    """Keep what stood around the runs. Kept twice, it is kept as it was first."""
    scope.require_tenant(tenant)
    made = _open(tenant, snapshot_id)
    if made is not None:
        _keep(made, about, documents, at)


def complete_snapshot(*, tenant: uuid.UUID, snapshot_id: uuid.UUID, at: datetime) -> Snapshot | None:
    """All of the plan is kept: the digest over the manifest is an entry of our own log. None where it is not so (yet).

    The entry has the id and the time of the snapshot, here and in the organisations' logs, so that it cannot be twice.
    """
    scope.require_tenant(tenant)
    made = _open(tenant, snapshot_id)
    if made is None or made.frozen_at is None or made.plan.filter(captured_at__isnull=True).exists():
        return None
    manifest = manifest_of(made)
    made.state, made.completed_at, made.error = SnapshotState.COMPLETE, at, ""
    made.items, made.stored_bytes, made.manifest_digest = len(manifest.items), manifest.size, manifest.digest
    made.save(update_fields=["state", "completed_at", "error", "items", "stored_bytes", "manifest_digest"])
    note_taken(tenant=tenant, incident_ref=made.incident.ref, snapshot=made, manifest=manifest)
    missing = f"; {len(manifest.missing)} of the plan had been deleted before" if manifest.missing else ""
    further = "; the version had more, which are not kept" if made.is_cut else ""
    timeline.note(
        tenant=tenant,
        incident_id=made.incident_id,
        kind=TimelineKind.EVIDENCE,
        text=f"Evidence of {len(manifest.runs)} runs is kept: {made.items} items{missing}{further}",
        by=SYSTEM,
        at=at,
        data={"snapshot": made.number, "manifest": made.manifest_digest},
    )
    return made


def note_taken(*, tenant: uuid.UUID, incident_ref: str, snapshot: Snapshot, manifest: Manifest) -> None:
    """The entry that makes the evidence provable: in our log of all of it, in an organisation's of its own part."""
    scope.require_tenant(tenant)
    assert snapshot.completed_at is not None
    entry = audit.NewEntry(
        id=snapshot.id,
        action="evidence.taken",
        actor=SYSTEM,
        target=Target("incident", incident_ref),
        outcome=Outcome.SUCCESS,
        data={
            "incident": incident_ref,
            "snapshot": snapshot.number,
            "runs": len(manifest.runs),
            "missing": len(manifest.missing),
            "items": len(manifest.items),
            "bytes": manifest.size,
            "manifest": manifest.digest,
        },
        at=snapshot.completed_at,
    )
    audit.record_many(tenant=tenant, entries=[entry])


def note_snapshot_told(*, tenant: uuid.UUID, snapshot_id: uuid.UUID, at: datetime) -> None:
    """The log of every organisation in it says it."""
    scope.require_tenant(tenant)
    Snapshot.objects.filter(tenant_id=tenant, id=snapshot_id, told_at__isnull=True).update(told_at=at)


def note_failure(*, tenant: uuid.UUID, snapshot_id: uuid.UUID, error: str) -> None:
    """Why it is not taken yet. The sweep goes on with it."""
    scope.require_tenant(tenant)
    Snapshot.objects.filter(tenant_id=tenant, id=snapshot_id, state=SnapshotState.PLANNED).update(error=error[:500])


def release_hold(*, tenant: uuid.UUID, incident_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> int:
    """Delete what was kept, and keep its digests; answers how many items. Only of an incident that is over."""
    scope.require_tenant(tenant)
    if not reason.strip():
        problem = InputProblem("/reason", "required", "say why it is no longer needed, and who decided it")
        raise InvalidInput("To let evidence go needs a reason.", problems=(problem,))
    incident = Incident.objects.select_for_update().filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    if incident.status not in _OVER:
        raise Conflict(f"{incident.ref} is not over: close it first, its evidence is needed until then.")
    if Snapshot.objects.filter(tenant_id=tenant, incident=incident, state=SnapshotState.PLANNED).exists():
        raise Conflict("Evidence is still being taken; wait until it is complete.")
    released = LegalHold.objects.filter(tenant_id=tenant, incident=incident, released_at__isnull=True)
    if not released.update(released_at=at, released_by=by.label, release_reason=reason.strip()):
        raise Conflict("There is no hold on this evidence: it was let go already.")
    with connection.cursor() as cursor:
        cursor.execute(_RELEASE, [tenant, incident_id])
        sizes = [size for (size,) in cursor.fetchall()]
    audit.record(
        tenant=tenant,
        action="evidence.released",
        actor=by,
        target=Target("incident", incident.ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident.ref, "items": len(sizes), "bytes": sum(sizes)},
        at=at,
        reason=reason.strip(),
    )
    text = f"The evidence was let go: {len(sizes)} items deleted, their digests stay"
    timeline.note(tenant=tenant, incident_id=incident_id, kind=TimelineKind.EVIDENCE, text=text, by=by, at=at)
    return len(sizes)


def note_read(*, tenant: uuid.UUID, incident_ref: str, items: int, by: Actor, at: datetime) -> None:
    """Somebody is about to read evidence: an entry of the organisation whose it is, and of our own log."""
    scope.require_tenant(tenant)
    audit.record(
        tenant=tenant,
        action="evidence.read",
        actor=by,
        target=Target("incident", incident_ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident_ref, "items": items},
        at=at,
    )


def _open(tenant: uuid.UUID, snapshot_id: uuid.UUID) -> Snapshot | None:
    """The snapshot, locked, while it is being taken."""
    rows = Snapshot.objects.select_for_update(of=("self",)).select_related("incident")
    return rows.filter(tenant_id=tenant, id=snapshot_id, state=SnapshotState.PLANNED).first()


def _plan(made: Snapshot, runs: Sequence[Run]) -> None:
    if runs:
        about, ids = [tenant for tenant, _ in runs], [run for _, run in runs]
        with connection.cursor() as cursor:
            cursor.execute(_PLAN, [made.tenant_id, made.id, [new_id() for _ in runs], about, ids])


def _keep(made: Snapshot, about: uuid.UUID | None, documents: Iterable[Document], at: datetime) -> None:
    rows = [
        Evidence(
            tenant_id=made.tenant_id,
            incident_id=made.incident_id,
            snapshot=made,
            about_tenant=about,
            kind=document.kind,
            source=document.source,
            label=document.label,
            sha256=document.sha256,
            size=document.size,
            body=document.body,
            captured_at=at,
        )
        for document in documents
    ]
    Evidence.objects.bulk_create(rows, ignore_conflicts=True)
