"""Writes of judging: facts of finished runs, who judges what, and the judgements."""

from evals.services.judging.facts import BATCH, write_facts

__all__ = ["BATCH", "write_facts"]
