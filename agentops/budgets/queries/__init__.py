"""Reads of money: usage, prices, budgets and what is held in them."""

from agentops.budgets.queries.budgets import budget_state, budget_states, due_holds, guarded_calls_of, is_throttled
from agentops.budgets.queries.calendar import calendar, period_around
from agentops.budgets.queries.calls import charged_calls, next_calls, saved_by_spans
from agentops.budgets.queries.due import spending_in_slices, stale_days, tenants_with_new_counters
from agentops.budgets.queries.plans import behind_plan, tenants_behind_plan
from agentops.budgets.queries.prices import (
    History,
    discount,
    discount_histories,
    overrides,
    price_histories,
    price_override,
)
from agentops.budgets.queries.repricings import came_to, open_repricings, repricing, repricings
from agentops.budgets.queries.sums import Only, SumRow, sums, total
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
    "History",
    "Only",
    "Spend",
    "SumRow",
    "UnpricedModel",
    "UsageFilter",
    "UsagePage",
    "UsageRow",
    "behind_plan",
    "budget_state",
    "budget_states",
    "calendar",
    "came_to",
    "charged_calls",
    "discount",
    "discount_histories",
    "due_holds",
    "guarded_calls_of",
    "is_throttled",
    "next_calls",
    "open_repricings",
    "overrides",
    "period_around",
    "price_histories",
    "price_override",
    "repricing",
    "repricings",
    "saved_by_spans",
    "spend",
    "spending_in_slices",
    "stale_days",
    "sums",
    "tenants_behind_plan",
    "tenants_with_new_counters",
    "total",
    "unpriced_models",
    "usage_page",
]
