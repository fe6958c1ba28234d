"""Blast radius as people and jobs read it. In our own organisation's scope."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from django.db.models import Count, Q, QuerySet

from incidents.models import BlastItem, BlastScan, Incident
from incidents.types import BlastKind, BlastState


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of one kind stands where."""

    kind: BlastKind
    suspected: int
    confirmed: int
    ruled_out: int


def scan(*, tenant: uuid.UUID, scan_id: uuid.UUID) -> BlastScan | None:
    return BlastScan.objects.select_related("incident").filter(tenant_id=tenant, id=scan_id).first()


def scans_due(*, tenant: uuid.UUID) -> list[uuid.UUID]:
    """Looks that have not ended, the oldest first."""
    rows = BlastScan.objects.filter(tenant_id=tenant, ended_at__isnull=True)
    return list(rows.order_by("began_at", "id").values_list("id", flat=True)[:50])


def scans(incident: Incident, *, most: int = 20) -> list[BlastScan]:
    rows = BlastScan.objects.filter(tenant_id=incident.tenant_id, incident=incident)
    return list(rows.order_by("-began_at", "-id")[:most])


def standing(incident: Incident) -> list[Standing]:
    rows = BlastItem.objects.filter(tenant_id=incident.tenant_id, incident=incident).values("kind")
    counted = rows.annotate(**{state.value: Count("id", filter=Q(state=state)) for state in BlastState})
    by_kind = {row["kind"]: row for row in counted}
    return [
        Standing(kind, row[BlastState.SUSPECTED], row[BlastState.CONFIRMED], row[BlastState.RULED_OUT])
        for kind in BlastKind
        if (row := by_kind.get(kind.value)) is not None
    ]


def items(
    incident: Incident, *, kind: str, state: str, about: uuid.UUID | None, after: tuple[str, str, str] | None, most: int
) -> tuple[list[BlastItem], bool]:
    """A page in the order of the list: what is not decided first, then by kind and name; and is there more?"""
    rows = _items(incident, kind=kind, state=state, about=about)
    if after is not None:
        of_kind, identity, place = after
        rows = rows.filter(
            Q(kind__gt=of_kind)
            | Q(kind=of_kind, identity__gt=identity)
            | Q(kind=of_kind, identity=identity, id__gt=place)
        )
    found = list(rows.order_by("kind", "identity", "id")[: most + 1])
    return found[:most], len(found) > most


def item_ids(incident: Incident, *, kind: str, state: str, about: uuid.UUID | None, most: int) -> list[uuid.UUID]:
    """All that a filter shows, to argue them at once."""
    rows = _items(incident, kind=kind, state=state, about=about)
    return list(rows.order_by("id").values_list("id", flat=True)[:most])


def _items(incident: Incident, *, kind: str, state: str, about: uuid.UUID | None) -> QuerySet[BlastItem]:
    rows = BlastItem.objects.filter(tenant_id=incident.tenant_id, incident=incident)
    if kind:
        rows = rows.filter(kind=kind)
    if state:
        rows = rows.filter(state=state)
    if about is not None:
        rows = rows.filter(about_tenant=about)
    return rows


def place(incident: Incident, *, item: uuid.UUID) -> tuple[str, str, str] | None:
    """Where an item stands in the list: what follows it is the next page."""
    rows = BlastItem.objects.filter(tenant_id=incident.tenant_id, incident=incident, id=item)
    found = rows.values_list("kind", "identity", "id").first()
    return None if found is None else (found[0], found[1], str(found[2]))
