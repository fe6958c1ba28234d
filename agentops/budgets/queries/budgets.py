"""Reads of budgets and holds."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, tzinfo

from django.db import connection

from agentops.budgets.models import Budget, Reservation
from agentops.budgets.policies import TERMS_COLUMNS, Place, Standing, Terms, bounds, places
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.types import Action, BudgetState, BudgetTerms, GuardedCall, HoldState, Period, Scope
from agentops.common.errors import NotFound

# What is charged and held at each place, in one snapshot. A counter without a base is not asked: the sums are.
_USED = """
SELECT coalesce((
        SELECT c.charged_nano_usd + coalesce((
            SELECT sum(l.spent_nano_usd) FROM budgets_lease l
            WHERE l.tenant_id = %(tenant)s AND c.id = ANY(l.counters)), 0)
        FROM budgets_counter c WHERE c.tenant_id = %(tenant)s AND c.budget_id = w.budget_id AND c.subject = w.subject
            AND c.period_start = w.period_start AND c.is_based
    ), (
        SELECT coalesce(sum(u.amount_nano_usd), 0) FROM budgets_usagehour u
        WHERE u.tenant_id = %(tenant)s AND u.hour >= w.period_start AND u.hour < w.period_end
            AND CASE w.scope WHEN 'user' THEN u.user_id = w.subject WHEN 'agent' THEN u.agent = w.subject ELSE true END
    )) + coalesce((
        SELECT sum(u.hold_nano_usd) FROM budgets_reservation u WHERE u.tenant_id = %(tenant)s AND u.state = 'held'
            AND u.reserved_at >= w.period_start AND u.reserved_at < w.period_end
            AND CASE w.scope WHEN 'user' THEN u.user_id = w.subject WHEN 'agent' THEN u.agent = w.subject ELSE true END), 0)
FROM unnest(%(budgets)s::uuid[], %(scopes)s::text[], %(subjects)s::text[], %(starts)s::timestamptz[],
    %(ends)s::timestamptz[]) WITH ORDINALITY AS w (budget_id, scope, subject, period_start, period_end, place)
ORDER BY w.place
"""


def due_holds(*, tenant: uuid.UUID, most: int) -> list[tuple[uuid.UUID, str]]:
    """Run and call id of holds that nobody settled in time, the oldest first, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, call_id FROM budgets_reservation WHERE tenant_id = %s AND state = 'held' "
            "AND expires_at <= clock_timestamp() ORDER BY expires_at, run_id, call_id LIMIT %s",
            [tenant, most],
        )
        return list(cursor.fetchall())


def is_throttled(*, tenant: uuid.UUID, user: str, agent: str, at: datetime) -> bool:
    """Is a budget of this user, this agent or the organisation, whose action is to throttle, at its limit?"""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {TERMS_COLUMNS} FROM budgets_budget WHERE tenant_id = %s", [tenant])  # noqa: S608
        terms = [Terms.of(row) for row in cursor.fetchall()]
    zone = calendar(tenant=tenant)
    found = [
        one for one in places(terms, user=user, agent=agent, at=at, zone=zone) if one.terms.action is Action.THROTTLE
    ]
    used = _used(tenant, found)
    return any(amount >= place.terms.limit_nano_usd for place, amount in zip(found, used, strict=True))


def budget_states(*, tenant: uuid.UUID, at: datetime, ids: Collection[uuid.UUID] | None = None) -> list[BudgetState]:
    """The tenant's budgets (or some of them) as they stand: the organisation's, then users' and agents', by name and period."""
    found = Budget.objects.filter(tenant_id=tenant)
    return _states(tenant, list(found if ids is None else found.filter(id__in=ids)), at)


def budget_state(*, tenant: uuid.UUID, budget_id: uuid.UUID, at: datetime) -> BudgetState:
    """Raises NotFound."""
    found = _states(tenant, list(Budget.objects.filter(tenant_id=tenant, id=budget_id)), at)
    if not found:
        raise NotFound("There is no such budget.")
    return found[0]


def budget_of(
    *, tenant: uuid.UUID, scope: Scope, scope_id: str = "", period: Period, at: datetime
) -> BudgetState | None:
    """The budget of exactly this scope and period, where there is one."""
    found = Budget.objects.filter(tenant_id=tenant, scope=scope, scope_id=scope_id, period=period)
    return next(iter(_states(tenant, list(found), at)), None)


def standings_of_user(*, tenant: uuid.UUID, user: str, at: datetime) -> list[Standing]:
    """The budgets that hold for one end user, and what is charged and held in each; the shortest period first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {TERMS_COLUMNS} FROM budgets_budget WHERE tenant_id = %s AND scope = 'user' "  # noqa: S608
            "AND scope_id IN ('', %s)",
            [tenant, user],
        )
        terms = [Terms.of(row) for row in cursor.fetchall()]
    found = places(terms, user=user, agent="", at=at, zone=calendar(tenant=tenant))
    found.sort(key=lambda place: list(Period).index(place.terms.period))
    return [Standing(place, used) for place, used in zip(found, _used(tenant, found), strict=True)]


def guarded_calls_of(*, tenant: uuid.UUID, run: uuid.UUID) -> dict[str, GuardedCall]:
    """The reserved calls of a run, by call id."""
    rows = Reservation.objects.filter(tenant_id=tenant, run_id=run)
    return {
        row.call_id: GuardedCall(
            state=HoldState(row.state), hold_nano_usd=row.hold_nano_usd, cost_nano_usd=row.cost_nano_usd
        )
        for row in rows
    }


def _states(tenant: uuid.UUID, budgets: list[Budget], at: datetime) -> list[BudgetState]:
    budgets.sort(
        key=lambda one: (list(Scope).index(Scope(one.scope)), one.scope_id, list(Period).index(Period(one.period)))
    )
    zone = calendar(tenant=tenant)
    own = {one.id: _place(one, at, zone) for one in budgets if one.scope_id or one.scope == Scope.TENANT}
    used = dict(zip(own, _used(tenant, list(own.values())), strict=True))
    found = []
    for one in budgets:
        start, end = bounds(Period(one.period), at, zone)
        terms = BudgetTerms(
            scope=Scope(one.scope),
            scope_id=one.scope_id,
            period=Period(one.period),
            limit_nano_usd=one.limit_nano_usd,
            ceiling_nano_usd=one.ceiling_nano_usd,
            thresholds=tuple(one.thresholds),
            action=Action(one.action),
        )
        found.append(
            BudgetState(
                id=one.id,
                terms=terms,
                set_at=one.set_at,
                set_by=one.set_by,
                is_plan_default=one.is_plan_default,
                period_start=start,
                resets_at=end,
                used_nano_usd=used.get(one.id),
            )
        )
    return found


def _place(one: Budget, at: datetime, zone: tzinfo) -> Place:
    terms = Terms.of(tuple(getattr(one, name) for name in TERMS_COLUMNS.split(", ")))
    return Place(terms, one.scope_id, *bounds(terms.period, at, zone))


def _used(tenant: uuid.UUID, wanted: Sequence[Place]) -> list[int]:
    """What is charged and held at each place, in nano-dollars."""
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            _USED,
            {
                "tenant": tenant,
                "budgets": [place.terms.id for place in wanted],
                "scopes": [place.terms.scope.value for place in wanted],
                "subjects": [place.subject for place in wanted],
                "starts": [place.start for place in wanted],
                "ends": [place.end for place in wanted],
            },
        )
        return [int(row[0]) for row in cursor.fetchall()]
