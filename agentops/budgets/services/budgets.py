"""Setting what may be spent. A change ends every slice, so that the next call of each run meets the new terms."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.budgets.models import Budget, Counter
from agentops.budgets.policies import bounds
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.services import counters, slices
from agentops.budgets.types import Action, BudgetTerms, Period, Scope
from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from agentops.common.money import NANO, usd_text
from audit import services as audit
from audit.types import Actor, Outcome, Target

MOST_NANO_USD = 1_000_000_000 * NANO  # a larger limit is a slip of the keyboard
MOST_THRESHOLDS = 10


def set_budget(
    *, tenant: uuid.UUID, terms: BudgetTerms, by: Actor, at: datetime, is_plan_default: bool = False
) -> Budget:
    """Set a budget; an earlier one of the same scope and period is replaced. What was spent in its period counts.

    A user's or agent's limit may be larger than the organisation's: a call has to fit into both. Raises InvalidInput.
    """
    scope.require_tenant(tenant)
    _check(terms)
    with connection.cursor() as cursor:
        counters.lock_alone(cursor, tenant)
        slices.close_all(cursor, tenant)
    budget, _ = Budget.objects.update_or_create(
        tenant_id=tenant,
        scope=terms.scope,
        scope_id=terms.scope_id,
        period=terms.period,
        defaults={
            "limit_nano_usd": terms.limit_nano_usd,
            "ceiling_nano_usd": terms.ceiling_nano_usd,
            "thresholds": list(terms.thresholds),
            "action": terms.action,
            "set_at": at,
            "set_by": by.id,
            "is_plan_default": is_plan_default,
        },
    )
    _forget_bases(budget)
    make_counters(budget, at)
    data: dict[str, Any] = {
        "limit_usd": usd_text(budget.limit_nano_usd),
        "ceiling_usd": usd_text(budget.ceiling_nano_usd),
        "at_limit": str(budget.action),
        "thresholds": list(budget.thresholds),
    }
    _record(budget, "budget.set", data, by, at)
    return budget


def remove_budget(*, tenant: uuid.UUID, budget_id: uuid.UUID, by: Actor, at: datetime) -> None:
    """Take a budget away. Raises NotFound."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        counters.lock_alone(cursor, tenant)
        slices.close_all(cursor, tenant)
    budget = Budget.objects.filter(tenant_id=tenant, id=budget_id).first()
    if budget is None:
        raise NotFound("There is no such budget.")
    _forget_bases(budget)
    Counter.objects.filter(tenant_id=tenant, budget_id=budget_id).delete()
    _record(budget, "budget.removed", {}, by, at)
    budget.delete()
    left = Budget.objects.filter(tenant_id=tenant, scope=budget.scope, period=budget.period, scope_id="").first()
    if left is not None:  # it holds now for whom the other one held
        make_counters(left, at)


def _forget_bases(budget: Budget) -> None:
    """Let the counters of this scope and period begin anew from the hourly sums.

    A budget with a name takes its subject's charges away from the one for everybody, and gives them back when it goes.
    """
    of_kind = Budget.objects.filter(tenant_id=budget.tenant_id, scope=budget.scope, period=budget.period)
    Counter.objects.filter(tenant_id=budget.tenant_id, budget_id__in=of_kind.values("id")).update(is_based=False)


def make_counters(budget: Budget, at: datetime) -> None:
    """A counter for everybody who has spent in the period: the sweep begins them, and finds thresholds that are crossed."""
    start, end = bounds(Period(budget.period), at, calendar(tenant=budget.tenant_id))
    subject = {Scope.TENANT: "''", Scope.USER: "user_id", Scope.AGENT: "agent"}[Scope(budget.scope)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO budgets_counter (tenant_id, id, budget_id, subject, period_start, period_end, charged_nano_usd, "  # noqa: S608
            "is_based) SELECT %(tenant)s, gen_random_uuid(), %(budget)s, s.subject, %(start)s, %(end)s, 0, false "
            f"FROM (SELECT DISTINCT {subject} AS subject FROM budgets_usagehour WHERE tenant_id = %(tenant)s "
            "AND hour >= %(start)s AND hour < %(end)s) s WHERE (%(of)s = '' OR s.subject = %(of)s) "
            "AND (%(scope)s = 'tenant' OR s.subject <> '' AND (%(of)s <> '' OR NOT EXISTS (SELECT 1 FROM budgets_budget b "
            "WHERE b.tenant_id = %(tenant)s AND b.scope = %(scope)s AND b.period = %(period)s AND b.scope_id = s.subject))) "
            "ON CONFLICT DO NOTHING",
            {
                "tenant": budget.tenant_id,
                "budget": budget.id,
                "start": start,
                "end": end,
                "of": budget.scope_id,
                "scope": str(budget.scope),
                "period": str(budget.period),
            },
        )


def _check(terms: BudgetTerms) -> None:
    problems = []
    if terms.scope is Scope.TENANT and terms.scope_id:
        problems.append(InputProblem("/id", "unexpected", "the organisation's budget has no id"))
    if not 0 <= terms.limit_nano_usd <= MOST_NANO_USD:
        problems.append(InputProblem("/limit_usd", "range", "a limit is from 0 to 1,000,000,000 dollars"))
    elif not terms.limit_nano_usd <= terms.ceiling_nano_usd <= 2 * MOST_NANO_USD:
        problems.append(InputProblem("/ceiling_usd", "range", "the ceiling is not below the limit"))
    elif terms.action is Action.BLOCK and terms.ceiling_nano_usd != terms.limit_nano_usd:
        problems.append(InputProblem("/ceiling_usd", "unexpected", "the ceiling of a budget that blocks is its limit"))
    if len(terms.thresholds) > MOST_THRESHOLDS or any(not 1 <= percent <= 1000 for percent in terms.thresholds):
        detail = f"at most {MOST_THRESHOLDS} whole percentages of the limit, from 1 to 1000"
        problems.append(InputProblem("/thresholds", "range", detail))
    if problems:
        raise InvalidInput(problems[0].detail, problems=tuple(problems))


def _record(budget: Budget, action: str, more: dict[str, Any], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=budget.tenant_id,
        action=action,
        actor=by,
        target=Target(type="budget", id=str(budget.id)),
        outcome=Outcome.SUCCESS,
        data={"scope": str(budget.scope), "of": budget.scope_id, "period": str(budget.period), **more},
        at=at,
    )
