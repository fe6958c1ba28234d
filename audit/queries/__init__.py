"""Reads of the audit log."""

from audit.queries.checkpoints import checkpoints, last_checkpoint, public_keys
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
    "Inclusion",
    "SealingState",
    "StoredTree",
    "checkpoints",
    "consistency",
    "inclusion",
    "is_waiting",
    "last_checkpoint",
    "public_keys",
    "sealing_state",
    "tenants_waiting",
    "tenants_with_finding",
    "tenants_without_manifests",
]
