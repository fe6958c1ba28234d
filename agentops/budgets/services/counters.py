"""The counters of budgets: which a call stands under, in which order they are locked, what is charged to them.

**Order of locks**, so that nobody waits in a circle: a guarded run's money (advisory) · runs and spans (traces) · the
run's slice (advisory) · the tenant's budgets (advisory; shared to charge, exclusive to change one) · reservation ·
counters by (budget, subject, period) · leases by id · hourly sums. A call that fits into its run's slice takes the lease
alone, and waits for nothing above it afterwards.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.db.backends.utils import CursorWrapper

from agentops.budgets.policies import TERMS_COLUMNS, Place, Standing, Terms, next_notice, places
from agentops.budgets.queries.calendar import ZONE_OF, zone_called
from agentops.budgets.services import notices
from agentops.budgets.types import Because, Charge, Scope

# A statement of its own, before the one that reads: a snapshot taken together with the lock would be of before it.
SHARE = "SELECT pg_advisory_xact_lock_shared(hashtextextended(%(budgets_of)s, 8))"
_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 8))"
_TERMS = f"""
SELECT {ZONE_OF.format(tenant="%(tenant)s")}, {TERMS_COLUMNS}
FROM (VALUES (1)) AS one LEFT JOIN budgets_budget ON tenant_id = %(tenant)s
"""  # noqa: S608  our own names
_WANTED = """
unnest(%(budgets)s::uuid[], %(subjects)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
AS w (budget_id, subject, period_start, period_end)
"""
# Locks what exists and makes what does not, in one pass in the order of locks; changes nothing (WHERE false).
_LOCK = f"""
INSERT INTO budgets_counter AS c (tenant_id, id, budget_id, subject, period_start, period_end, charged_nano_usd, is_based)
SELECT %(tenant)s, gen_random_uuid(), w.budget_id, w.subject, w.period_start, w.period_end, 0, false
FROM (
    SELECT w.* FROM {_WANTED}
    UNION SELECT o.budget_id, o.subject, o.period_start, o.period_end FROM budgets_counter o
    WHERE o.tenant_id = %(tenant)s AND o.id = ANY(%(also)s::uuid[])
) w ORDER BY w.budget_id, w.subject COLLATE "C", w.period_start
ON CONFLICT (tenant_id, budget_id, subject, period_start) DO UPDATE SET charged_nano_usd = c.charged_nano_usd WHERE false
"""  # noqa: S608
_READ = f"""
SELECT c.budget_id, c.subject, c.period_start, c.id, c.is_based, c.charged_nano_usd + coalesce((
    SELECT sum(CASE WHEN l.id = %(own)s THEN l.held_nano_usd + l.spent_nano_usd ELSE l.amount_nano_usd END)
    FROM budgets_lease l WHERE l.tenant_id = c.tenant_id AND c.id = ANY(l.counters)), 0)::int8
FROM {_WANTED} JOIN budgets_counter c ON c.tenant_id = %(tenant)s AND c.budget_id = w.budget_id
    AND c.subject = w.subject AND c.period_start = w.period_start
"""  # noqa: S608
_BEGUN = """
unnest(%(ids)s::uuid[], %(subjects)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
AS w (id, subject, period_start, period_end)
"""
_BASE = f"""
UPDATE budgets_counter c SET is_based = true, charged_nano_usd = (
    SELECT coalesce(sum(u.amount_nano_usd), 0) FROM budgets_usagehour u
    WHERE u.tenant_id = %(tenant)s AND u.hour >= w.period_start AND u.hour < w.period_end AND {{of}})
FROM {_BEGUN} WHERE c.tenant_id = %(tenant)s AND c.id = w.id
"""  # noqa: S608
# Calls that were held before the budget was set stand in slices that ended then: they are held in it, too.
_TAKE_OVER = f"""
UPDATE budgets_lease l SET counters = l.counters || n.ids FROM (
    SELECT held.id, array_agg(held.counter ORDER BY held.counter) AS ids FROM (
        SELECT u.id, w.id AS counter FROM budgets_lease u JOIN {_BEGUN}
            ON u.valid_from >= w.period_start AND u.valid_from < w.period_end AND NOT w.id = ANY(u.counters) AND {{of}}
        WHERE u.tenant_id = %(tenant)s AND NOT u.is_open ORDER BY u.id FOR UPDATE OF u) held
    GROUP BY held.id) n
WHERE l.tenant_id = %(tenant)s AND l.id = n.id
"""  # noqa: S608
_OF = {Scope.TENANT: "true", Scope.USER: "u.user_id = w.subject", Scope.AGENT: "u.agent = w.subject"}
# A user who has not been seen in the period, whom no notice and no ended slice names, begins with what is charged now:
# nothing has to be looked up. Of a row that somebody else made meanwhile, that is not used.
_CHARGE = """
INSERT INTO budgets_counter AS c (tenant_id, id, budget_id, subject, period_start, period_end, charged_nano_usd, is_based,
    next_notice_nano_usd)
SELECT %(tenant)s, gen_random_uuid(), w.budget_id, w.subject, w.period_start, w.period_end, w.amount, w.is_user
    AND NOT EXISTS (SELECT 1 FROM budgets_usagehour u WHERE u.tenant_id = %(tenant)s AND u.user_id = w.subject
        AND u.hour >= w.period_start AND u.hour < w.period_end)
    AND NOT EXISTS (SELECT 1 FROM budgets_notice o WHERE o.tenant_id = %(tenant)s AND o.budget_id = w.budget_id
        AND o.subject = w.subject AND o.period_start = w.period_start)
    AND w.subject NOT IN (SELECT l.user_id FROM budgets_lease l WHERE l.tenant_id = %(tenant)s AND NOT l.is_open),
    w.first_notice
FROM unnest(%(budgets)s::uuid[], %(subjects)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[],
    %(amounts)s::int8[], %(are_users)s::bool[], %(first_notices)s::int8[])
    AS w (budget_id, subject, period_start, period_end, amount, is_user, first_notice)
ORDER BY w.budget_id, w.subject COLLATE "C", w.period_start
ON CONFLICT (tenant_id, budget_id, subject, period_start)
DO UPDATE SET charged_nano_usd = c.charged_nano_usd + excluded.charged_nano_usd
RETURNING c.id, c.budget_id, c.subject, c.period_start, c.is_based,
    coalesce(c.charged_nano_usd >= c.next_notice_nano_usd, false)
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """A tenant's budgets, and the clock by which their periods begin."""

    terms: list[Terms]
    zone: tzinfo

    def places(self, *, user: str, agent: str, at: datetime) -> list[Place]:
        return places(self.terms, user=user, agent=agent, at=at, zone=self.zone)

    def place(self, budget: uuid.UUID, subject: str, at: datetime) -> Place | None:
        """Where a budget counts a subject now; None where it is no more, or another one stands instead."""
        of = next((terms.scope for terms in self.terms if terms.id == budget), None)
        user, agent = subject if of is Scope.USER else "", subject if of is Scope.AGENT else ""
        found = (place for place in self.places(user=user, agent=agent, at=at) if place.terms.id == budget)
        return next(found, None) if of else None


@dataclass(frozen=True, slots=True)
class Read:
    """Counters as they stand under their locks."""

    ids: list[uuid.UUID]
    standings: list[Standing]


def kept_by(cursor: CursorWrapper, tenant: uuid.UUID) -> Kept:
    """The tenant's budgets and clock, which nobody changes until the transaction ends."""
    cursor.execute(f"{SHARE}; {_TERMS}", {"budgets_of": share_key(tenant), "tenant": tenant})
    cursor.nextset()
    rows = cursor.fetchall()
    return Kept([Terms.of(row[1:]) for row in rows if row[1] is not None], zone_called(rows[0][0]))


def share_key(tenant: uuid.UUID) -> str:
    """The text whose hash (seed 8) is the advisory lock of a tenant's budgets."""
    return f"budgets:{tenant}"


def lock_alone(cursor: CursorWrapper, tenant: uuid.UUID) -> None:
    """Let nobody charge, take slices or change budgets of the tenant until the transaction ends."""
    cursor.execute(_ALONE, [share_key(tenant)])


def lock(cursor: CursorWrapper, tenant: uuid.UUID, wanted: Sequence[Place], *, also: Sequence[uuid.UUID] = ()) -> None:
    """Lock the counters of these places (new ones are made), and `also` those with these ids."""
    cursor.execute(_LOCK, {**_columns(tenant, wanted), "also": list(also)})


def read(cursor: CursorWrapper, tenant: uuid.UUID, wanted: Sequence[Place], *, own: uuid.UUID | None) -> Read:
    """What is charged and taken at each place; of the slice `own`, only what is held and spent. They are locked."""
    by_key = {place.key: place for place in wanted}
    rows = _read(cursor, tenant, wanted, own)
    new = [
        (by_key[budget, subject, start], counter)
        for budget, subject, start, counter, is_based, _ in rows
        if not is_based
    ]
    if new:
        base(cursor, tenant, new)
        rows = _read(cursor, tenant, wanted, own)
    return Read(
        ids=[row[3] for row in rows],
        standings=[Standing(by_key[row[0], row[1], row[2]], row[5]) for row in rows],
    )


def _read(
    cursor: CursorWrapper, tenant: uuid.UUID, wanted: Sequence[Place], own: uuid.UUID | None
) -> list[tuple[uuid.UUID, str, datetime, uuid.UUID, bool, int]]:
    cursor.execute(_READ, {**_columns(tenant, wanted), "own": own})
    return list(cursor.fetchall())


def base(
    cursor: CursorWrapper, tenant: uuid.UUID, begun: Sequence[tuple[Place, uuid.UUID]], own: Sequence[int] = ()
) -> None:
    """Begin counters with what their periods have seen already, from the hourly sums, and with what is held.

    Exact under their locks: who charges locks the counter before the sums, so whoever is in the sums is through with the
    counter, and whoever is not comes after us. No open slice stands under a counter that has no base. `own` is what the
    caller charges each now and adds to the sums next.
    """
    of_scope: dict[Scope, list[tuple[Place, uuid.UUID]]] = defaultdict(list)
    for place, counter in begun:
        of_scope[place.terms.scope].append((place, counter))
    for scope, theirs in of_scope.items():
        params = {**_columns(tenant, [place for place, _ in theirs]), "ids": [counter for _, counter in theirs]}
        for statement in (_BASE, _TAKE_OVER):
            cursor.execute(statement.format(of=_OF[scope]), params)
    ids = [counter for _, counter in begun]
    notices.look(cursor, tenant, ids, because=Because.CHANGED)
    if own:
        post(cursor, tenant, dict(zip(ids, own, strict=True)))


def charge(cursor: CursorWrapper, tenant: uuid.UUID, charges: Iterable[Charge]) -> tzinfo:
    """Add charges to the counters of their budgets, each in the period in which it occurred; answers the tenant's clock.

    Before they are in the hourly sums, from which a counter that is new begins.
    """
    kept = kept_by(cursor, tenant)
    if not kept.terms:
        return kept.zone
    sums: dict[tuple[uuid.UUID, str, datetime], int] = defaultdict(int)
    by_key: dict[tuple[uuid.UUID, str, datetime], Place] = {}
    seen: dict[tuple[str, str, object], list[Place]] = {}
    for one in charges:
        if not one.amount_nano_usd:
            continue
        whose = (one.user_id, one.agent, one.occurred_at.astimezone(kept.zone).date())
        if whose not in seen:
            seen[whose] = kept.places(user=one.user_id, agent=one.agent, at=one.occurred_at)
            by_key.update((place.key, place) for place in seen[whose])
        for place in seen[whose]:
            sums[place.key] += one.amount_nano_usd
    if sums:
        _add(cursor, tenant, [(place, sums[key]) for key, place in by_key.items()])
    return kept.zone


def _add(cursor: CursorWrapper, tenant: uuid.UUID, sums: Sequence[tuple[Place, int]]) -> None:
    wanted = [place for place, _ in sums]
    cursor.execute(
        _CHARGE,
        {
            **_columns(tenant, wanted),
            "amounts": [amount for _, amount in sums],
            "are_users": [place.terms.scope is Scope.USER for place in wanted],
            "first_notices": [_first_notice(place.terms) for place in wanted],
        },
    )
    by_key = {place.key: (place, amount) for place, amount in sums}
    begun: list[tuple[Place, uuid.UUID]] = []
    own: list[int] = []
    over: list[uuid.UUID] = []
    for counter, budget, subject, start, is_based, is_over in cursor.fetchall():
        if not is_based:
            place, amount = by_key[budget, subject, start]
            begun.append((place, counter))
            own.append(amount)
        elif is_over:
            over.append(counter)
    if begun:
        base(cursor, tenant, begun, own)
    if over:
        notices.look(cursor, tenant, over)


def _first_notice(terms: Terms) -> int | None:
    return next_notice(terms.thresholds, limit_nano_usd=terms.limit_nano_usd, beyond_percent=0)


def post(cursor: CursorWrapper, tenant: uuid.UUID, amounts: dict[uuid.UUID, int]) -> None:
    """Add amounts to counters that are locked already."""
    cursor.execute(
        "UPDATE budgets_counter c SET charged_nano_usd = c.charged_nano_usd + n.amount "
        "FROM unnest(%s::uuid[], %s::int8[]) AS n (id, amount) WHERE c.tenant_id = %s AND c.id = n.id "
        "RETURNING c.id, coalesce(c.charged_nano_usd >= c.next_notice_nano_usd, false)",
        [list(amounts), list(amounts.values()), tenant],
    )
    over = [counter for counter, is_over in cursor.fetchall() if is_over]
    if over:
        notices.look(cursor, tenant, over)


def _columns(tenant: uuid.UUID, wanted: Sequence[Place]) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "budgets": [place.terms.id for place in wanted],
        "subjects": [place.subject for place in wanted],
        "starts": [place.start for place in wanted],
        "ends": [place.end for place in wanted],
    }
