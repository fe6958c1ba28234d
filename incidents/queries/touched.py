"""What an agent touched outside: side effects of its runs, and who and what they touched.

Set by set, never run by run: the runs of an agent version in a time by day, then the effects among the tool and side-effect
spans of each day, added up by system, record and user; some days at once, each on a connection of its own. Calls of the guard
whose spans never came are effects, too. In staff's scope.

A call that is seen twice is one effect: a tool span above a side-effect span is that effect's name, not another one.
"""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.common.scope import staff_scope
from incidents.queries.capturing import began
from incidents.types import BlastKind

MOST_ITEMS, MOST_EFFECTS = (
    2_000,
    5_000,
)  # kept of each kind, and of side effects; those of the incident's own runs first
AT_ONCE = 2  # days
MOST_SECONDS = 60.0  # of looking at look-alikes; what is older then is left out, and the scan says so
_LONGEST = 500  # characters of an identity, a key, a name
_LISTED = 50  # a run with more tools than these lists only so many (traces/rollup.py)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What is looked for in one organisation; `own` are the incident's runs, the others are look-alikes."""

    tenant: uuid.UUID
    agent: str
    version: str
    tool: str
    since: datetime
    until: datetime
    own: Sequence[uuid.UUID]
    writers: Sequence[str] = ()  # tools whose definition says that they do more than read

    @property
    def values(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant,
            "agent": self.agent,
            "key": 2 if self.version else 1,
            "value": (self.version or self.agent)[:200],
            "version": self.version,
            "tool": self.tool,
            "since": self.since,
            "until": self.until,
            "own": list(self.own),
            "writers": list(self.writers),
            "effects": MOST_EFFECTS + 1,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """Somebody or something that side effects touched."""

    kind: BlastKind
    identity: str
    effects: int
    is_own: bool
    run_id: uuid.UUID
    span_id: int


@dataclass(slots=True)
class Done:
    """One side effect. Where its span never came, `span_id` is minus the step of the guard's call."""

    run_id: uuid.UUID
    span_id: int
    step: int
    at: datetime
    tool: str
    system: str
    ref: str
    key: str
    user: str
    call_id: str
    agent: str
    version: str
    request_digest: str = ""


@dataclass(slots=True)
class Found:
    """All of it, or as much as is kept. `runs` are those that were looked at."""

    runs: int = 0
    side_effects: int = 0
    items: list[Touched] = field(default_factory=list)
    effects: list[Done] = field(default_factory=list)
    is_cut: bool = False


_DAYS = f"""
SELECT day, is_own, count(*), array_agg(run_id)::text FROM (
    SELECT r.run_id, r.day, false AS is_own
    FROM traces_runfacet f JOIN traces_run r ON r.tenant_id = %(tenant)s AND r.run_id = f.run_id
    WHERE f.tenant_id = %(tenant)s AND f.key = %(key)s AND f.value = %(value)s
        AND f.started_at >= %(since)s AND f.started_at < %(until)s AND r.agent = %(agent)s AND %(agent)s <> ''
        AND (%(tool)s = '' OR %(tool)s = ANY(r.tools) OR cardinality(r.tools) >= {_LISTED})
        AND NOT r.run_id = ANY(%(own)s::uuid[])
    UNION ALL
    SELECT r.run_id, r.day, true FROM traces_run r WHERE r.tenant_id = %(tenant)s AND r.run_id = ANY(%(own)s::uuid[])
) AS runs GROUP BY day, is_own ORDER BY is_own DESC, day DESC
"""
# One day, so one partition. A tool span and the side effects below it are one group: the effect is what stands below, where
# something does, and takes from the other what it does not say itself.
_EFFECTS = f"""
WITH effect AS MATERIALIZED (
SELECT e.run_id, e.span_id, e.started_at, coalesce(nullif(e.tool, ''), e.above_tool, '') AS tool,
    coalesce(nullif(e.external_system, ''), e.above_system, '') AS system, coalesce(nullif(e.external_id, ''), e.above_ref, '') AS ref,
    coalesce(nullif(e.idempotency_key, ''), e.above_key, '') AS key, coalesce(nullif(e.call_id, ''), e.above_call, '') AS call_id,
    coalesce(nullif(e.user_id, ''), r.user_id) AS person, r.agent, r.agent_version, e.run_id::text || e.span_id AS sample
FROM (
    SELECT s.run_id, s.span_id, s.kind, s.started_at, s.tool, s.external_system, s.external_id, s.idempotency_key, s.call_id,
        s.user_id, bool_or(s.kind = 5) OVER w AS has_below, max(s.tool) FILTER (WHERE s.kind = 3) OVER w AS above_tool,
        max(s.external_system) FILTER (WHERE s.kind = 3) OVER w AS above_system,
        max(s.external_id) FILTER (WHERE s.kind = 3) OVER w AS above_ref,
        max(s.idempotency_key) FILTER (WHERE s.kind = 3) OVER w AS above_key,
        max(s.call_id) FILTER (WHERE s.kind = 3) OVER w AS above_call
    FROM traces_span s WHERE s.tenant_id = %(tenant)s AND s.day = '{{day}}' AND s.run_id = ANY(%(runs)s::uuid[])
        AND s.kind IN (3, 5) AND s.is_counted AND (s.kind = 5 OR %(tool)s = '' OR s.tool = %(tool)s)
    WINDOW w AS (PARTITION BY s.run_id, CASE s.kind WHEN 5 THEN s.parent_id ELSE s.span_id END)
) AS e JOIN traces_run r ON r.tenant_id = %(tenant)s AND r.run_id = e.run_id
WHERE (e.kind = 5 AND (%(tool)s = '' OR e.tool = %(tool)s OR e.above_tool = %(tool)s))
    OR (e.kind = 3 AND NOT e.has_below AND (e.external_system <> '' OR e.external_id <> '' OR e.idempotency_key <> ''
        OR e.tool = ANY(%(writers)s::text[])))
)
SELECT 'total', '', count(*), '', NULL::timestamptz, '', '', '', '', '', '', '', '' FROM effect
UNION ALL (SELECT 'system', left(system, {_LONGEST}), count(*), max(sample), NULL, '', '', '', '', '', '', '', ''
    FROM effect WHERE system <> '' GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(systems)s)
UNION ALL (SELECT 'record', left(system || ':' || ref, {_LONGEST}), count(*), max(sample), NULL, '', '', '', '', '', '', '', ''
    FROM effect WHERE ref <> '' GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(records)s)
UNION ALL (SELECT 'user', left(person, {_LONGEST}), count(*), max(sample), NULL, '', '', '', '', '', '', '', ''
    FROM effect WHERE person <> '' GROUP BY 2 ORDER BY 3 DESC, 2 LIMIT %(users)s)
UNION ALL (SELECT 'effect', '', 1, sample, started_at, tool, system, ref, key, person, call_id, agent, agent_version
    FROM effect ORDER BY started_at DESC, span_id LIMIT %(effects)s)
"""
_CALLS = """
SELECT c.run_id, c.step, c.decided_at, c.tool, c.external_system, c.external_id, c.idempotency_key, c.call_id, g.user_id,
    g.agent, g.agent_version, encode(c.digest, 'hex')
FROM runtime_guardedrun g JOIN runtime_guardcall c ON c.tenant_id = %(tenant)s AND c.run_id = g.run_id AND c.run_started_at =
    'epoch'::timestamptz + ('x' || left(replace(g.run_id::text, '-', ''), 12))::bit(48)::bigint * interval '1 millisecond'
LEFT JOIN traces_run r ON r.tenant_id = %(tenant)s AND r.run_id = g.run_id
WHERE g.tenant_id = %(tenant)s AND {which}
    AND c.verb IN (4, 5) AND (c.state = 4 OR c.permit_consumed_at IS NOT NULL)
    AND (%(tool)s = '' OR c.tool = %(tool)s)
    AND (c.external_system <> '' OR c.external_id <> '' OR c.idempotency_key <> '' OR c.tool = ANY(%(writers)s::text[]))
    AND (r.run_id IS NULL OR NOT EXISTS (SELECT 1 FROM traces_span s WHERE s.tenant_id = %(tenant)s AND s.day = r.day
        AND s.run_id = c.run_id AND s.call_id = c.call_id))
ORDER BY c.decided_at DESC, c.run_id, c.step LIMIT %(effects)s
"""
_OWN = "g.run_id = ANY(%(own)s::uuid[])"
_ALIKE = (
    "g.agent = %(agent)s AND %(agent)s <> '' AND (%(version)s = '' OR g.agent_version = %(version)s) "
    "AND g.started_at >= %(since)s AND g.started_at < %(until)s AND NOT g.run_id = ANY(%(own)s::uuid[])"
)
_RECEIPTS = """
SELECT c.run_id, c.call_id, c.step, c.external_system, c.external_id, c.idempotency_key, encode(c.digest, 'hex')
FROM unnest(%s::timestamptz[], %s::uuid[]) AS n (began, run_id)
JOIN runtime_guardcall c ON c.tenant_id = %s AND c.run_started_at = n.began AND c.run_id = n.run_id
"""
_ORGANISATIONS = """
SELECT t.id FROM tenants_tenant t WHERE t.is_active AND NOT t.is_house AND EXISTS (SELECT 1 FROM traces_runfacet f
    WHERE f.tenant_id = t.id AND f.key = %(key)s AND f.value = %(value)s
        AND f.started_at >= %(since)s AND f.started_at < %(until)s) ORDER BY t.id LIMIT 500
"""


def organisations_with(*, agent: str, version: str, since: datetime, until: datetime) -> list[uuid.UUID]:
    """Where runs of that version (else of that agent) began in that time."""
    key, value = (2, version) if version else (1, agent)
    with connection.cursor() as cursor:
        cursor.execute(_ORGANISATIONS, {"key": key, "value": value[:200], "since": since, "until": until})
        return [tenant for (tenant,) in cursor.fetchall()]


def find(marks: Marks) -> Found:
    """What the runs with these marks touched: the incident's own first, then day by day, the newest first.

    Where more of a kind is touched than is kept, the scan says so, and the counts are at least what they say.
    """
    values, found = marks.values, Found()
    tally, began_at = _Tally(found), time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(_DAYS, values)
        for is_own, count, rows in _by_day(cursor.fetchall(), values, tally, until=began_at + MOST_SECONDS):
            found.runs += count
            tally.take(rows, is_own=is_own)
        for which, is_own in ((_OWN, True), (_ALIKE, False)):
            cursor.execute(_CALLS.format(which=which), values)
            tally.take_calls(cursor.fetchall(), is_own=is_own)
    tally.close()
    _add_receipts(found, marks.tenant)
    return found


def _by_day(
    days: Sequence[tuple[Any, ...]], values: dict[str, Any], tally: _Tally, *, until: float
) -> Iterator[tuple[bool, int, list[tuple[Any, ...]]]]:
    """Whether they are the incident's own, how many runs, and their effects: day by day in this order, some read ahead."""
    read: list[Future[list[tuple[Any, ...]] | None]] = [Future() for _ in days]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as readers:
        for first in range(AT_ONCE):
            readers.submit(_read, days[first::AT_ONCE], read[first::AT_ONCE], values, tally, until)
        for (_, is_own, count, _), found in zip(days, read, strict=True):
            rows = found.result()
            if rows is None:
                tally.found.is_cut = True
                break
            yield is_own, count, rows


def _read(
    days: Sequence[tuple[Any, ...]],
    read: Sequence[Future[list[tuple[Any, ...]] | None]],
    values: dict[str, Any],
    tally: _Tally,
    until: float,
) -> None:
    """In a thread, so on a connection of its own: one, as a new one learns of every partition anew. None: too late."""
    try:
        with staff_scope(), connection.cursor() as cursor:
            for (day, is_own, _, runs), found in zip(days, read, strict=True):
                if not is_own and time.monotonic() > until:
                    found.set_result(None)
                    continue
                cursor.execute(_EFFECTS.format(day=f"{day:%Y-%m-%d}"), {**values, **tally.room(), "runs": runs})
                found.set_result(cursor.fetchall())
    except Exception as error:
        for found in read:
            if not found.done():
                found.set_exception(error)
    finally:
        connection.close()


class _Tally:
    """Effects by whom and what they touched; of each the first that is met is the sample, so one of the own runs if any is."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.counts: dict[tuple[BlastKind, str], list[Any]] = {}
        self.of_kind: Counter[str] = Counter()

    def room(self) -> dict[str, int]:
        """How many rows of each sort are worth reading: of what is full, one, which says that there is more. Asked by readers
        while others count: what has filled up since is read for nothing."""
        room = {f"{kind.value}s": 1 if self.is_full(kind.value) else MOST_ITEMS + 1 for kind in BlastKind}
        return {**room, "effects": max(0, MOST_EFFECTS - len(self.found.effects)) + 1}

    def is_full(self, kind: str) -> bool:
        return self.of_kind[kind] >= MOST_ITEMS

    def take(self, rows: Sequence[tuple[Any, ...]], *, is_own: bool) -> None:
        """Of one day, as the statement gives it."""
        seen: dict[str, int] = {}
        full = {kind.value for kind in BlastKind if self.is_full(kind.value)}
        for name, identity, effects, sample, *effect in rows:
            if name == "total":
                self.found.side_effects += effects
                continue
            seen[name] = seen.get(name, 0) + 1
            if name != "effect" and (name in full or seen[name] > MOST_ITEMS):
                self.found.is_cut = True
                continue
            run_id, span_id = uuid.UUID(sample[:36]), int(sample[36:])
            if name == "effect":
                self.keep(Done(run_id, span_id, 0, *effect))
            else:
                self.count(BlastKind(name), identity, effects, run_id, span_id, is_own=is_own)

    def take_calls(self, rows: Sequence[tuple[Any, ...]], *, is_own: bool) -> None:
        """Calls of the guard: what they touched is counted here."""
        self.found.is_cut = self.found.is_cut or len(rows) > MOST_EFFECTS
        for run_id, step, at, tool, system, ref, key, call_id, person, agent, version, digest in rows[:MOST_EFFECTS]:
            self.found.side_effects += 1
            self.keep(Done(run_id, -step, step, at, tool, system, ref, key, person, call_id, agent, version, digest))
            for kind, identity in (
                (BlastKind.SYSTEM, system),
                (BlastKind.RECORD, f"{system}:{ref}" if ref else ""),
                (BlastKind.USER, person),
            ):
                if identity:
                    self.count(kind, identity[:_LONGEST], 1, run_id, -step, is_own=is_own)

    def keep(self, done: Done) -> None:
        if len(self.found.effects) < MOST_EFFECTS:
            self.found.effects.append(done)
        else:
            self.found.is_cut = True

    def count(
        self, kind: BlastKind, identity: str, effects: int, run_id: uuid.UUID, span_id: int, *, is_own: bool
    ) -> None:
        count = self.counts.get((kind, identity))
        if count is None:
            self.counts[kind, identity] = [effects, is_own, run_id, span_id]
            self.of_kind[kind.value] += 1
        else:
            count[0] += effects
            count[1] = count[1] or is_own

    def close(self) -> None:
        by_kind: dict[BlastKind, list[Touched]] = {}
        for (kind, identity), (effects, is_own, run_id, span_id) in self.counts.items():
            item = Touched(kind=kind, identity=identity, effects=effects, is_own=is_own, run_id=run_id, span_id=span_id)
            by_kind.setdefault(kind, []).append(item)
        for items in by_kind.values():
            items.sort(key=lambda item: (not item.is_own, -item.effects, item.identity))
            self.found.is_cut = self.found.is_cut or len(items) > MOST_ITEMS
            self.found.items += items[:MOST_ITEMS]


def _add_receipts(found: Found, tenant: uuid.UUID) -> None:
    """What the guard was told of a call whose span says less: step, digest of the request, record, key."""
    runs = list({each.run_id for each in found.effects if each.call_id and not each.step and each.run_id.version == 7})
    if not runs:
        return
    with connection.cursor() as cursor:
        cursor.execute(_RECEIPTS, [[began(run) for run in runs], runs, tenant])
        told = {(row[0], row[1]): row[2:] for row in cursor.fetchall()}
    for each in found.effects:
        receipt = told.get((each.run_id, each.call_id))
        if receipt is not None and not each.step:
            each.step, system, ref, key, each.request_digest = receipt
            each.system, each.ref, each.key = each.system or system, each.ref or ref, each.key or key
