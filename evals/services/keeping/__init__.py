"""What quality forgets: what it holds of runs that are not kept any more, and a person who is erased (erasing.py)."""

from evals.services.keeping.retention import forget_gone_runs

__all__ = ["forget_gone_runs"]
