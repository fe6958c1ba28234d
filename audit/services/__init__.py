"""Writes of this app: recording what happened."""

from audit.services.recording import NewEntry, record, record_many

__all__ = ["NewEntry", "record", "record_many"]
