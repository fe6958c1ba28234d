"""Reads of alerts, incidents and on-call, by part."""

# on-call
from incidents.queries import cadences, calendar_feeds, handovers, oncall, rotas, runbooks

__all__ = [
    # on-call
    "cadences",
    "calendar_feeds",
    "handovers",
    "oncall",
    "rotas",
    "runbooks",
]
