"""Budgets that follow the plan. Who sets one of its own has that; who removes it goes back to the plan's."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.budgets.queries.plans import behind_plan
from agentops.budgets.services.budgets import set_budget
from agentops.common import scope
from audit.types import SYSTEM


def apply_plan(*, tenant: uuid.UUID, plan: str, at: datetime) -> int:
    """Set the plan's budgets where the organisation has none of its own; answers how many changed."""
    scope.require_tenant(tenant)
    missing = behind_plan(tenant=tenant, plan=plan)
    for terms in missing:
        set_budget(tenant=tenant, terms=terms, by=SYSTEM, at=at, is_plan_default=True)
    return len(missing)
