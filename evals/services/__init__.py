"""Writes of quality, by area."""

# sets
from evals.services.sets import archive_set, create_set, put_case, remove_case, replace_cases

__all__ = [
    # sets
    "archive_set",
    "create_set",
    "put_case",
    "remove_case",
    "replace_cases",
]
