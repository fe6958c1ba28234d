"""Writes of quality, by area."""

from evals.services.judging import write_facts
from evals.services.queue import ask_review, fill_queue, note_led_to, review, set_sampling
from evals.services.signals import (
    Said,
    Told,
    find_signals,
    give_feedback,
    match_outcomes,
    take_confirmations,
    tell_outcome,
)

__all__ = [
    "Said",
    "Told",
    "ask_review",
    "fill_queue",
    "find_signals",
    "give_feedback",
    "match_outcomes",
    "note_led_to",
    "review",
    "set_sampling",
    "take_confirmations",
    "tell_outcome",
    "write_facts",
]
