"""Reads of confirmations."""

from agentops.confirmations.queries.asking import asked, held, path_of, pending_like, state_at, waited

__all__ = [
    "asked",
    "held",
    "path_of",
    "pending_like",
    "state_at",
    "waited",
]
