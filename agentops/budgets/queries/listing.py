"""Budgets as a list, a page at a time: an organisation may give each of thousands of users one of their own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, IntegerField, Value, When

from agentops.budgets.models import Budget
from agentops.budgets.queries.budgets import budget_states
from agentops.budgets.types import BudgetState, Period, Scope


@dataclass(frozen=True, slots=True)
class BudgetPage:
    states: list[BudgetState]
    count: int  # of all that were asked for
    is_any: bool  # is there any budget at all?


def budget_page(
    *, tenant: uuid.UUID, at: datetime, text: str = "", scope: str = "", most: int, skip: int
) -> BudgetPage:
    """The organisation's budgets first, then users' and agents', by name; `text` is a part of the name."""
    every = Budget.objects.filter(tenant_id=tenant)
    found = every.filter(scope=scope) if scope else every
    if text:
        found = found.filter(scope_id__icontains=text)
    ids = list(
        found.annotate(scope_place=_place("scope", Scope.values), period_place=_place("period", Period.values))
        .order_by("scope_place", "scope_id", "period_place")
        .values_list("id", flat=True)[skip : skip + most]
    )
    states = budget_states(tenant=tenant, at=at, ids=ids) if ids else []
    return BudgetPage(states, found.count(), bool(ids) or every.exists())


def _place(name: str, values: list[str]) -> Case:
    return Case(*(When(**{name: value}, then=Value(i)) for i, value in enumerate(values)), output_field=IntegerField())
