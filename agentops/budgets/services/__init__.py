"""Writes of money: charges, prices, budgets, and what is held in them."""

from agentops.budgets.services.budgets import remove_budget, set_budget
from agentops.budgets.services.holds import reserve
from agentops.budgets.services.ledger import charge_many
from agentops.budgets.services.prices import MOST_USD, remove_price, set_price
from agentops.budgets.services.retention import forget_old
from agentops.budgets.services.settling import expire_hold, guarded_calls, settle
from agentops.budgets.services.slices import close_lease, close_leases

__all__ = [
    "MOST_USD",
    "charge_many",
    "close_lease",
    "close_leases",
    "expire_hold",
    "forget_old",
    "guarded_calls",
    "remove_budget",
    "remove_price",
    "reserve",
    "set_budget",
    "set_price",
    "settle",
]
