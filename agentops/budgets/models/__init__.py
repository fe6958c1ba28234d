"""Money: the ledger, its hourly roll-up, budgets, and what is held in them."""

from agentops.budgets.models.budget import Budget, Counter
from agentops.budgets.models.hold import Lease, Reservation
from agentops.budgets.models.ledger import LedgerEntry
from agentops.budgets.models.price import PriceOverride
from agentops.budgets.models.usage import UsageHour

__all__ = ["Budget", "Counter", "Lease", "LedgerEntry", "PriceOverride", "Reservation", "UsageHour"]
