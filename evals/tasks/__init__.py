"""Periodic work of quality, by part. Celery finds the tasks through this package."""

from evals.tasks import drift, gates, judging, keeping, queue, sets, signals

__all__ = ["drift", "gates", "judging", "keeping", "queue", "sets", "signals"]
