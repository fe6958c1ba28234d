"""Which model serves a call: the cheap one where it does the work, the premium one where it does not."""

from __future__ import annotations

from dataclasses import dataclass

from agentops.catalog.types import Routing
from tenants.roles import Plan

ENOUGH_CALLS = 20  # fewer say nothing about a failure rate


@dataclass(frozen=True, slots=True)
class Choice:
    model: str
    because: str


def choose(*, routing: Routing, task_class: str, plan: str, cheap_calls: int, cheap_failures: int) -> Choice:
    """The model for a task class. The reason is for people, and stands in the decision."""
    if plan == Plan.FREE:
        return Choice(routing.cheap, "the free plan uses the cheap model")
    if task_class in routing.premium_tasks:
        return Choice(routing.premium, f"{task_class} tasks use the premium model")
    if cheap_calls >= ENOUGH_CALLS and cheap_failures > routing.max_failure_rate * cheap_calls:
        return Choice(
            routing.premium,
            f"{cheap_failures} of the last {cheap_calls} calls of the cheap model failed "
            f"(more than {routing.max_failure_rate:.0%})",
        )
    if task_class in routing.cheap_tasks:
        return Choice(routing.cheap, f"{task_class} tasks use the cheap model")
    return Choice(routing.premium, f"nothing says that {task_class or 'unnamed'} tasks may use the cheap model")
