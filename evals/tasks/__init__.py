"""Periodic work of quality, by part. Celery finds the tasks through this package."""

from evals.tasks import drift, judging, queue, sets, signals

__all__ = ["drift", "judging", "queue", "sets", "signals"]
