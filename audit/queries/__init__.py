"""Reads of the audit log."""

from audit.queries.checkpoints import checkpoints, last_checkpoint, public_keys
from audit.queries.erased import Mentions, erased_lines, mentions
from audit.queries.keeping import (
    Certificate,
    Pruning,
    certificate,
    due_erasures,
    entries_before,
    erasure,
    erasures,
    hold,
    holds,
    kept_days,
    knows_run,
    oldest_entry_at,
    pruned_below,
    prunings,
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
    "Certificate",
    "Inclusion",
    "Mentions",
    "Pruning",
    "SealingState",
    "StoredTree",
    "certificate",
    "checkpoints",
    "consistency",
    "due_erasures",
    "entries_before",
    "erased_lines",
    "erasure",
    "erasures",
    "hold",
    "holds",
    "inclusion",
    "is_waiting",
    "kept_days",
    "knows_run",
    "last_checkpoint",
    "mentions",
    "oldest_entry_at",
    "pruned_below",
    "prunings",
    "public_keys",
    "sealing_state",
    "tenants_waiting",
    "tenants_with_finding",
    "tenants_without_manifests",
]
