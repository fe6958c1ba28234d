"""Which index a search walks: the rarer of its filters, measured where the reader is, in the order of the page.

Every index of `audit_entry` ends in (recorded_at, id), so each filter that has one is a range in page order. A search of
one filter is that range. Of two or more, the one whose entries lie farthest apart is walked, and the others are looked at on
the way. A filter of several values (the actions of a category) is one range for each of them, merged.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.common.cursors import Cursor
from audit.registry import ACTIONS
from audit.searching import IS_SENSITIVE, Filters
from audit.types import SENSITIVE, Outcome

PROBE = 100  # how many entries of each filter are measured
VOTED = "approval.voted"
_Conditions = Sequence[tuple[str, list[Any]]]
_TYPES_MOST = 200


@dataclass(frozen=True, slots=True)
class Way:
    """A range of an index in page order. `names` are the filters that it answers by itself.

    With `each`, a column and its values, it is one range for each value.
    """

    names: frozenset[str] = frozenset()
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    each: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for in one tenant's log, `since` always set. `held` are confirmations whose first vote is not shown."""

    tenant: uuid.UUID
    filters: Filters
    since: datetime
    held: Collection[uuid.UUID] = ()

    @property
    def bounds(self) -> _Conditions:
        found: list[tuple[str, list[Any]]] = [("tenant_id = %s", [self.tenant]), ("recorded_at >= %s", [self.since])]
        if self.filters.until is not None:
            found.append(("recorded_at < %s", [self.filters.until]))
        return found

    def beside(self, way: Way) -> _Conditions:
        """The conditions that a way leaves to be looked at."""
        found = [
            each
            for name, conditions in self.filters.conditions().items()
            if name not in way.names
            for each in conditions
        ]
        if self.held:
            found.append(
                (
                    "NOT (action = %s AND target_id = ANY(%s))",
                    [VOTED, [str(confirmation) for confirmation in self.held]],
                )
            )
        return found


def way_of(search: Search, after: Cursor | None) -> Way:
    """The way to walk from a place on."""
    ways = list(_ways(search))
    if not ways:
        return Way()
    if len(ways) == 1 or "run" in ways[0].names:
        return ways[0]
    reaches = _reaches(search, ways, after)
    return min(zip(ways, reaches, strict=True), key=lambda pair: (pair[1] is not None, pair[1] or search.since))[0]


def scan(search: Search, way: Way, after: Cursor | None, most: int, rows: int) -> tuple[str, list[Any]]:
    """SELECT recorded_at, id, hit, place of at most `rows` hits among `most` entries of a way; and of the last of these."""
    beside = search.beside(way)
    hit, values = _joined(beside) if beside else ("true", [])
    inner, params = _walk(search, way, after, most, f"recorded_at, id, ({hit}) AS hit", values)
    order = "recorded_at DESC, id DESC"
    return (
        f"SELECT * FROM (SELECT *, row_number() OVER (ORDER BY {order}) AS place FROM ({inner}) AS walked) AS counted "  # noqa: S608
        f"WHERE hit OR place = {int(most)} ORDER BY {order} LIMIT {int(rows)}",
        params,
    )


def _walk(
    search: Search, way: Way, after: Cursor | None, most: int, columns: str, values: Sequence[Any]
) -> tuple[str, list[Any]]:
    conditions = [*search.bounds, *((sql, list(params)) for sql, params in way.conditions)]
    if after is not None:
        conditions.append(("(recorded_at, id) < (%s, %s)", [after.at, after.id]))
    if way.each is not None:
        conditions.append((f"{way.each[0]} = one.value", []))
    where, params = _joined(conditions)
    end = f"ORDER BY recorded_at DESC, id DESC LIMIT {int(most)}"
    text = f"SELECT {columns} FROM audit_entry WHERE {where} {end}"  # noqa: S608  names are ours, values are parameters
    if way.each is None:
        return text, [*values, *params]
    return (
        f"SELECT found.* FROM unnest(%s::text[]) AS one(value) CROSS JOIN LATERAL ({text}) AS found {end}",  # noqa: S608
        [list(way.each[1]), *values, *params],
    )


def _joined(conditions: _Conditions) -> tuple[str, list[Any]]:
    return " AND ".join(sql for sql, _ in conditions), [value for _, values in conditions for value in values]


def _ways(search: Search) -> list[Way]:
    """Every way that answers a filter at least, the narrowest kinds first."""
    filters = search.filters
    found = []
    for name, column, value in (
        ("run", "run_id", filters.run),
        ("actor", "actor_id", filters.actor),
        ("person", "on_behalf_of_id", filters.person),
    ):
        if value:
            found.append(Way(frozenset({name}), ((f"{column} = %s", (value,)),)))
    if filters.target_id:
        types = (filters.target_type,) if filters.target_type else _target_types(search.tenant)
        of_id = (("target_id = %s", (filters.target_id,)),)
        found.append(Way(frozenset({"target"}), of_id, each=("target_type", types)))
    if filters.action or filters.category is not None:
        found.append(Way(frozenset({"action"}), each=("action", filters.actions)))
    if filters.is_sensitive:
        found.append(Way(frozenset({"sensitive"}), ((IS_SENSITIVE, ()),)))
    elif _is_within_sensitive(filters) and set(filters.conditions()) != {"action"}:
        found.append(Way(conditions=((IS_SENSITIVE, ()),)))
    return found


def _is_within_sensitive(filters: Filters) -> bool:
    """Does the index of what is looked for most hold all that is asked for?"""
    if filters.outcome is not None and filters.outcome is not Outcome.SUCCESS:
        return True
    actions = filters.actions
    return bool(actions) and all(ACTIONS[name].category in SENSITIVE for name in actions)


def _reaches(search: Search, ways: Sequence[Way], after: Cursor | None) -> list[datetime | None]:
    """How far back the first PROBE entries of each way reach; None where there are fewer."""
    texts, params = [], []
    for way in ways:
        inner, values = _walk(search, way, after, PROBE, "recorded_at, id", ())
        texts.append(f"(SELECT min(recorded_at) FROM ({inner}) AS walked HAVING count(*) >= {PROBE})")  # noqa: S608
        params += values
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(texts)}", params)
        return list(cursor.fetchone())


_TYPES = """
WITH RECURSIVE kind AS (
    (SELECT target_type FROM audit_entry WHERE tenant_id = %(tenant)s ORDER BY target_type LIMIT 1)
    UNION ALL
    SELECT (SELECT target_type FROM audit_entry e WHERE e.tenant_id = %(tenant)s AND e.target_type > kind.target_type
            ORDER BY e.target_type LIMIT 1)
    FROM kind WHERE kind.target_type IS NOT NULL
)
SELECT target_type FROM kind WHERE target_type IS NOT NULL LIMIT %(most)s
"""


def _target_types(tenant: uuid.UUID) -> tuple[str, ...]:
    """The kinds of things that a tenant's entries are about: from each to the next in the index."""
    with connection.cursor() as cursor:
        cursor.execute(_TYPES, {"tenant": tenant, "most": _TYPES_MOST})
        return tuple(row[0] for row in cursor.fetchall())
