"""Reads of the audit log."""

from audit.queries.entries import LOOK_BACK, Found, Listed, Page, blob_of, find_entries, get_entry
from audit.queries.gathered import (
    Gathered,
    Sort,
    confirmation_of_call,
    gather,
    newer_neighbour,
    of_confirmation,
    older_neighbour,
)

__all__ = [
    "LOOK_BACK",
    "Found",
    "Gathered",
    "Listed",
    "Page",
    "Sort",
    "blob_of",
    "confirmation_of_call",
    "find_entries",
    "gather",
    "get_entry",
    "newer_neighbour",
    "of_confirmation",
    "older_neighbour",
]
