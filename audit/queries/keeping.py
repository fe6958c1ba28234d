"""How long entries are kept, what is held, and which erasures there are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connections

from agentops.common import clock
from agentops.common.errors import NotFound
from audit.models import Entry, Erasure, Head, Hold, Keeping
from audit.queries.proofs import Inclusion, inclusion
from audit.types import Category, ErasureState

OWNER = "owner"
_DUE = "SELECT tenant_id, id FROM audit_erasure WHERE state = 'approved' ORDER BY decided_at, id"


def kept_days(*, tenant: uuid.UUID, most: int) -> int:
    """For how many days a tenant keeps its entries: its own choice, within what its plan keeps."""
    chosen = Keeping.objects.filter(tenant_id=tenant).values_list("days", flat=True).first()
    return min(chosen, most) if chosen else most


def pruned_below(*, tenant: uuid.UUID) -> int:
    """The first leaf whose entry must still be there."""
    return Head.objects.filter(tenant_id=tenant).values_list("pruned_below", flat=True).first() or 0


def knows_run(*, tenant: uuid.UUID, run: uuid.UUID) -> bool:
    """Does the log have an entry of this run?"""
    return Entry.objects.filter(tenant_id=tenant, run_id=run).exists()


@dataclass(frozen=True, slots=True)
class Pruning:
    """One deletion: how many entries recorded before a time went, and how many a hold kept."""

    id: uuid.UUID
    at: datetime
    before: datetime
    entries: int
    kept: int


def prunings(*, tenant: uuid.UUID, most: int = 10) -> list[Pruning]:
    """The newest first."""
    found = Entry.objects.filter(tenant_id=tenant, action="audit.pruned").order_by("-recorded_at", "-id")[:most]
    told = [(entry, entry.told()) for entry in found]
    return [
        Pruning(entry.id, entry.recorded_at, datetime.fromisoformat(data["before"]), data["entries"], data["kept"])
        for entry, data in told
    ]


def oldest_entry_at(*, tenant: uuid.UUID) -> datetime | None:
    """When the oldest entry that is still there was recorded; what the log says of itself does not count."""
    found = Entry.objects.filter(tenant_id=tenant).exclude(category=Category.INTEGRITY).order_by("recorded_at", "id")
    return found.values_list("recorded_at", flat=True).first()


def entries_before(*, tenant: uuid.UUID, before: datetime, most: int) -> int:
    """How many entries were recorded before a time, counted up to `most`."""
    return len(Entry.objects.filter(tenant_id=tenant, recorded_at__lt=before).values_list("id", flat=True)[:most])


def holds(*, tenant: uuid.UUID) -> list[Hold]:
    """Legal holds, those in force first, then the newest."""
    found = Hold.objects.filter(tenant_id=tenant).order_by("-set_at", "-id")
    return sorted(found, key=lambda hold: hold.lifted_at is not None)


def hold(*, tenant: uuid.UUID, hold: uuid.UUID) -> Hold:
    """Raises NotFound."""
    found = Hold.objects.filter(tenant_id=tenant, id=hold).first()
    if found is None:
        raise NotFound("There is no such hold.")
    return found


def erasures(*, tenant: uuid.UUID) -> list[Erasure]:
    """The newest first."""
    return list(Erasure.objects.filter(tenant_id=tenant).order_by("-asked_at", "-id")[:500])


def erasure(*, tenant: uuid.UUID, erasure: uuid.UUID) -> Erasure:
    """Raises NotFound."""
    found = Erasure.objects.filter(tenant_id=tenant, id=erasure).first()
    if found is None:
        raise NotFound("There is no such request.")
    return found


def due_erasures() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """Erasures that were agreed to and are not done, of all tenants: for the owner of the tables."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute(_DUE)
        return [(tenant, erasure) for tenant, erasure in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class Certificate:
    """That a person was erased, provable: the entry that says so, its data, and its place in the signed tree.

    `proof` is None until the entry is sealed, which takes seconds.
    """

    erasure: Erasure
    entry: Entry
    data: dict[str, Any]
    proof: Inclusion | None

    def as_json(self) -> dict[str, Any]:
        """For whoever asked to be forgotten, and for their lawyer."""
        return {
            "erasure": str(self.erasure.id),
            "legal_basis": self.erasure.legal_basis,
            "asked_at": clock.rfc3339(self.erasure.asked_at),
            "asked_by": self.erasure.asked_by_label,
            "agreed_at": clock.rfc3339(self.erasure.decided_at) if self.erasure.decided_at else None,
            "agreed_by": self.erasure.decided_by_label,
            "done_at": clock.rfc3339(self.erasure.done_at) if self.erasure.done_at else None,
            "entries": self.data["entries"],
            "fields": self.data["fields"],
            "digest": self.data["digest"],
            "rows": self.data.get("rows", 0),  # of other tables; entries of before said none
            "kept": self.data.get("kept", []),
            "tables": self.erasure.progress.get("rows", {}),
            "entry": str(self.entry.id),
            "proof": self.proof
            and {
                "leaf_index": self.proof.index,
                "leaf_hash": self.proof.leaf_hash.hex(),
                "path": [one.hex() for one in self.proof.path],
                "checkpoint": self.proof.checkpoint.note,
            },
        }


def certificate(*, tenant: uuid.UUID, erasure: uuid.UUID) -> Certificate:
    """Raises NotFound where the erasure is none, or not done."""
    found = Erasure.objects.filter(tenant_id=tenant, id=erasure, state=ErasureState.DONE).first()
    entry = Entry.objects.filter(tenant_id=tenant, id=found.entry_id).first() if found and found.entry_id else None
    if found is None or entry is None:
        raise NotFound("There is no such erasure, or it is not done.")
    return Certificate(found, entry, entry.told(), inclusion(tenant=tenant, entry_id=entry.id))
