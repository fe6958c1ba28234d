"""Reads of stored answers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, F, Max, Sum

from agentops.runtime.models import StoredAnswer

NEWEST = 50


@dataclass(frozen=True, slots=True)
class AgentAnswers:
    """What is stored of one agent's answers, and what serving them has saved (of those that are still stored)."""

    agent: str
    answers: int
    served: int
    saved_nano_usd: int
    newest_at: datetime


def answers_by_agent(*, tenant: uuid.UUID, at: datetime) -> list[AgentAnswers]:
    """Agents with answers that serve, by name."""
    rows = (
        StoredAnswer.objects.filter(tenant_id=tenant, expires_at__gt=at)
        .values("agent")
        .annotate(
            answers=Count("digest"),
            times=Sum("served"),
            saved=Sum(F("served") * F("cost_nano_usd")),
            newest=Max("stored_at"),
        )
        .order_by("agent")
    )
    return [AgentAnswers(row["agent"], row["answers"], row["times"], int(row["saved"]), row["newest"]) for row in rows]


def newest_answers(*, tenant: uuid.UUID, at: datetime) -> list[StoredAnswer]:
    """The newest that serve; without what they say, which is the user's."""
    found = StoredAnswer.objects.filter(tenant_id=tenant, expires_at__gt=at).defer("output")
    return list(found.order_by("-stored_at", "digest")[:NEWEST])
