"""Writes of this app: recording what happened, sealing it, saying what of it is complete, keeping and forgetting it."""

from audit.services.delivering import next_checkpoint, remove_checkpoint_delivery, set_checkpoint_delivery
from audit.services.erasing import approve_erasure, ask_erasure, erase, refuse_erasure
from audit.services.exporting import (
    ask_export,
    cancel_export,
    claim_export,
    let_go_export,
    purge_exports,
    remove_export,
    take_export,
    write_export,
)
from audit.services.findings import end_finding, note_finding
from audit.services.heartbeats import beat
from audit.services.holds import lift_hold, set_hold
from audit.services.manifests import write_manifests
from audit.services.recording import NewEntry, record, record_many
from audit.services.retention import prune, set_period, thin_checkpoints
from audit.services.rotation import rotate_key, rotate_keys
from audit.services.sealing import publish_keys, seal, seal_all
from audit.services.streaming import (
    next_batch,
    note_arrived,
    note_given_up,
    note_sent,
    pause_stream,
    remove_stream,
    resume_stream,
    set_stream,
)

__all__ = [
    "NewEntry",
    "approve_erasure",
    "ask_erasure",
    "ask_export",
    "beat",
    "cancel_export",
    "claim_export",
    "end_finding",
    "erase",
    "let_go_export",
    "lift_hold",
    "next_batch",
    "next_checkpoint",
    "note_arrived",
    "note_finding",
    "note_given_up",
    "note_sent",
    "pause_stream",
    "prune",
    "publish_keys",
    "purge_exports",
    "record",
    "record_many",
    "refuse_erasure",
    "remove_checkpoint_delivery",
    "remove_export",
    "remove_stream",
    "resume_stream",
    "rotate_key",
    "rotate_keys",
    "seal",
    "seal_all",
    "set_checkpoint_delivery",
    "set_hold",
    "set_period",
    "set_stream",
    "take_export",
    "thin_checkpoints",
    "write_export",
    "write_manifests",
]
