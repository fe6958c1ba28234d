"""Money: the ledger, and its hourly roll-up."""

from agentops.budgets.models.ledger import LedgerEntry
from agentops.budgets.models.price import PriceOverride
from agentops.budgets.models.usage import UsageHour

__all__ = ["LedgerEntry", "PriceOverride", "UsageHour"]
