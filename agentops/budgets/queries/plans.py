"""Reads of what plans give, and who is behind theirs."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace

from django.db import models

from agentops.budgets.models import Budget
from agentops.budgets.plans import defaults_of
from agentops.budgets.policies import ceiling_of
from agentops.budgets.types import BudgetTerms, Period, Scope


def behind_plan(*, tenant: uuid.UUID, plan: str) -> list[BudgetTerms]:
    """The budgets of a plan that the organisation has neither set itself nor been given yet."""
    own = {Scope(one.scope): one for one in _monthly().filter(tenant_id=tenant)}
    return _missing(plan, own)


def tenants_behind_plan(plans: Mapping[uuid.UUID, str]) -> list[uuid.UUID]:
    """The organisations whose budgets are not what their plan gives, of those in `plans`. Needs staff's scope."""
    own: dict[uuid.UUID, dict[Scope, Budget]] = {}
    for one in _monthly():
        own.setdefault(one.tenant_id, {})[Scope(one.scope)] = one
    return [tenant for tenant, plan in plans.items() if _missing(plan, own.get(tenant, {}))]


def _missing(plan: str, own: Mapping[Scope, Budget]) -> list[BudgetTerms]:
    wanted = [_inside(terms, own.get(Scope.TENANT)) for terms in defaults_of(plan)]
    return [terms for terms in wanted if _differs(terms, own.get(terms.scope))]


def _inside(terms: BudgetTerms, whole: Budget | None) -> BudgetTerms:
    """A user's default within what the organisation gave itself."""
    if terms.scope is Scope.TENANT or whole is None or whole.is_plan_default:
        return terms
    limit = min(terms.limit_nano_usd, whole.limit_nano_usd)
    return replace(terms, limit_nano_usd=limit, ceiling_nano_usd=ceiling_of(limit_nano_usd=limit, action=terms.action))


def _differs(wanted: BudgetTerms, own: Budget | None) -> bool:
    return own is None or (own.is_plan_default and own.limit_nano_usd != wanted.limit_nano_usd)


def _monthly() -> models.QuerySet[Budget]:
    return Budget.objects.filter(period=Period.MONTH, scope_id="", scope__in=[Scope.TENANT, Scope.USER])
