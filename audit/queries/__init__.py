"""Reads of the audit log."""

from audit.queries.checkpoints import checkpoints, last_checkpoint, public_keys
from audit.queries.entries import LOOK_BACK, Found, Listed, Page, blob_of, find_entries, get_entry
from audit.queries.gathered import (
    Gathered,
    Sort,
    confirmation_of_call,
    gather,
    newer_neighbour,
    of_confirmation,
    older_neighbour,
)
from audit.queries.proofs import Inclusion, StoredTree, consistency, inclusion
from audit.queries.waiting import (
    LAG,
    SealingState,
    is_waiting,
    sealing_state,
    tenants_waiting,
    tenants_with_finding,
    tenants_without_manifests,
)

__all__ = [
    "LAG",
    "LOOK_BACK",
    "Found",
    "Gathered",
    "Inclusion",
    "Listed",
    "Page",
    "SealingState",
    "Sort",
    "StoredTree",
    "blob_of",
    "checkpoints",
    "confirmation_of_call",
    "consistency",
    "find_entries",
    "gather",
    "get_entry",
    "inclusion",
    "is_waiting",
    "last_checkpoint",
    "newer_neighbour",
    "of_confirmation",
    "older_neighbour",
    "public_keys",
    "sealing_state",
    "tenants_waiting",
    "tenants_with_finding",
    "tenants_without_manifests",
]
