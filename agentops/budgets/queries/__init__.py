"""Reads of money: usage, prices, budgets and what is held in them."""

from agentops.budgets.queries.budgets import (
    budget_of,
    budget_state,
    budget_states,
    due_holds,
    guarded_calls_of,
    is_throttled,
    standings_of_user,
)
from agentops.budgets.queries.calendar import calendar, period_around
from agentops.budgets.queries.calls import charged_calls, next_calls, saved_by_spans
from agentops.budgets.queries.due import spending_in_slices, stale_days, tenants_with_new_counters
from agentops.budgets.queries.listing import BudgetPage, budget_page
from agentops.budgets.queries.notices import NoticePage, notices
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
from agentops.budgets.queries.spending import (
    Near,
    Outlook,
    Ranking,
    ToolRow,
    Tools,
    near_limits,
    outlook,
    ranking,
    tools,
)
from agentops.budgets.queries.sums import Only, SumRow, sums, total
from agentops.budgets.queries.usage import (
    Spend,
    UnpricedModel,
    UsageDayCursor,
    UsageDayPage,
    UsageFilter,
    UsagePage,
    UsageRow,
    spend,
    unpriced_models,
    usage_day_page,
    usage_page,
)
from agentops.budgets.queries.whatif import Hit, WhatIf, only_of, what_if

__all__ = [
    "BudgetPage",
    "History",
    "Hit",
    "Near",
    "NoticePage",
    "Only",
    "Outlook",
    "Ranking",
    "Spend",
    "SumRow",
    "ToolRow",
    "Tools",
    "UnpricedModel",
    "UsageDayCursor",
    "UsageDayPage",
    "UsageFilter",
    "UsagePage",
    "UsageRow",
    "WhatIf",
    "behind_plan",
    "budget_of",
    "budget_page",
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
    "near_limits",
    "next_calls",
    "notices",
    "only_of",
    "open_repricings",
    "outlook",
    "overrides",
    "period_around",
    "price_histories",
    "price_override",
    "ranking",
    "repricing",
    "repricings",
    "saved_by_spans",
    "spend",
    "spending_in_slices",
    "stale_days",
    "standings_of_user",
    "sums",
    "tenants_behind_plan",
    "tenants_with_new_counters",
    "tools",
    "total",
    "unpriced_models",
    "usage_day_page",
    "usage_page",
    "what_if",
]
