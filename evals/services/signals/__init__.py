"""Feedback, outcomes and signals: writes."""

from evals.services.signals.feedback import Said, give_feedback
from evals.services.signals.implicit import find_signals, take_confirmations
from evals.services.signals.outcomes import Told, match_outcomes, tell_outcome

__all__ = [
    "Said",
    "Told",
    "find_signals",
    "give_feedback",
    "match_outcomes",
    "take_confirmations",
    "tell_outcome",
]
