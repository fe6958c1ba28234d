"""Writes of quality, by area."""

# judging
from evals.services.judging import write_facts

__all__ = [
    # judging
    "write_facts",
]
