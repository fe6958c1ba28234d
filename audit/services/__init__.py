"""Writes of this app: recording what happened, sealing it, saying what of it is complete, keeping and forgetting it."""

from audit.services.erasing import approve_erasure, ask_erasure, erase, refuse_erasure
from audit.services.findings import end_finding, note_finding
from audit.services.heartbeats import beat
from audit.services.holds import lift_hold, set_hold
from audit.services.manifests import write_manifests
from audit.services.recording import NewEntry, record, record_many
from audit.services.retention import prune, set_period, thin_checkpoints
from audit.services.rotation import rotate_key, rotate_keys
from audit.services.sealing import publish_keys, seal, seal_all

__all__ = [
    "NewEntry",
    "approve_erasure",
    "ask_erasure",
    "beat",
    "end_finding",
    "erase",
    "lift_hold",
    "note_finding",
    "prune",
    "publish_keys",
    "record",
    "record_many",
    "refuse_erasure",
    "rotate_key",
    "rotate_keys",
    "seal",
    "seal_all",
    "set_hold",
    "set_period",
    "thin_checkpoints",
    "write_manifests",
]
