"""The one transaction that stores spans: rows, run totals, facets, charges; all or nothing, each span once.

    ask the guard → lock the runs that exist → drop what is already stored → write the runs → COPY the spans → facets
    → charge → audit

A run's row is the arbiter. Existing runs are locked in id order before anything is compared. For a new run nothing
can be locked yet, so two batches may race for it: both insert its row, in id order too, the loser waits there, finds
that the row exists after all and raises `Raced`; its caller rolls back and begins again. Spans are inserted under
their run's row only, never before it: two batches that insert the same spans in another order would deadlock. Order
of locks everywhere: the money of guarded runs, runs, spans, facets, budgets, hourly sums.

**A guarded call and its span are one charge**, the guard's, whichever comes first: a call is reserved before it is made,
so its reservation stands when its span arrives. A run's cost is what its spans were charged and what the guard charged;
the guard adds its part to the run's row if there is one, and a new row begins with it.

A call that names no agent or user keeps its row so, and is charged under its run's, as the run's row says it now.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import orjson
from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets import queries as money
from agentops.budgets import services as budgets
from agentops.budgets.types import Charge, EntryKind, GuardedCall
from agentops.common import clock
from agentops.common.forgetting import is_pseudonym
from agentops.common.ids import is_minted, trace_uuid
from agentops.traces import audited, facets, nesting, rollup
from agentops.traces.facets import Before
from agentops.traces.models.run import RunStatus
from agentops.traces.rollup import Counted, RunState
from agentops.traces.rows import RUN_COLUMNS, SPAN_STAGING, run_row, run_state, span_row
from agentops.traces.types import Span, SpanKind, SpanStatus
from audit import services as audit

_RUN_NAMES = ", ".join(RUN_COLUMNS)
_RUN_CHANGES = "finalised_at = coalesce(r.finalised_at, n.finalised_at), " + ", ".join(
    f"{name} = n.{name}" for name in RUN_COLUMNS if name not in ("tenant_id", "run_id", "day", "finalised_at")
)

Guarded = dict[uuid.UUID, dict[str, GuardedCall]]  # by run and call id


class Raced(Exception):
    """Another batch stored a part of the same new run first. Begin the transaction again."""


@dataclass(slots=True)
class Written:
    """What a batch did: spans that were new, and spans that were there already (or twice in the batch)."""

    accepted: int
    duplicates: int
    new_runs: int


def write(*, tenant: uuid.UUID, spans: Sequence[Counted], at: datetime) -> Written:
    """Store spans inside the caller's transaction. Raises Raced (see above)."""
    batch = _by_run(spans)
    guarded = _ask_guard(tenant, batch)
    with connection.cursor() as cursor:
        runs = _lock_runs(cursor, tenant, batch)
        before = {run_id: Before(rollup.facets_of(run), run.started_ns) for run_id, run in runs.items()}
        names = {run_id: (run.agent, run.user_id) for run_id, run in runs.items()}
        _drop_stored(cursor, tenant, runs, batch)
        corrections = _settle_nesting(cursor, tenant, runs, batch)
        new = _new_runs(runs, batch, guarded)
        for run_id, found in batch.items():
            rollup.merge(runs[run_id], found.values())
        changed = [runs[run_id] for run_id, found in batch.items() if found or run_id in corrections]
        _write_runs(cursor, tenant, changed, new=new, at=at)
        named, told_before = _named_later(cursor, tenant, runs, names, corrections)
        accepted = _insert_spans(cursor, tenant, runs, batch)
        facets.write(cursor, tenant, changed, before)
    charges = [
        _charge(counted, runs[run_id])
        for run_id, found in batch.items()
        for counted in found.values()
        if _is_charge(counted)
    ]
    charges += [charge for found in corrections.values() for charge in found]
    charges += budgets.renamed(tenant=tenant, names=named)
    budgets.charge_many(tenant=tenant, charges=charges, at=at)
    budgets.look_again(tenant=tenant, began=_began(changed), at=at)
    entries = [
        audited.entry_of(one, runs[run_id], at=at)
        for run_id, found in batch.items()
        for one in found.values()
        if audited.is_audited(one)
    ]
    entries += [audited.named_later(runs[run_id], *told, at=at) for run_id, told in told_before.items()]
    audit.record_many(tenant=tenant, entries=entries)
    return Written(accepted=accepted, duplicates=len(spans) - accepted, new_runs=len(new))


def _by_run(spans: Iterable[Counted]) -> dict[uuid.UUID, dict[int, Counted]]:
    """Spans by run (in id order: the order of locks) and span id; the first of two with one id is kept."""
    found: dict[uuid.UUID, dict[int, Counted]] = {}
    for counted in spans:
        found.setdefault(counted.span.trace_id, {}).setdefault(counted.span.span_id, counted)
    return dict(sorted(found.items()))


def _ask_guard(tenant: uuid.UUID, batch: dict[uuid.UUID, dict[int, Counted]]) -> Guarded:
    """Mark the spans of guarded calls; answers the guarded calls of the batch's runs. Most batches have none to ask for."""
    marked = [(_guarded_run(counted.span), counted) for found in batch.values() for counted in found.values()]
    runs = {run_id for run_id in batch if is_minted(run_id)}
    runs.update(run_id for run_id, _ in marked if run_id is not None)
    if not runs:
        return {}
    guarded = budgets.guarded_calls(tenant=tenant, runs=sorted(runs))
    for run_id, counted in marked:
        if run_id is not None and counted.span.call_id in guarded.get(run_id, ()):
            counted.is_guarded = True
    return guarded


def _guarded_run(span: Span) -> uuid.UUID | None:
    """The guarded run whose call a span says it is; None where it says nothing of the kind."""
    if not span.call_id or span.kind == SpanKind.RUN:
        return None
    run_id = span.trace_id
    if span.guarded_run:
        try:
            run_id = trace_uuid(span.guarded_run.replace("-", ""))
        except ValueError:
            return None
    return run_id if is_minted(run_id) else None


def _lock_runs(cursor: CursorWrapper, tenant: uuid.UUID, run_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, RunState]:
    cursor.execute(
        f"SELECT {_RUN_NAMES} FROM traces_run WHERE tenant_id = %s AND run_id = ANY(%s) ORDER BY run_id FOR UPDATE",  # noqa: S608
        [tenant, list(run_ids)],
    )
    return {row[1]: run_state(dict(zip(RUN_COLUMNS, row, strict=True))) for row in cursor.fetchall()}


def _drop_stored(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    runs: dict[uuid.UUID, RunState],
    batch: dict[uuid.UUID, dict[int, Counted]],
) -> None:
    """Take the spans that are stored already out of the batch. One look a day: a literal day prunes the partitions."""
    for day, run_ids in _by_day(runs).items():
        pairs = [(run_id, span_id) for run_id in run_ids for span_id in batch[run_id]]
        cursor.execute(
            "SELECT s.run_id, s.span_id FROM unnest(%s::uuid[], %s::int8[]) AS n (run_id, span_id) "
            "JOIN traces_span s ON s.tenant_id = %s AND s.day = %s AND s.run_id = n.run_id AND s.span_id = n.span_id",
            [[pair[0] for pair in pairs], [pair[1] for pair in pairs], tenant, day],
        )
        for run_id, span_id in cursor.fetchall():
            del batch[run_id][span_id]


def _by_day(runs: dict[uuid.UUID, RunState]) -> dict[date, list[uuid.UUID]]:
    days: dict[date, list[uuid.UUID]] = defaultdict(list)
    for run_id, run in runs.items():
        days[run.day].append(run_id)
    return days


def _new_runs(
    runs: dict[uuid.UUID, RunState], batch: dict[uuid.UUID, dict[int, Counted]], guarded: Guarded
) -> set[uuid.UUID]:
    """Add the runs that do not exist yet; their day is that of the earliest span seen now, and stays."""
    new = set(batch) - set(runs)
    for run_id in new:
        started_ns = min(counted.span.started_ns for counted in batch[run_id].values())
        day = clock.from_ns(started_ns).date()
        cost = sum(call.cost_nano_usd for call in guarded.get(run_id, {}).values())
        runs[run_id] = RunState(run_id=run_id, day=day, started_ns=started_ns, ended_ns=started_ns, cost_nano_usd=cost)
    return new


# -- calls that are seen twice ---------------------------------------------------------------------------------------


def _settle_nesting(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    runs: dict[uuid.UUID, RunState],
    batch: dict[uuid.UUID, dict[int, Counted]],
) -> dict[uuid.UUID, list[Charge]]:
    """Mark the spans of the batch that repeat a call or are a guarded one, and take back stored ones that turn out so.

    Nearly always the batch alone decides. The stored spans of a run are read only where a new span could stand above
    or below a stored call.
    """
    corrections: dict[uuid.UUID, list[Charge]] = {}
    suspects = _suspects(cursor, tenant, runs, batch)
    for run_id, found in batch.items():
        nodes = [_node(counted) for counted in found.values()]
        if run_id in suspects:
            corrections[run_id] = _settle_with_stored(cursor, tenant, runs[run_id], found, nodes)
            continue
        for span_id in nesting.below_guarded(nodes):
            found[span_id].is_guarded = True
        for span_id in nesting.uncounted(nodes):
            found[span_id].is_counted = False
    return corrections


def _suspects(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    runs: dict[uuid.UUID, RunState],
    batch: dict[uuid.UUID, dict[int, Counted]],
) -> set[uuid.UUID]:
    """Runs where a new call has stored children, or a new span has a stored parent (a root run's children are usual)."""
    suspects: set[uuid.UUID] = set()
    for day, run_ids in _by_day(runs).items():
        above: list[tuple[uuid.UUID, int]] = []
        below: list[tuple[uuid.UUID, int]] = []
        for run_id in run_ids:
            found = batch[run_id]
            nodes = [_node(counted) for counted in found.values()]
            above += [(run_id, span_id) for span_id in nesting.may_hide_calls(nodes)]
            parents = {node.parent_id for node in nodes if node.parent_id is not None and node.parent_id not in found}
            below += [(run_id, parent_id) for parent_id in parents]
        cursor.execute(
            "SELECT s.run_id FROM unnest(%s::uuid[], %s::int8[]) AS n (run_id, span_id) "
            "JOIN traces_span s ON s.tenant_id = %s AND s.day = %s AND s.run_id = n.run_id AND s.parent_id = n.span_id "
            "UNION SELECT s.run_id FROM unnest(%s::uuid[], %s::int8[]) AS n (run_id, span_id) "
            "JOIN traces_span s ON s.tenant_id = %s AND s.day = %s AND s.run_id = n.run_id AND s.span_id = n.span_id "
            "WHERE NOT (s.kind = %s AND s.parent_id IS NULL)",
            [
                *([pair[place] for pair in above] for place in (0, 1)),
                tenant,
                day,
                *([pair[place] for pair in below] for place in (0, 1)),
                tenant,
                day,
                int(SpanKind.RUN),
            ],
        )
        suspects.update(row[0] for row in cursor.fetchall())
    return suspects


_STORED = (
    "span_id", "parent_id", "kind", "status", "started_at", "agent", "user_id", "model", "provider", "tool", "call_id",
    "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nano_usd",
    "price_version", "is_counted", "is_guarded",
)  # fmt: skip


def _settle_with_stored(
    cursor: CursorWrapper, tenant: uuid.UUID, run: RunState, found: dict[int, Counted], nodes: list[nesting.Node]
) -> list[Charge]:
    cursor.execute(
        f"SELECT {', '.join(_STORED)} FROM traces_span WHERE tenant_id = %s AND day = %s AND run_id = %s",  # noqa: S608
        [tenant, run.day, run.run_id],
    )
    stored = {row[0]: _stored(run.run_id, dict(zip(_STORED, row, strict=True))) for row in cursor.fetchall()}
    nodes = [*(_node(counted) for counted in stored.values()), *nodes]
    charges = _leave_to_guard(cursor, tenant, run, found, stored, nesting.below_guarded(nodes))
    uncounted = nesting.uncounted(nodes)
    taken_back = []
    for span_id in uncounted:
        if span_id in found:
            found[span_id].is_counted = False
            continue
        counted = stored[span_id]
        if not counted.is_counted:
            continue
        taken_back.append(span_id)
        rollup.uncount(run, counted)
        if _is_charge(counted):
            charges.append(_charge(counted, run, correction="repeats the call of a span inside it"))
    if taken_back:
        cursor.execute(
            "UPDATE traces_span SET is_counted = false WHERE tenant_id = %s AND day = %s AND run_id = %s AND span_id = ANY(%s)",
            [tenant, run.day, run.run_id, taken_back],
        )
    if charges:
        spans = [charge.span_id for charge in charges]
        saved = money.saved_by_spans(tenant=tenant, run=run.run_id, spans=spans)
        names = money.names_of_spans(tenant=tenant, run=run.run_id, spans=spans)
        for charge in charges:
            charge.agent, charge.user_id = names.get(charge.span_id, (charge.agent, charge.user_id))
            charge.saved_nano_usd = -saved.get(charge.span_id, 0)
    return charges


def _leave_to_guard(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    run: RunState,
    found: dict[int, Counted],
    stored: dict[int, Counted],
    guarded: set[int],
) -> list[Charge]:
    """Mark calls that the guard charges; answers the corrections of those that were charged as spans before."""
    charges, marked = [], []
    for span_id in guarded:
        if span_id in found:
            found[span_id].is_guarded = True
            continue
        counted = stored[span_id]
        if _is_charge(counted):
            charges.append(_charge(counted, run, correction="is the guarded call of a span above it"))
        rollup.leave_to_guard(run, counted)
        marked.append(span_id)
    if marked:
        cursor.execute(
            "UPDATE traces_span SET is_guarded = true WHERE tenant_id = %s AND day = %s AND run_id = %s AND span_id = ANY(%s)",
            [tenant, run.day, run.run_id, marked],
        )
    return charges


def _node(counted: Counted) -> nesting.Node:
    span = counted.span
    return nesting.Node(span.span_id, span.parent_id, span.kind, counted.has_usage, span.tool, counted.is_guarded)


def _stored(run_id: uuid.UUID, row: dict[str, Any]) -> Counted:
    """A stored span, as far as counting and charging look at it."""
    cost, version, is_counted = row.pop("cost_nano_usd"), row.pop("price_version"), row.pop("is_counted")
    is_guarded = row.pop("is_guarded")
    started_ns = clock.to_ns(row.pop("started_at"))
    row["kind"], row["status"] = SpanKind(row["kind"]), SpanStatus(row["status"])
    span = Span(trace_id=run_id, name="", started_ns=started_ns, ended_ns=started_ns, **row)
    return Counted(span=span, cost_nano_usd=cost, price_version=version, is_counted=is_counted, is_guarded=is_guarded)


# -- charges ---------------------------------------------------------------------------------------------------------


def _named_later(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    runs: dict[uuid.UUID, RunState],
    before: dict[uuid.UUID, tuple[str, str]],
    corrections: dict[uuid.UUID, list[Charge]],
) -> tuple[dict[tuple[uuid.UUID, int], tuple[str, str]], dict[uuid.UUID, tuple[int, str]]]:
    """The stored calls that name nobody themselves, of runs whose agent or user is another now, and whose they are; and by
    run how many actions were told in the audit log under what was known before, and whose the run is now.

    What was a forgotten person's does not go back to a name that comes late.
    """
    named: dict[tuple[uuid.UUID, int], tuple[str, str]] = {}
    told: dict[uuid.UUID, tuple[int, str]] = {}
    users = {run_id: user if is_pseudonym(user) else runs[run_id].user_id for run_id, (_, user) in before.items()}
    changed = {run_id: runs[run_id] for run_id, was in before.items() if was != (runs[run_id].agent, users[run_id])}
    for day, run_ids in _by_day(changed).items():
        cursor.execute(
            "SELECT run_id, span_id, kind, agent, user_id, is_counted AND NOT is_guarded FROM traces_span "
            "WHERE tenant_id = %s AND day = %s AND run_id = ANY(%s) AND kind = ANY(%s) AND (agent = '' OR user_id = '')",
            [tenant, day, run_ids, [int(SpanKind.LLM), *map(int, audited.KINDS)]],
        )
        for run_id, span_id, kind, agent, user, is_own in cursor.fetchall():
            now = (agent or runs[run_id].agent, user or users[run_id])
            if kind == SpanKind.LLM:
                named[run_id, span_id] = now
            elif is_own and now != (agent or before[run_id][0], user or before[run_id][1]):
                told[run_id] = (told.get(run_id, (0, ""))[0] + 1, users[run_id])
    for run_id, charges in corrections.items():
        for charge in charges:
            named.pop((run_id, charge.span_id), None)
    return named, told


def _is_charge(counted: Counted) -> bool:
    return counted.is_counted and not counted.is_guarded and rollup.is_charged(counted.span)


def _charge(counted: Counted, run: RunState, *, correction: str = "") -> Charge:
    span = counted.span
    sign = -1 if correction else 1
    cost = counted.cost_nano_usd
    return Charge(
        kind=EntryKind.CORRECTION if correction else EntryKind.CHARGE,
        occurred_at=clock.from_ns(span.started_ns),
        run_id=span.trace_id,
        span_id=span.span_id,
        call_id=span.call_id,
        agent=span.agent or run.agent,
        user_id=span.user_id or run.user_id,
        model=span.model or span.model_requested,
        provider=span.provider,
        input_tokens=sign * (span.input_tokens or 0),
        output_tokens=sign * (span.output_tokens or 0),
        cache_read_tokens=sign * (span.cache_read_tokens or 0),
        cache_write_tokens=sign * (span.cache_write_tokens or 0),
        reasoning_tokens=sign * (span.reasoning_tokens or 0),
        amount_nano_usd=None if cost is None else sign * cost,
        price_version=counted.price_version,
        reason=correction,
        saved_nano_usd=sign * counted.saved_nano_usd,
    )


# -- rows ------------------------------------------------------------------------------------------------------------


def _insert_spans(
    cursor: CursorWrapper,
    tenant: uuid.UUID,
    runs: dict[uuid.UUID, RunState],
    batch: dict[uuid.UUID, dict[int, Counted]],
) -> int:
    count = sum(len(found) for found in batch.values())
    if count:
        rows = (
            span_row(tenant, runs[run_id].day, counted) for run_id, found in batch.items() for counted in found.values()
        )
        if SPAN_STAGING.insert(cursor, rows, skip_existing=True) != count:
            raise Raced
    return count


def _write_runs(
    cursor: CursorWrapper, tenant: uuid.UUID, runs: Sequence[RunState], *, new: set[uuid.UUID], at: datetime
) -> None:
    added: list[dict[str, Any]] = []
    updated: list[dict[str, Any]] = []
    for run in runs:
        row = run_row(tenant, run, received_at=at, finalised_at=at if run.is_finalised else None)
        (added if run.run_id in new else updated).append(row)
    if added:
        cursor.execute(
            f"INSERT INTO traces_run ({_RUN_NAMES}) SELECT {_RUN_NAMES} "  # noqa: S608
            "FROM json_populate_recordset(null::traces_run, %s::json) ON CONFLICT DO NOTHING",
            [orjson.dumps(added).decode()],
        )
        if cursor.rowcount != len(added):
            raise Raced
    if updated:
        cursor.execute(
            f"UPDATE traces_run r SET {_RUN_CHANGES} FROM json_populate_recordset(null::traces_run, %s::json) n "  # noqa: S608
            "WHERE r.tenant_id = %s AND r.run_id = n.run_id",
            [orjson.dumps(updated).decode(), tenant],
        )


def close_idle(*, tenant: uuid.UUID, run_ids: Sequence[uuid.UUID], at: datetime) -> int:
    """Finalise runs whose root never came, inside the caller's transaction; answers how many changed."""
    with connection.cursor() as cursor:
        runs = {
            run_id: run for run_id, run in _lock_runs(cursor, tenant, sorted(run_ids)).items() if not run.is_finalised
        }
        before = {run_id: Before(rollup.facets_of(run), run.started_ns) for run_id, run in runs.items()}
        for run in runs.values():
            run.is_finalised = True
            run.status = rollup.status_of(run)
        cursor.execute(
            "UPDATE traces_run r SET finalised_at = %s, status = n.status "
            "FROM unnest(%s::uuid[], %s::int2[]) AS n (run_id, status) WHERE r.tenant_id = %s AND r.run_id = n.run_id",
            [at, [*runs], [int(RunStatus(run.status)) for run in runs.values()], tenant],
        )
        facets.write(cursor, tenant, list(runs.values()), before)
    budgets.look_again(tenant=tenant, began=_began(runs.values()), at=at)
    return len(runs)


def _began(runs: Iterable[RunState]) -> dict[uuid.UUID, datetime]:
    return {run.run_id: clock.from_ns(run.started_ns) for run in runs}


def forget(*, tenant: uuid.UUID, run_ids: Sequence[uuid.UUID]) -> int:
    """Delete runs with their spans, events and facets, inside the caller's transaction; answers how many."""
    with connection.cursor() as cursor:
        runs = _lock_runs(cursor, tenant, sorted(run_ids))
        for day, ids in _by_day(runs).items():
            cursor.execute(
                "DELETE FROM traces_span WHERE tenant_id = %s AND day = %s AND run_id = ANY(%s)", [tenant, day, ids]
            )
        facets.delete_all(cursor, tenant, list(runs.values()))
        for table in ("traces_spanevent", "traces_run"):
            cursor.execute(f"DELETE FROM {table} WHERE tenant_id = %s AND run_id = ANY(%s)", [tenant, [*runs]])  # noqa: S608
    return len(runs)
