"""One thing that a look at a period must open."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from django.db import models


class ItemKind(models.TextChoices):
    """In the order of the page."""

    ABORTED = "aborted", "Aborted runs"
    SAMPLED = "sampled", "Runs drawn by chance"
    COST_SPIKE = "cost_spike", "Cost spikes"
    REGRESSION = "regression", "Versions that failed their gate"
    JUDGE_TREND = "judge_trend", "Judge scores against the week before"
    HANDOVER = "handover", "Hand-overs"
    ACTION = "action", "Overdue action items"
    DRIFT = "drift", "Drift findings"
    SPEND = "spend", "Spend by organisation"
    PRECISION = "precision", "Precision of each detector"
    DRILL = "drill", "Drill of the kill switch"
    TEST_PAGE = "test_page", "Test page"
    OPERATIONS = "operations", "Operations review"
    CAPACITY = "capacity", "Capacity"
    TOOL = "tool", "Tools to keep or to revoke"
    KEY = "key", "Keys to rotate"
    RESTORE = "restore", "Restore and verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """`subject` tells it apart from others of its kind; `url` is a page of ours, which opens it."""

    kind: ItemKind
    subject: str
    label: str
    url: str
    about_tenant: uuid.UUID | None = None
    data: dict[str, Any] = field(default_factory=dict)
