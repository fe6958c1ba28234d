"""Reads of the audit log."""

from audit.queries.checkpoints import checkpoints, last_checkpoint, public_keys
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
    "Certificate",
    "Inclusion",
    "SealingState",
    "StoredTree",
    "certificate",
    "checkpoints",
    "consistency",
    "due_erasures",
    "erasure",
    "erasures",
    "holds",
    "inclusion",
    "is_waiting",
    "kept_days",
    "last_checkpoint",
    "pruned_below",
    "public_keys",
    "sealing_state",
    "tenants_waiting",
    "tenants_with_finding",
    "tenants_without_manifests",
]
