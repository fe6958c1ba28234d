"""Writes of quality, by area."""

# signals
from evals.services.signals import Said, Told, give_feedback, match_outcomes, tell_outcome

__all__ = [
    # signals
    "Said",
    "Told",
    "give_feedback",
    "match_outcomes",
    "tell_outcome",
]
