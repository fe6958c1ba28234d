"""Every dialect to the canonical span (STANDARDS, section 4). Pure: no clock, no database, no settings."""

from agentops.traces.normalise.batch import dead_letter, normalise, revive, unmapped_keys
from agentops.traces.normalise.logs import Evaluation, LogEvent, normalise_logs
from agentops.traces.normalise.native import from_native, to_native

__all__ = [
    "Evaluation",
    "LogEvent",
    "dead_letter",
    "from_native",
    "normalise",
    "normalise_logs",
    "revive",
    "to_native",
    "unmapped_keys",
]
