"""Writes of money: charges, prices, budgets, and what is held in them."""

from agentops.budgets.services.budgets import remove_budget, set_budget
from agentops.budgets.services.days import adopt_calendar, fold_days
from agentops.budgets.services.holds import reserve
from agentops.budgets.services.ledger import charge_many
from agentops.budgets.services.notices import look_at_slices
from agentops.budgets.services.plans import apply_plan
from agentops.budgets.services.prices import MOST_USD, remove_price, set_price
from agentops.budgets.services.retention import forget_old
from agentops.budgets.services.settling import expire_hold, guarded_calls, settle
from agentops.budgets.services.slices import close_lease, close_leases
from agentops.budgets.services.spend_days import SpentOn, write_spend_day
from agentops.budgets.services.sweeping import begin_counters

__all__ = [
    "MOST_USD",
    "SpentOn",
    "adopt_calendar",
    "apply_plan",
    "begin_counters",
    "charge_many",
    "close_lease",
    "close_leases",
    "expire_hold",
    "fold_days",
    "forget_old",
    "guarded_calls",
    "look_at_slices",
    "remove_budget",
    "remove_price",
    "reserve",
    "set_budget",
    "set_price",
    "settle",
    "write_spend_day",
]
