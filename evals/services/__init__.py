"""Writes of quality, by area."""

from evals.services.judging import write_facts

# sets
from evals.services.sets import archive_set, create_set, put_case, remove_case, replace_cases
from evals.services.signals import Said, Told, give_feedback, match_outcomes, tell_outcome

__all__ = [
    "Said",
    "Told",
    "archive_set",
    "create_set",
    "give_feedback",
    "match_outcomes",
    "put_case",
    "remove_case",
    "replace_cases",
    "tell_outcome",
    "write_facts",
]
