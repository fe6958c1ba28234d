"""Money: the ledger, its roll-ups, budgets and what is held in them, prices, and what is watched."""

from agentops.budgets.models.budget import Budget, Calendar, Counter, Notice
from agentops.budgets.models.hold import Lease, Reservation
from agentops.budgets.models.ledger import LedgerEntry
from agentops.budgets.models.price import Discount, PriceOverride, Repricing
from agentops.budgets.models.product import (
    AgentDay,
    AgentDayDone,
    AgentMonth,
    AgentMonthDone,
    Finding,
    ProductFinding,
    ProductPlan,
    Revenue,
)
from agentops.budgets.models.usage import (
    FoldedDay,
    OutcomeDay,
    OutcomeMonth,
    SpendDay,
    SpendMinute,
    StaleDay,
    UsageDay,
    UsageHour,
)

__all__ = [
    "AgentDay",
    "AgentDayDone",
    "AgentMonth",
    "AgentMonthDone",
    "Budget",
    "Calendar",
    "Counter",
    "Discount",
    "Finding",
    "FoldedDay",
    "Lease",
    "LedgerEntry",
    "Notice",
    "OutcomeDay",
    "OutcomeMonth",
    "PriceOverride",
    "ProductFinding",
    "ProductPlan",
    "Repricing",
    "Reservation",
    "Revenue",
    "SpendDay",
    "SpendMinute",
    "StaleDay",
    "UsageDay",
    "UsageHour",
]
