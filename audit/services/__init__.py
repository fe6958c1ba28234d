"""Writes of this app: recording what happened, and sealing it."""

from audit.services.findings import end_finding, note_finding
from audit.services.recording import NewEntry, record, record_many
from audit.services.sealing import publish_keys, seal, seal_all

__all__ = [
    "NewEntry",
    "end_finding",
    "note_finding",
    "publish_keys",
    "record",
    "record_many",
    "seal",
    "seal_all",
]
