"""Runs, their spans, and what ingest leaves behind."""

from agentops.traces.models.ingest import DeadLetter, IngestMinute, UnmappedKey
from agentops.traces.models.run import Run, RunFacet
from agentops.traces.models.saved_search import SavedSearch, SavedSearchUserPermission
from agentops.traces.models.span import SpanEvent, SpanRow

__all__ = [
    "DeadLetter",
    "IngestMinute",
    "Run",
    "RunFacet",
    "SavedSearch",
    "SavedSearchUserPermission",
    "SpanEvent",
    "SpanRow",
    "UnmappedKey",
]
