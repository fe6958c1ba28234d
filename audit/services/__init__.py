"""Writes of this app: recording what happened, sealing it, and saying what of it is complete."""

from audit.services.findings import end_finding, note_finding
from audit.services.heartbeats import beat
from audit.services.manifests import write_manifests
from audit.services.recording import NewEntry, record, record_many
from audit.services.rotation import rotate_key, rotate_keys
from audit.services.sealing import publish_keys, seal, seal_all

__all__ = [
    "NewEntry",
    "beat",
    "end_finding",
    "note_finding",
    "publish_keys",
    "record",
    "record_many",
    "rotate_key",
    "rotate_keys",
    "seal",
    "seal_all",
    "write_manifests",
]
