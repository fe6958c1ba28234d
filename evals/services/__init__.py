"""Writes of quality, by area."""

from evals.services.judging import write_facts
from evals.services.signals import Said, Told, give_feedback, match_outcomes, tell_outcome

__all__ = [
    "Said",
    "Told",
    "give_feedback",
    "match_outcomes",
    "tell_outcome",
    "write_facts",
]
