"""What becomes of a person in budgets: the pseudonym stands where they did, and every sum stays what it was.

Ledger and hourly sums change together, some hours at a time; days, counters, slices and holds at the end, together. Each is
one snapshot (REPEATABLE READ): what is booked meanwhile makes the slice fail, and it is done again. Until the last one is done, a
person's days and budgets are compared with a ledger that knows them by another name already.
Bookkeeping is about money: that of a run that is held changes its name, too; whose run it was stands in the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.backends.utils import CursorWrapper

from agentops.common.forgetting import Forgotten, Step, Table

_CALLS_AT_ONCE = 5_000
_SUMS = (
    "calls", "unpriced_calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens",
    "amount_nano_usd", "saved_nano_usd", "guarded_nano_usd", "cached_answers",
)  # fmt: skip
_THEIRS = "tenant_id = %(tenant)s AND lower(user_id) = ANY(%(names)s)"
# The hours, oldest first, until they hold enough calls: where they end, and whether there are more.
_HOURS = f"""
SELECT hour, so_far >= {_CALLS_AT_ONCE} FROM (
    SELECT hour, sum(sum(abs(calls))) OVER (ORDER BY hour) AS so_far FROM budgets_usagehour WHERE {_THEIRS} GROUP BY hour
) h ORDER BY so_far < {_CALLS_AT_ONCE}, CASE WHEN so_far >= {_CALLS_AT_ONCE} THEN hour END, hour DESC LIMIT 1
"""  # noqa: S608  constants only
_LEDGER = f"UPDATE budgets_ledgerentry SET user_id = %(pseudonym)s WHERE {_THEIRS}"  # noqa: S608


def _moved(table: str, key: str, only: str = "") -> str:
    """Sums under the names are added to those under the pseudonym: two names of one person, or what came late."""
    return (
        f"WITH gone AS (DELETE FROM {table} WHERE {_THEIRS}{only} RETURNING *) "  # noqa: S608
        f"INSERT INTO {table} AS t (tenant_id, {key}, agent, user_id, provider, model, {', '.join(_SUMS)}) "
        f"SELECT tenant_id, {key}, agent, %(pseudonym)s, provider, model, {', '.join(f'sum({name})' for name in _SUMS)} "
        f"FROM gone GROUP BY tenant_id, {key}, agent, provider, model "
        f"ON CONFLICT (tenant_id, {key}, agent, user_id, provider, model) DO UPDATE SET "
        f"{', '.join(f'{name} = t.{name} + excluded.{name}' for name in _SUMS)}"
    )


# A counter under the pseudonym may be there already: what came late is added to it, and open slices point to it.
_USER_BUDGETS = "(SELECT id FROM budgets_budget WHERE tenant_id = %(tenant)s AND scope = 'user')"
_COUNTERS_OF_THEIRS = f"""
SELECT c.id, c.budget_id, c.period_start FROM budgets_counter c WHERE c.tenant_id = %(tenant)s
AND lower(c.subject) = ANY(%(names)s) AND c.budget_id IN {_USER_BUDGETS} ORDER BY c.id
"""  # noqa: S608
_COUNTER_THERE = (
    "SELECT id FROM budgets_counter WHERE tenant_id = %s AND budget_id = %s AND subject = %s AND period_start = %s"
)
_COUNTER_RENAMED = "UPDATE budgets_counter SET subject = %s WHERE tenant_id = %s AND id = %s"
_COUNTER_ADDED = (
    "WITH gone AS (DELETE FROM budgets_counter WHERE tenant_id = %(tenant)s AND id = %(old)s RETURNING *) "
    "UPDATE budgets_counter c SET charged_nano_usd = c.charged_nano_usd + gone.charged_nano_usd, "
    "is_based = c.is_based AND gone.is_based FROM gone WHERE c.tenant_id = %(tenant)s AND c.id = %(new)s"
)
_SLICES_POINT = (
    "UPDATE budgets_lease SET counters = array_replace(counters, %(old)s, %(new)s) "
    "WHERE tenant_id = %(tenant)s AND %(old)s = ANY(counters)"
)
_NOTICES = (
    "DELETE FROM budgets_notice WHERE tenant_id = %(tenant)s AND scope = 'user' AND lower(subject) = ANY(%(names)s)"
)
# Their own limit went by the pseudonym when this was done the first time. A call that came after counts under the limit of
# everybody, or under none, and is theirs now: a counter is what the hours say, less what is still in slices.
_COUNTERS_ANEW = f"""
UPDATE budgets_counter c SET charged_nano_usd = (
    SELECT coalesce(sum(u.amount_nano_usd), 0) FROM budgets_usagehour u
    WHERE u.tenant_id = c.tenant_id AND u.user_id = c.subject AND u.hour >= c.period_start AND u.hour < c.period_end
) - (SELECT coalesce(sum(l.spent_nano_usd), 0) FROM budgets_lease l WHERE l.tenant_id = c.tenant_id AND c.id = ANY(l.counters))
WHERE c.tenant_id = %(tenant)s AND c.subject = %(pseudonym)s AND c.is_based AND c.budget_id IN {_USER_BUDGETS}
"""  # noqa: S608
# A limit of the person alone: of nobody any more, and counters refer to it.
_BUDGETS = (
    "UPDATE budgets_budget b SET scope_id = %(pseudonym)s WHERE b.tenant_id = %(tenant)s AND b.scope = 'user' "
    "AND lower(b.scope_id) = ANY(%(names)s) AND b.id = (SELECT min(o.id::text)::uuid FROM budgets_budget o WHERE o.tenant_id = b.tenant_id "
    "AND o.scope = 'user' AND o.period = b.period AND (lower(o.scope_id) = ANY(%(names)s)))"
    " AND NOT EXISTS (SELECT 1 FROM budgets_budget o WHERE o.tenant_id = b.tenant_id AND o.scope = 'user' AND o.period = b.period "
    "AND o.scope_id = %(pseudonym)s)"
)
_OTHER_BUDGETS = (
    "UPDATE budgets_budget SET scope_id = %(pseudonym)s || ' ' || id WHERE tenant_id = %(tenant)s AND scope = 'user' "
    "AND lower(scope_id) = ANY(%(names)s)"
)
_ROWS = (
    f"UPDATE budgets_lease SET user_id = %(pseudonym)s WHERE {_THEIRS}",  # noqa: S608
    f"UPDATE budgets_reservation SET user_id = %(pseudonym)s WHERE {_THEIRS}",  # noqa: S608
)
# What is charged to them from now on goes to the limit that holds for them. Another one's counter has no base (as when a limit
# with a name is set, services/budgets.py): it would stay behind.
_COUNTERS_BEHIND = """
UPDATE budgets_counter c SET is_based = false FROM budgets_budget b
WHERE c.tenant_id = %(tenant)s AND c.subject = %(pseudonym)s AND c.is_based AND b.tenant_id = c.tenant_id AND b.id = c.budget_id
    AND b.scope = 'user' AND b.scope_id <> %(pseudonym)s AND (b.scope_id <> '' OR EXISTS (SELECT 1 FROM budgets_budget o
        WHERE o.tenant_id = b.tenant_id AND o.scope = b.scope AND o.period = b.period AND o.scope_id = %(pseudonym)s))
"""


@dataclass(frozen=True, slots=True)
class _Hours:
    """The ledger with its hourly sums, hour by hour of the person's."""

    name: str = "budgets_ledgerentry"

    def slice(self, cursor: CursorWrapper, who: Forgotten, after: list[str]) -> tuple[list[str] | None, int]:
        params = who.params
        cursor.execute(_HOURS, params)
        found = cursor.fetchone()
        if found is None:
            return None, 0
        params["until"], is_more = found
        # From the first on: what an hour before holds without a sum was booked as nothing, and is nobody's.
        cursor.execute(f"{_LEDGER} AND occurred_at < %(until)s + interval '1 hour'", params)
        changed = cursor.rowcount
        cursor.execute(_moved("budgets_usagehour", "hour", " AND hour <= %(until)s"), params)
        return ([] if is_more else None), changed


@dataclass(frozen=True, slots=True)
class _Balances:
    """What is left of the ledger, days, counters, slices and holds: one row a day, a period or a call that is held."""

    name: str = "budgets_counter"

    def slice(self, cursor: CursorWrapper, who: Forgotten, after: list[str]) -> tuple[list[str] | None, int]:
        params, changed = who.params, 0
        for statement in (
            _LEDGER, _moved("budgets_usagehour", "hour"), _moved("budgets_usageday", "day"), _NOTICES, *_ROWS,
        ):  # fmt: skip
            cursor.execute(statement, params)
            changed += cursor.rowcount
        cursor.execute(_COUNTERS_OF_THEIRS, params)
        for old, budget, start in cursor.fetchall():
            cursor.execute(_COUNTER_THERE, [who.tenant, budget, who.pseudonym, start])
            there = cursor.fetchone()
            if there is None:
                cursor.execute(_COUNTER_RENAMED, [who.pseudonym, who.tenant, old])
            else:
                both = {"tenant": who.tenant, "old": old, "new": there[0]}
                cursor.execute(_SLICES_POINT, both)
                cursor.execute(_COUNTER_ADDED, both)
            changed += 1
        for statement in (_COUNTERS_ANEW, _BUDGETS, _OTHER_BUDGETS, _COUNTERS_BEHIND):
            cursor.execute(statement, params)
            changed += cursor.rowcount
        return None, changed


STEPS: tuple[Step, ...] = (
    _Hours(),
    _Balances(),
    Table("budgets_ledgerentry", ("occurred_at", "id"), texts=("reason",)),
    Table("budgets_budget", ("id",), texts=("set_by",)),
    Table("budgets_finding", ("id",), texts=("detail",), jsons=("data",)),
)  # fmt: skip
