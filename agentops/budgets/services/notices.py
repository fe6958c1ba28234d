"""Thresholds of budgets: each is crossed once in a period for each limit, in order, whoever comes first.

A counter knows the spend at which its next threshold lies. Whoever charges a counter looks when that is reached, under
the counter's lock; what is spent inside open slices is looked at every few seconds (`look_at_slices`), and a budget that
a call did not fit into is at its limit then. Incidents reads the rows.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets import policies
from agentops.budgets.policies import Standing
from agentops.budgets.types import Because, Period, Scope
from agentops.common import clock, scope
from agentops.common.ids import new_id
from agentops.common.money import usd_text
from agentops.outbox import services as outbox
from audit import services as audit
from audit.types import SYSTEM, Outcome, Target
from tenants import access
from tenants import queries as tenants
from tenants.roles import Permission

TEMPLATE = "budgets/mail/notice.txt"
TOLD_MOST = 20
_AT_LIMIT = 100  # percent
_FACTS = """
SELECT c.id, b.id, b.scope, c.subject, b.period, c.period_start, c.period_end, b.limit_nano_usd, b.thresholds,
    c.charged_nano_usd + coalesce((SELECT sum(l.spent_nano_usd) FROM budgets_lease l
        WHERE l.tenant_id = c.tenant_id AND c.id = ANY(l.counters)), 0)::int8,
    c.next_notice_nano_usd
FROM budgets_counter c JOIN budgets_budget b ON b.tenant_id = c.tenant_id AND b.id = c.budget_id
WHERE c.tenant_id = %s AND c.id = ANY(%s) ORDER BY c.id
"""
_FIRED = """
SELECT c.id, array_agg(n.percent) FROM budgets_counter c JOIN budgets_notice n ON n.tenant_id = c.tenant_id
    AND n.budget_id = c.budget_id AND n.subject = c.subject AND n.period_start = c.period_start
WHERE c.tenant_id = %s AND c.id = ANY(%s) GROUP BY c.id
"""
_NEXT = """
UPDATE budgets_counter c SET next_notice_nano_usd = n.amount FROM unnest(%s::uuid[], %s::int8[]) AS n (id, amount)
WHERE c.tenant_id = %s AND c.id = n.id
"""
_INSERT = """
INSERT INTO budgets_notice (tenant_id, id, budget_id, scope, subject, period, period_start, period_end, percent,
    limit_nano_usd, used_nano_usd, because, crossed_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, budget_id, subject, period_start, limit_nano_usd, percent) DO NOTHING RETURNING id
"""
_LOCK = """
SELECT id FROM budgets_counter WHERE tenant_id = %s AND id = ANY(%s)
ORDER BY budget_id, subject COLLATE "C", period_start FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class _Facts:
    """A counter with its budget."""

    counter: uuid.UUID
    budget: uuid.UUID
    scope: Scope
    subject: str
    period: Period
    start: datetime
    end: datetime
    limit: int
    thresholds: tuple[int, ...]
    used: int
    next_notice: int | None


def look(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    counters: Sequence[uuid.UUID],
    *,
    because: Because = Because.SPENT,
) -> int:
    """Note down which thresholds these counters have crossed; they are locked. Answers how many are new.

    `CHANGED`: the counter was begun anew, so what its period has seen is compared with every threshold; one that was
    crossed before in the period, under whatever limit, is not told again. `REFUSED`: the limit is reached.
    """
    cursor.execute(_FACTS, [tenant, list(counters)])
    found = [_facts(*row) for row in cursor.fetchall()]
    fired: dict[uuid.UUID, list[int]] = {}
    if because is Because.CHANGED:
        cursor.execute(_FIRED, [tenant, list(counters)])
        fired = dict(cursor.fetchall())
    crossed: list[tuple[_Facts, int]] = []
    following: dict[uuid.UUID, int | None] = {}
    for facts in found:
        new, then = _crossed(facts, because, fired.get(facts.counter, ()))
        crossed += [(facts, percent) for percent in new]
        if then != facts.next_notice:
            following[facts.counter] = then
    if following:
        cursor.execute(_NEXT, [list(following), list(following.values()), tenant])
    return sum(_note(cursor, tenant, facts, percent, because) for facts, percent in crossed)


def refused(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    standings: Sequence[Standing],
    counters: Sequence[uuid.UUID],
    *,
    hold: int,
    is_ceiling: bool,
) -> None:
    """A call did not fit: the budgets that it did not fit into are at their limit, unless the call was just too large."""
    full = [
        counter
        for standing, counter in zip(standings, counters, strict=True)
        if standing.used_nano_usd + hold > _upto(standing, is_ceiling=is_ceiling) and policies.is_full(standing)
    ]
    if full:
        look(cursor, tenant, full, because=Because.REFUSED)


def look_at_slices(*, tenant: uuid.UUID, counters: Sequence[uuid.UUID]) -> int:
    """Note down what these counters have crossed, in the caller's transaction; answers how many thresholds."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_LOCK, [tenant, list(counters)])
        return look(cursor, tenant, counters)


def _facts(
    counter: uuid.UUID,
    budget: uuid.UUID,
    of: str,
    subject: str,
    period: str,
    start: datetime,
    end: datetime,
    limit: int,
    thresholds: list[int],
    used: int,
    following: int | None,
) -> _Facts:
    """From a row of _FACTS."""
    return _Facts(
        counter,
        budget,
        Scope(of),
        subject,
        Period(period),
        start,
        end,
        limit,
        tuple(sorted(thresholds)),
        used,
        following,
    )


def _upto(standing: Standing, *, is_ceiling: bool) -> int:
    terms = standing.place.terms
    return terms.ceiling_nano_usd if is_ceiling else terms.limit_nano_usd


def _crossed(facts: _Facts, because: Because, before: Sequence[int]) -> tuple[list[int], int | None]:
    """The thresholds to tell now, those told `before` in the period left out, and the spend at which the next one lies."""
    reached = policies.crossed(facts.thresholds, limit_nano_usd=facts.limit, used_nano_usd=facts.used)
    if because is Because.REFUSED:
        reached = [percent for percent in facts.thresholds if percent in reached or percent <= _AT_LIMIT]
    if because is Because.CHANGED:
        new = [percent for percent in reached if percent not in before]
    else:
        from_here = facts.next_notice
        new = [
            percent
            for percent in reached
            if from_here is not None and policies.amount_at(percent, facts.limit) >= from_here
        ]
    beyond = max(reached, default=0)
    return new, policies.next_notice(facts.thresholds, limit_nano_usd=facts.limit, beyond_percent=beyond)


def _note(cursor: CursorWrapper, tenant: uuid.UUID, facts: _Facts, percent: int, because: Because) -> bool:
    at, notice = clock.now(), new_id()
    values = (facts.budget, facts.scope, facts.subject, facts.period, facts.start, facts.end, percent, facts.limit)
    cursor.execute(_INSERT, [tenant, notice, *values, facts.used, because, at])
    if cursor.fetchone() is None:
        return False
    audit.record(
        tenant=tenant,
        action="budget.threshold_crossed",
        actor=SYSTEM,
        target=Target(type="budget", id=str(facts.budget)),
        outcome=Outcome.SUCCESS,
        data={
            "scope": facts.scope.value,
            "of": facts.subject,
            "period": facts.period.value,
            "percent": percent,
            "limit_usd": usd_text(facts.limit),
            "used_usd": usd_text(facts.used),
            "because": because.value,
        },
        at=at,
    )
    _tell(tenant, facts, percent, because, notice)
    return True


def _tell(tenant: uuid.UUID, facts: _Facts, percent: int, because: Because, notice: uuid.UUID) -> None:
    """Mail those who may change the budget, and the person whose own it is.

    Of each single user's budget, admins are told only when it is used up: of a thousand users, some are always at half.
    """
    ids: list[int] = []
    if facts.scope is not Scope.USER or percent >= _AT_LIMIT:
        ids += sorted(tenants.members_able_to(tenant, Permission.BUDGETS_MANAGE))[:TOLD_MOST]
    own = tenants.account_of(tenant, facts.subject) if facts.scope is Scope.USER else None
    if own is not None and own not in ids:
        ids.append(own)
    people = access.members_by_id(tenant, ids)
    if not people:
        return
    organisation = tenants.tenants_by_id([tenant])[tenant]
    for user in people.values():
        page = "usage" if user.pk == own and not _sees_budgets(tenant, user.pk) else "budgets"
        outbox.send(
            tenant=tenant,
            channel="mail",
            destination=user.email,
            template=TEMPLATE,
            context={
                "organisation": organisation.name,
                "owner": _owner(facts, is_own=user.pk == own),
                "period": facts.period.value,
                "percent": percent,
                "limit": usd_text(facts.limit),
                "used": usd_text(facts.used),
                "is_refused": because is Because.REFUSED,
                "until": f"{facts.end:%d %B %Y, %H:%M} UTC",
                "link": f"{settings.PUBLIC_URL}/t/{organisation.slug}/{page}/",
            },
            dedup_key=f"budget:{notice}:{user.pk}",
            useless_at=facts.end,
        )


def _sees_budgets(tenant: uuid.UUID, user_id: int) -> bool:
    """May this member see the budgets of the organisation?"""
    return user_id in tenants.members_able_to(tenant, Permission.BUDGETS_READ)


def _owner(facts: _Facts, *, is_own: bool) -> str:
    if facts.scope is Scope.TENANT:
        return "The organisation"
    if is_own:
        return "You"
    return f"The {'user' if facts.scope is Scope.USER else 'agent'} {facts.subject}"
