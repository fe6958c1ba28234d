"""Writes of this app: taking spans and log records in, finalising runs, retention, dead letters, saved searches."""

from agentops.traces.services.deadletters import discard_dead_letters, replay_dead_letters
from agentops.traces.services.guarded import add_guard_charge
from agentops.traces.services.ingest import Taken, take_logs, take_spans
from agentops.traces.services.lifecycle import apply_retention, finalise_idle_runs, register_end_users
from agentops.traces.services.repricing import reprice_some
from agentops.traces.services.searches import delete_search, save_search, share_search

__all__ = [
    "Taken",
    "add_guard_charge",
    "apply_retention",
    "delete_search",
    "discard_dead_letters",
    "finalise_idle_runs",
    "register_end_users",
    "replay_dead_letters",
    "reprice_some",
    "save_search",
    "share_search",
    "take_logs",
    "take_spans",
]
