"""Periodic work of incidents, by part. Celery finds the tasks through this package."""

from incidents.tasks import alerts, dashboard, evidence, learning, lifecycle, oncall, paging

__all__ = ["alerts", "dashboard", "evidence", "learning", "lifecycle", "oncall", "paging"]
