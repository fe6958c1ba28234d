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
from audit.queries.keeping import (
    Certificate,
    certificate,
    due_erasures,
    erasure,
    erasures,
    holds,
    kept_days,
    pruned_below,
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
    "Certificate",
    "Found",
    "Gathered",
    "Inclusion",
    "Listed",
    "Page",
    "SealingState",
    "Sort",
    "StoredTree",
    "blob_of",
    "certificate",
    "checkpoints",
    "confirmation_of_call",
    "consistency",
    "due_erasures",
    "erasure",
    "erasures",
    "find_entries",
    "gather",
    "get_entry",
    "holds",
    "inclusion",
    "is_waiting",
    "kept_days",
    "last_checkpoint",
    "newer_neighbour",
    "of_confirmation",
    "older_neighbour",
    "pruned_below",
    "public_keys",
    "sealing_state",
    "tenants_waiting",
    "tenants_with_finding",
    "tenants_without_manifests",
]
