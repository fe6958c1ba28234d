"""Reads of confirmations."""

from agentops.confirmations.queries.asking import asked, held, path_of, pending_like, state_at, waited
from agentops.confirmations.queries.rules import forget_rules, rule, rules, rules_for

__all__ = [
    "asked",
    "forget_rules",
    "held",
    "path_of",
    "pending_like",
    "rule",
    "rules",
    "rules_for",
    "state_at",
    "waited",
]
