"""Writes of money: charges, and the prices a tenant sets."""

from agentops.budgets.services.ledger import charge_many
from agentops.budgets.services.prices import MOST_USD, remove_price, set_price

__all__ = ["MOST_USD", "charge_many", "remove_price", "set_price"]
