"""Reads of money: usage, prices, budgets and what is held in them."""

from agentops.budgets.queries.budgets import budget_state, budget_states, due_holds, guarded_calls_of, is_throttled
from agentops.budgets.queries.calendar import calendar, period_around
from agentops.budgets.queries.due import spending_in_slices, stale_days, tenants_with_new_counters
from agentops.budgets.queries.plans import behind_plan, tenants_behind_plan
from agentops.budgets.queries.prices import overrides, price_override, price_overrides
from agentops.budgets.queries.product import OutcomeRow, product_outcomes, product_sums
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
from agentops.budgets.queries.watched import (
    findings,
    planned_week,
    product_findings,
    product_minutes,
    revenue_by_month,
    revenue_lines,
    tenants_with_spend,
    week_plans,
)

__all__ = [
    "Only",
    "OutcomeRow",
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
    "due_holds",
    "findings",
    "guarded_calls_of",
    "is_throttled",
    "overrides",
    "period_around",
    "planned_week",
    "price_override",
    "price_overrides",
    "product_findings",
    "product_minutes",
    "product_outcomes",
    "product_sums",
    "revenue_by_month",
    "revenue_lines",
    "spend",
    "spending_in_slices",
    "stale_days",
    "sums",
    "tenants_behind_plan",
    "tenants_with_new_counters",
    "tenants_with_spend",
    "total",
    "unpriced_models",
    "usage_page",
    "week_plans",
]
