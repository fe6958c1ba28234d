"""How long entries are kept, what is held, and which erasures there are."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db import connections

from agentops.common import clock
from agentops.common.errors import NotFound
from audit.models import Entry, Erasure, Head, Hold, Keeping
from audit.queries.proofs import Inclusion, inclusion
from audit.types import ErasureState

OWNER = "owner"
_DUE = "SELECT tenant_id, id FROM audit_erasure WHERE state = 'approved' ORDER BY decided_at, id"


def kept_days(*, tenant: uuid.UUID, most: int) -> int:
    """For how many days a tenant keeps its entries: its own choice, within what its plan keeps."""
    chosen = Keeping.objects.filter(tenant_id=tenant).values_list("days", flat=True).first()
    return min(chosen, most) if chosen else most


def pruned_below(*, tenant: uuid.UUID) -> int:
    """The first leaf whose entry must still be there."""
    return Head.objects.filter(tenant_id=tenant).values_list("pruned_below", flat=True).first() or 0


def holds(*, tenant: uuid.UUID) -> list[Hold]:
    """Legal holds, those in force first, then the newest."""
    found = Hold.objects.filter(tenant_id=tenant).order_by("-set_at", "-id")
    return sorted(found, key=lambda hold: hold.lifted_at is not None)


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
