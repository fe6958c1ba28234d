"""What a plan gives an organisation to spend in a month, and each of its users, until it decides itself."""

from __future__ import annotations

from agentops.budgets.policies import ceiling_of
from agentops.budgets.types import Action, BudgetTerms, Period, Scope
from agentops.common.money import NANO

THRESHOLDS = (50, 75, 100)
# Nano-dollars a month. The first is also the plan's tier: who needs more needs another plan.
PLAN_LIMITS: dict[str, dict[Scope, int]] = {
    "free": {Scope.TENANT: 100 * NANO, Scope.USER: 20 * NANO},
    "pro": {Scope.TENANT: 2_000 * NANO, Scope.USER: 200 * NANO},
    "enterprise": {Scope.TENANT: 50_000 * NANO, Scope.USER: 2_000 * NANO},
}


def defaults_of(plan: str) -> list[BudgetTerms]:
    """The budgets that a plan begins with: the organisation's, and each user's. They throttle at their limit."""
    return [
        BudgetTerms(
            scope=scope,
            scope_id="",
            period=Period.MONTH,
            limit_nano_usd=limit,
            ceiling_nano_usd=ceiling_of(limit_nano_usd=limit, action=Action.THROTTLE),
            thresholds=THRESHOLDS,
            action=Action.THROTTLE,
        )
        for scope, limit in PLAN_LIMITS[plan].items()
    ]
