"""Drift: days by cohort are added up, tested and told. What needs numpy (watching) is imported by tasks alone."""

from evals.services.drift.cohort_days import note_sweep, recompute_day, stale_days
from evals.services.drift.seeing import mark_seen

__all__ = ["mark_seen", "note_sweep", "recompute_day", "stale_days"]
