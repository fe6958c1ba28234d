"""Evidence as people, jobs and checks read it. In our own organisation's scope."""

from __future__ import annotations

import hashlib
import json
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Sum

from agentops.common.errors import NotFound
from incidents.manifests import Item, Manifest
from incidents.models import Alert, AlertRule, Evidence, Incident, IncidentAlert, LegalHold, Snapshot, SnapshotRun
from incidents.queries.documents import Document, Writer
from incidents.types import EvidenceKind, SnapshotState

BEFORE = timedelta(hours=24)  # looked back from the detection, where nobody said when the impact began
_PENDING_MOST = 50


@dataclass(frozen=True, slots=True)
class Window:
    """Which runs an incident is about, besides those it names."""

    agent: str
    version: str
    tool: str
    since: datetime
    until: datetime
    tenants: list[uuid.UUID]


def window_of(incident: Incident, *, at: datetime) -> Window:
    """The time of impact as far as it is known: what is not over goes until now."""
    since = incident.impact_started_at or (incident.detected_at or incident.declared_at) - BEFORE
    until = incident.contained_at or incident.mitigated_at or at
    named = [tenant for tenant, _ in named_runs(incident)]
    tenants = list(dict.fromkeys([*incident.tenants, *named]))
    return Window(
        incident.agent, incident.agent_version, incident.tool, since, max(since, until) + timedelta(seconds=1), tenants
    )


def named_runs(incident: Incident) -> list[tuple[uuid.UUID, uuid.UUID]]:
    """The runs that it was declared with, then the samples of its alerts: organisation and run. What is no id is left out."""
    joined = IncidentAlert.objects.filter(
        tenant_id=incident.tenant_id, incident=incident, removed_at__isnull=True
    ).order_by("at", "id")
    alerts = Alert.objects.filter(tenant_id=incident.tenant_id, id__in=[one.alert_id for one in joined])
    said: list[Any] = [*incident.runs]
    for alert in alerts.order_by("opened_at", "id"):
        said += alert.sample_runs
    return list(dict.fromkeys(run for one in said if (run := _named(one)) is not None))


def _named(said: Any) -> tuple[uuid.UUID, uuid.UUID] | None:
    try:
        return uuid.UUID(str(said["tenant"])), uuid.UUID(str(said["run"]))
    except (KeyError, TypeError, ValueError):
        return None


def manifest_of(snapshot: Snapshot) -> Manifest:
    """From the rows as they are now."""
    where = Q(tenant_id=snapshot.tenant_id, snapshot=snapshot)
    planned = SnapshotRun.objects.filter(where).values_list("about_tenant", "run_id", "is_missing")
    runs: list[tuple[uuid.UUID, uuid.UUID]] = []
    missing: list[tuple[uuid.UUID, uuid.UUID]] = []
    for about, run, is_missing in planned:
        (missing if is_missing else runs).append((about, run))
    items = [
        Item(about=about, kind=kind, source=source, sha256=sha256, size=size)
        for about, kind, source, sha256, size in Evidence.objects.filter(where).values_list(
            "about_tenant", "kind", "source", "sha256", "size"
        )
    ]
    return Manifest(incident=snapshot.incident.ref, snapshot=snapshot.number, runs=runs, missing=missing, items=items)


def snapshot(*, tenant: uuid.UUID, snapshot_id: uuid.UUID) -> Snapshot | None:
    return Snapshot.objects.select_related("incident").filter(tenant_id=tenant, id=snapshot_id).first()


def snapshots_due(*, tenant: uuid.UUID) -> list[uuid.UUID]:
    """Those that are not taken yet, and those of which an organisation's log does not say so yet; the oldest first."""
    rows = Snapshot.objects.filter(tenant_id=tenant).filter(
        Q(state=SnapshotState.PLANNED) | Q(state=SnapshotState.COMPLETE, told_at__isnull=True)
    )
    return list(rows.order_by("planned_at", "id").values_list("id", flat=True)[:_PENDING_MOST])


def waiting_runs(found: Snapshot, *, most: int) -> tuple[uuid.UUID, list[uuid.UUID]] | None:
    """The next runs of one organisation that are not kept yet."""
    rows = SnapshotRun.objects.filter(tenant_id=found.tenant_id, snapshot=found, captured_at__isnull=True)
    first = rows.order_by("about_tenant", "id").values_list("about_tenant", flat=True).first()
    if first is None:
        return None
    runs = rows.filter(about_tenant=first).order_by("id").values_list("run_id", flat=True)[:most]
    return first, list(runs)


def organisations(found: Snapshot) -> list[uuid.UUID]:
    """Whose runs are of the plan."""
    rows = SnapshotRun.objects.filter(tenant_id=found.tenant_id, snapshot=found)
    return list(rows.order_by("about_tenant").values_list("about_tenant", flat=True).distinct())


def own_documents(incident: Incident) -> list[Document]:
    """What our own rows say: the alerts with their figures, and the rules that held."""
    alert_ids = IncidentAlert.objects.filter(tenant_id=incident.tenant_id, incident=incident).values("alert_id")
    found = []
    for alert in Alert.objects.filter(tenant_id=incident.tenant_id, id__in=alert_ids).order_by("id"):
        writer = Writer(EvidenceKind.METRIC, f"alert:{alert.id}", alert.summary[:200])
        writer.write(_as_json(alert))
        for occurrence in alert.occurrences.order_by("at", "id")[:1000]:
            writer.write(_as_json(occurrence))
        found.append(writer.close())
    rules = Writer(EvidenceKind.CONFIG, "alert-rules", "rules of alerts")
    for rule in AlertRule.objects.filter(tenant_id=incident.tenant_id).order_by("alert_class", "id"):
        rules.write(_as_json(rule))
    return [*found, rules.close()]


def _as_json(row: Any) -> bytes:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return json.dumps({row._meta.model_name: values}, default=str, sort_keys=True).encode()


# -- what pages show ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Kept:
    """How much of one kind is kept."""

    kind: EvidenceKind
    items: int
    size: int


def snapshots(incident: Incident) -> list[Snapshot]:
    """With `planned` and `captured`: how many runs are to be kept, and how many are."""
    rows = Snapshot.objects.filter(tenant_id=incident.tenant_id, incident=incident)
    counted = rows.annotate(planned=Count("plan"), captured=Count("plan", filter=Q(plan__captured_at__isnull=False)))
    return list(counted.order_by("-number"))


def kept_by_kind(incident: Incident) -> list[Kept]:
    rows = Evidence.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id)
    found = rows.values("kind").annotate(items=Count("id"), bytes=Sum("size"))
    by_kind = {row["kind"]: Kept(EvidenceKind(row["kind"]), row["items"], row["bytes"]) for row in found}
    return [by_kind[kind] for kind in EvidenceKind if kind in by_kind]


def items(incident: Incident, *, kind: str, after: str, most: int) -> tuple[list[Evidence], str]:
    """A page of items in the order of their source, without bytes; and where the next begins."""
    rows = Evidence.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id).defer("body")
    if kind:
        rows = rows.filter(kind=kind)
    if after:
        rows = rows.filter(id__gt=after)
    found = list(rows.select_related("snapshot").order_by("id")[: most + 1])
    return found[:most], str(found[most - 1].id) if len(found) > most else ""


def item(incident: Incident, *, evidence: uuid.UUID) -> Evidence:
    """Raises NotFound."""
    found = Evidence.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id, id=evidence).first()
    if found is None:
        raise NotFound("There is no such item of evidence.")
    return found


def hold_of(incident: Incident) -> LegalHold | None:
    """The newest: the open one, if there is one."""
    rows = LegalHold.objects.filter(tenant_id=incident.tenant_id, incident=incident)
    return rows.order_by(F("released_at").desc(nulls_first=True), "-held_at").first()


def was_let_go(found: Snapshot) -> bool:
    """Did somebody let go what was kept by then? A snapshot that is taken later has a hold of its own."""
    holds = LegalHold.objects.filter(tenant_id=found.tenant_id, incident=found.incident_id)
    return holds.filter(released_at__gte=found.completed_at).exists()


def content(found: Evidence) -> bytes | None:
    """The bytes as they were; None after they were let go."""
    return None if found.body is None else zlib.decompress(bytes(found.body))


def all_items(found: Snapshot) -> Iterator[Evidence]:
    """Every item with its bytes, one after the other."""
    rows = Evidence.objects.filter(tenant_id=found.tenant_id, snapshot=found).order_by("id")
    yield from rows.iterator(chunk_size=20)


def released_items(found: Snapshot) -> int:
    """How many have no bytes any more: their hold was let go."""
    return Evidence.objects.filter(tenant_id=found.tenant_id, snapshot=found, body__isnull=True).count()


def damaged(found: Snapshot) -> list[str]:
    """Items whose bytes are not what their digest says. What was let go has none, and is not looked at."""
    wrong = []
    for one in all_items(found):
        try:
            text = content(one)
        except zlib.error:
            text = b""
        if text is not None and (hashlib.sha256(text).hexdigest() != one.sha256 or len(text) != one.size):
            wrong.append(f"{one.kind} {one.source}")
    return wrong


def sizes(rows: Iterable[Kept]) -> tuple[int, int]:
    counted = list(rows)
    return sum(row.items for row in counted), sum(row.size for row in counted)
