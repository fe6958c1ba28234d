"""Writes of alerts, incidents and on-call, by part."""

# lifecycle
from incidents.services.timeline import note

__all__ = [
    # lifecycle
    "note",
]
