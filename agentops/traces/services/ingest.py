"""Taking spans in: mask, price, store, and say what was refused. Acknowledged means committed."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import DataError, IntegrityError, connection

from agentops.budgets.prices import price
from agentops.common import clock
from agentops.common.errors import Unavailable
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.traces import rollup, writing
from agentops.traces.errors import Busy
from agentops.traces.masking import Masker
from agentops.traces.normalise import LogEvent, to_native, unmapped_keys
from agentops.traces.policy import IngestPolicy
from agentops.traces.rollup import Counted
from agentops.traces.types import Rejected, Span

logger = logging.getLogger(__name__)
ATTEMPTS = 6
DEAD_LETTERS_MOST = 1000  # kept of one request; the answer counts them all
RAW_MOST = 65_536
NOTE_EVERY = timedelta(hours=1)
_EVENT_CONTENT = ("input", "output", "system_instructions", "tool_definitions", "body", "attributes")


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a request's spans or records."""

    accepted: int
    duplicates: int
    rejected: Sequence[Rejected]


def take_spans(
    *,
    tenant: uuid.UUID,
    policy: IngestPolicy,
    spans: Sequence[Span],
    rejected: Sequence[Rejected],
    signal: str,
    body_bytes: int,
    at: datetime,
) -> Taken:
    """Store a request's spans, each once, with all that follows from them, in one transaction.

    Opens the tenant's scope itself, and begins again where another request stored the same new run first. Raises Busy
    when that does not end, and OperationalError when the database does not answer: then nothing was stored.
    """
    counted = prepare(spans, policy)
    unmapped = _not_noted_lately(tenant, unmapped_keys(spans), at)

    def finish(written: writing.Written, refused: Sequence[Rejected]) -> None:
        _leave_dead_letters(tenant, policy.masker, signal, rejected, at)
        _leave_dead_letters(tenant, policy.masker, "native", refused, at)
        _note_unmapped(tenant, unmapped, at)
        _count_minute(tenant, spans, written, len(rejected) + len(refused), body_bytes, at)

    refused: list[Rejected] = []
    try:
        written = _store(tenant, counted, at, lambda written: finish(written, ()))
    except DataError:
        logger.exception("a run of this request does not fit into its columns: storing the others")
        written, unfit = _store_what_fits(tenant, counted, at)
        refused = _refusals(spans, rejected, unfit)
        with tenant_scope(tenant):
            finish(written, refused)
    _remember_noted(tenant, unmapped, at)
    return Taken(
        accepted=written.accepted,
        duplicates=written.duplicates,
        rejected=sorted([*rejected, *refused], key=lambda item: item.index) if refused else rejected,
    )


def _store(
    tenant: uuid.UUID, counted: Sequence[Counted], at: datetime, finish: Callable[[writing.Written], None]
) -> writing.Written:
    """One transaction of spans and of what `finish` does after them; again where another request came first."""
    for attempt in range(ATTEMPTS):
        try:
            with tenant_scope(tenant):
                written = writing.write(tenant=tenant, spans=counted, at=at)
                finish(written)
            return written
        except (writing.Raced, IntegrityError) as error:
            if attempt + 1 == ATTEMPTS and isinstance(error, IntegrityError):
                # Ours to mend (a partition that was not made, say). A 500 would make the sender throw its spans away.
                logger.exception("spans could not be stored")
                raise Unavailable("the spans cannot be stored at the moment; send again", retry_after=30) from error
            _count_all(counted)
            time.sleep(0.005 * 2**attempt)
    raise Busy("these runs are being stored by several senders at once; send again", retry_after=1)


def _store_what_fits(
    tenant: uuid.UUID, counted: Sequence[Counted], at: datetime
) -> tuple[writing.Written, list[Counted]]:
    """Store the runs that can be stored, by halves; answers the spans of those that cannot (a sum beyond 64 bits, say)."""
    runs = sorted({one.span.trace_id for one in counted})
    _count_all(counted)
    try:
        return _store(tenant, counted, at, lambda _: None), []
    except DataError:
        if len(runs) == 1:
            return writing.Written(accepted=0, duplicates=0, new_runs=0), list(counted)
    middle = runs[len(runs) // 2]
    first, unfit = _store_what_fits(tenant, [one for one in counted if one.span.trace_id < middle], at)
    second, more = _store_what_fits(tenant, [one for one in counted if one.span.trace_id >= middle], at)
    total = writing.Written(
        accepted=first.accepted + second.accepted,
        duplicates=first.duplicates + second.duplicates,
        new_runs=first.new_runs + second.new_runs,
    )
    return total, [*unfit, *more]


def _count_all(counted: Iterable[Counted]) -> None:
    """Forget what an attempt that was rolled back found out."""
    for one in counted:
        one.is_counted = True
        one.is_guarded = False


def _refusals(spans: Sequence[Span], rejected: Sequence[Rejected], unfit: Iterable[Counted]) -> list[Rejected]:
    """Spans that could not be stored as refusals at their places in the request, in the form that can be replayed."""
    refused = {item.index for item in rejected}
    places = (index for index in itertools.count() if index not in refused)
    place_of = {id(span): index for span, index in zip(spans, places, strict=False)}
    detail = "a total of this span's run would not fit: are its token counts right?"
    return [Rejected(place_of[id(one.span)], "out_of_range", detail, to_native(one.span)) for one in unfit]


def take_logs(
    *,
    tenant: uuid.UUID,
    policy: IngestPolicy,
    events: Sequence[LogEvent],
    rejected: Sequence[Rejected],
    at: datetime,
) -> Taken:
    """Store log records that belong to spans: messages and results of evaluations. A record sent twice is kept once.

    A record that names no trace is refused: without one it cannot be shown anywhere.
    """
    rows = {}
    refused = list(rejected)
    for event in events:
        content = {name: value for name in _EVENT_CONTENT if (value := getattr(event, name)) is not None}
        if event.evaluation is not None:
            content["evaluation"] = dataclasses.asdict(event.evaluation)
        body = orjson.dumps(policy.masker.mask_value(content), option=orjson.OPT_NON_STR_KEYS)
        if event.trace_id is None:
            detail = f"a {event.name} record must carry the trace id of its span"
            refused.append(Rejected(event.index, "trace_missing", detail, content))
            continue
        named = f"{event.trace_id}{event.span_id}{event.at_ns}{event.name}".encode()
        digest = hashlib.blake2b(named + body, digest_size=16).digest()
        rows[digest] = (event.trace_id, digest, event.span_id, clock.from_ns(event.at_ns), event.name, body.decode())
    with tenant_scope(tenant), connection.cursor() as cursor:
        columns = list(zip(*rows.values(), strict=True)) if rows else [()] * 6
        cursor.execute(
            "INSERT INTO traces_spanevent (tenant_id, run_id, digest, span_id, at, name, body) SELECT %s, n.* FROM "
            "unnest(%s::uuid[], %s::bytea[], %s::int8[], %s::timestamptz[], %s::text[], %s::text[]) AS n "
            "ON CONFLICT DO NOTHING",
            [tenant, *(list(column) for column in columns)],
        )
        accepted = cursor.rowcount
        _leave_dead_letters(tenant, policy.masker, "logs", refused, at)
    return Taken(accepted=accepted, duplicates=len(rows) - accepted, rejected=refused)


def prepare(spans: Sequence[Span], policy: IngestPolicy) -> list[Counted]:
    """Mask and price: what may be stored."""
    for span in spans:
        policy.masker.mask_span(span)
    return [_priced(span, policy) for span in spans]


def _priced(span: Span, policy: IngestPolicy) -> Counted:
    if not rollup.is_charged(span):
        return Counted(span=span, cost_nano_usd=None, price_version="")
    found = price(
        span.provider,
        span.model or span.model_requested,
        input=span.input_tokens,
        output=span.output_tokens,
        cache_read=span.cache_read_tokens,
        cache_write=span.cache_write_tokens,
        reasoning=span.reasoning_tokens,
        at=clock.from_ns(span.started_ns),
        overrides=policy.overrides,
    )
    version = found.table_version if found.nano_usd is not None else ""
    return Counted(span=span, cost_nano_usd=found.nano_usd, price_version=version, saved_nano_usd=found.saved_nano_usd)


def _leave_dead_letters(
    tenant: uuid.UUID, masker: Masker, signal: str, rejected: Sequence[Rejected], at: datetime
) -> None:
    if not rejected:
        return
    rows = [
        (new_id(), item.code[:40], masker.mask_text(item.detail), _raw_text(masker, item.raw))
        for item in rejected[:DEAD_LETTERS_MOST]
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO traces_deadletter (tenant_id, received_at, signal, state, settled_by, id, code, detail, raw) "
            "SELECT %s, %s, %s, 'new', '', n.* FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[]) AS n",
            [tenant, at, signal, *(list(column) for column in zip(*rows, strict=True))],
        )


def _raw_text(masker: Masker, raw: Any) -> str:
    """The refused thing as masked JSON text; one too large to keep is cut, and then cannot be replayed."""
    text = orjson.dumps(masker.mask_value(raw), option=orjson.OPT_NON_STR_KEYS, default=str).decode()
    if len(text) > RAW_MOST:
        return orjson.dumps({"cut": text[:RAW_MOST]}).decode()
    return text


_noted: dict[tuple[uuid.UUID, str], datetime] = {}  # keys this process has written down, each once an hour


def _not_noted_lately(tenant: uuid.UUID, names: Iterable[str], at: datetime) -> list[str]:
    cut = {name[:200] for name in names}
    return sorted(name for name in cut if not (noted := _noted.get((tenant, name))) or at - noted > NOTE_EVERY)


def _note_unmapped(tenant: uuid.UUID, names: list[str], at: datetime) -> None:
    if names:
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO traces_unmappedkey (tenant_id, name, first_seen_at, last_seen_at) "
                "SELECT %s, n, %s, %s FROM unnest(%s::text[]) AS n "
                "ON CONFLICT (tenant_id, name) DO UPDATE SET last_seen_at = excluded.last_seen_at",
                [tenant, at, at, list(names)],
            )


def _remember_noted(tenant: uuid.UUID, names: Iterable[str], at: datetime) -> None:
    """After the commit: a transaction that was rolled back has noted nothing."""
    if len(_noted) > 50_000:
        _noted.clear()
    for name in names:
        _noted[tenant, name] = at


def _count_minute(
    tenant: uuid.UUID, spans: Sequence[Span], written: writing.Written, rejected: int, body_bytes: int, at: datetime
) -> None:
    """Add to the minute's row. Last before the commit: every request of the tenant wants this row."""
    now_ns = clock.to_ns(at)
    lags = [max(0, now_ns - span.ended_ns) // 1_000_000 for span in spans] or [0]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO traces_ingestminute AS m (tenant_id, minute, requests, accepted, duplicates, rejected, body_bytes, "
            "lag_ms_sum, lag_ms_max) VALUES (%s, date_trunc('minute', %s::timestamptz), 1, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (tenant_id, minute) DO UPDATE SET requests = m.requests + 1, accepted = m.accepted + excluded.accepted, "
            "duplicates = m.duplicates + excluded.duplicates, rejected = m.rejected + excluded.rejected, "
            "body_bytes = m.body_bytes + excluded.body_bytes, lag_ms_sum = m.lag_ms_sum + excluded.lag_ms_sum, "
            "lag_ms_max = greatest(m.lag_ms_max, excluded.lag_ms_max)",
            [tenant, at, written.accepted, written.duplicates, rejected, body_bytes, sum(lags), max(lags)],
        )
