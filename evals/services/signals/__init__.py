"""Feedback, outcomes and signals: writes."""

from evals.services.signals.feedback import Said, give_feedback
from evals.services.signals.outcomes import Told, match_outcomes, tell_outcome

__all__ = ["Said", "Told", "give_feedback", "match_outcomes", "tell_outcome"]
