"""Reads of money: usage, prices, budgets and what is held in them."""

from agentops.budgets.queries.budgets import budget_state, budget_states, due_holds, guarded_calls_of, is_throttled
from agentops.budgets.queries.prices import overrides, price_override, price_overrides
from agentops.budgets.queries.usage import (
    Spend,
    UnpricedModel,
    UsageFilter,
    UsagePage,
    UsageRow,
    spend,
    unpriced_models,
    usage_page,
)

__all__ = [
    "Spend",
    "UnpricedModel",
    "UsageFilter",
    "UsagePage",
    "UsageRow",
    "budget_state",
    "budget_states",
    "due_holds",
    "guarded_calls_of",
    "is_throttled",
    "overrides",
    "price_override",
    "price_overrides",
    "spend",
    "unpriced_models",
    "usage_page",
]
