"""Reads of confirmations."""

from agentops.confirmations.queries.aftermath import asks_for_correctness, judged, my_answer
from agentops.confirmations.queries.asking import asked, held, path_of, pending_like, state_at, waited
from agentops.confirmations.queries.holding import holdings
from agentops.confirmations.queries.rules import forget_rules, rule, rules, rules_for
from agentops.confirmations.queries.standing import (
    standable_tool,
    standable_tools,
    standing_approval,
    standing_approvals,
)

__all__ = [
    "asked",
    "asks_for_correctness",
    "forget_rules",
    "held",
    "holdings",
    "judged",
    "my_answer",
    "path_of",
    "pending_like",
    "rule",
    "rules",
    "rules_for",
    "standable_tool",
    "standable_tools",
    "standing_approval",
    "standing_approvals",
    "state_at",
    "waited",
]
