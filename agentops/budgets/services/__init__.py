"""Writes of money: charges, prices, budgets, and what is held in them."""

from agentops.budgets.services.agent_days import add_up_agent_days
from agentops.budgets.services.budgets import remove_budget, set_budget
from agentops.budgets.services.days import adopt_calendar, fold_days, look_again
from agentops.budgets.services.discounts import end_discount, remove_discount, set_discount
from agentops.budgets.services.findings import end_finding, end_product_finding, note_finding, note_product_finding
from agentops.budgets.services.holds import reserve
from agentops.budgets.services.ledger import charge_many
from agentops.budgets.services.minutes import LOOK_BACK, add_up_minutes, watch_minutes, watch_product_minutes
from agentops.budgets.services.notices import look_at_slices
from agentops.budgets.services.plans import apply_plan
from agentops.budgets.services.prices import MOST_USD, end_price, remove_price, set_price
from agentops.budgets.services.product import set_week_plan, watch_product_days
from agentops.budgets.services.renaming import renamed
from agentops.budgets.services.repricing import (
    BEGINS_AFTER,
    advance_repricing,
    claim_repricing,
    plan_repricing,
    stop_repricing,
)
from agentops.budgets.services.retention import forget_old
from agentops.budgets.services.revenue import book_revenue
from agentops.budgets.services.settling import expire_hold, guarded_calls, settle
from agentops.budgets.services.slices import close_lease, close_leases
from agentops.budgets.services.spend_days import clear_stale, write_spend_day
from agentops.budgets.services.sweeping import begin_counters
from agentops.budgets.services.tiers import watch_tier

__all__ = [
    "BEGINS_AFTER",
    "LOOK_BACK",
    "MOST_USD",
    "add_up_agent_days",
    "add_up_minutes",
    "adopt_calendar",
    "advance_repricing",
    "apply_plan",
    "begin_counters",
    "book_revenue",
    "charge_many",
    "claim_repricing",
    "clear_stale",
    "close_lease",
    "close_leases",
    "end_discount",
    "end_finding",
    "end_price",
    "end_product_finding",
    "expire_hold",
    "fold_days",
    "forget_old",
    "guarded_calls",
    "look_again",
    "look_at_slices",
    "note_finding",
    "note_product_finding",
    "plan_repricing",
    "remove_budget",
    "remove_discount",
    "remove_price",
    "renamed",
    "reserve",
    "set_budget",
    "set_discount",
    "set_price",
    "set_week_plan",
    "settle",
    "stop_repricing",
    "watch_minutes",
    "watch_product_days",
    "watch_product_minutes",
    "watch_tier",
    "write_spend_day",
]
