"""`bench faults`: `kill -9` at random instants under load; what was acknowledged is there once, and all sums add up.

A whole product (`manage.py up` on a directory of its own, durable) takes batches over HTTP while its web workers,
Celery workers, PostgreSQL and Valkey are killed one after the other. Senders behave as exporters do: a batch without
an answer, or with 503, is sent again; now and then one is given up, and may then be there whole or not at all.
"""

from __future__ import annotations

import collections
import http.client
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentops.portal.bench.product import PATIENCE_SECONDS, TARGETS, FaultError, Product, until, whole_product
from agentops.traces.normalise.times import rfc3339

SENDERS = 4
BATCH = 24
GIVE_UP_SHARE = 0.1
_PAUSE_SECONDS = 0.8  # at most, between what recovered and the next kill
_SECOND = 1_000_000_000
_MODEL = "gpt-4o-2024-08-06"
_Id = tuple[uuid.UUID, int]


@dataclass
class Batch:
    """One request, and what became of it."""

    path: str
    content_type: str
    body: bytes
    ids: frozenset[_Id]
    attempts: int = 0
    is_acknowledged: bool = False
    is_given_up: bool = False


@dataclass
class Seen:
    """What the senders saw, together."""

    batches: list[Batch] = field(default_factory=list)
    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)  # answers that no failure of an engine excuses
    acknowledged_at: float = 0.0

    def is_after(self, at: float) -> bool:
        """Was a batch acknowledged after this instant of the monotonic clock?"""
        return self.acknowledged_at > at


def run(
    *, rounds: int, seed: int | None = None, only: str | None = None, say: Callable[[str], None] = lambda line: None
) -> dict[str, Any]:
    """Kill `rounds` times, processes of every kind or `only` of one. The answer's `sound` is the verdict.

    Raises FaultError, with the ends of all logs, where the product does not come back.
    """
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    dice = random.Random(seed)
    begun = time.monotonic()
    with whole_product() as product:
        say(f"up on {product.directory} after {time.monotonic() - begun:.1f} s; seed {seed}")
        kills, slowest, seen = _kill_under_load(product, rounds, [only] if only else list(TARGETS), dice, say)
        stored, twice = _stored(product)
        equal = product.manage("ledger", "check", "--json")
    return _verdict(seen, stored, twice) | {
        "ledger_equal": bool(equal["equal"]),
        "sound": _verdict(seen, stored, twice)["spans_right"] and bool(equal["equal"]) and not seen.wrong,
        "seed": seed,
        "rounds": rounds,
        "kills": dict(kills),
        "slowest_recovery_seconds": round(slowest, 2),
        "answers": dict(seen.statuses),
        "wrong_answers": seen.wrong[:5],
        "seconds": round(time.monotonic() - begun, 1),
    }


def _verdict(seen: Seen, stored: set[_Id], twice: int) -> dict[str, Any]:
    acknowledged = {one for batch in seen.batches if batch.is_acknowledged for one in batch.ids}
    sent = {one for batch in seen.batches for one in batch.ids}
    halves = [batch for batch in seen.batches if batch.is_given_up and 0 < len(batch.ids & stored) < len(batch.ids)]
    missing, invented = len(acknowledged - stored), len(stored - sent)
    return {
        "batches": len(seen.batches),
        "batches_sent_again": sum(batch.attempts > 1 for batch in seen.batches),
        "batches_given_up": sum(batch.is_given_up for batch in seen.batches),
        "spans_acknowledged": len(acknowledged),
        "spans_stored": len(stored),
        "spans_missing": missing,
        "spans_twice": twice,
        "spans_nobody_sent": invented,
        "batches_in_part": len(halves),
        "spans_right": bool(acknowledged) and not (missing or twice or invented or halves),
    }


# -- load and kills ---------------------------------------------------------------------------------------------------


def _kill_under_load(
    product: Product, rounds: int, targets: list[str], dice: random.Random, say: Callable[[str], None]
) -> tuple[collections.Counter[str], float, Seen]:
    seen, stop, lock = Seen(), threading.Event(), threading.Lock()
    shared = [uuid.UUID(int=dice.getrandbits(128)) for _ in range(6)]  # runs that all senders add to
    senders = [
        threading.Thread(target=_send, args=(product, random.Random(dice.random()), shared, seen, lock, stop))
        for _ in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    kills: collections.Counter[str] = collections.Counter()
    slowest = 0.0
    try:
        until(lambda: seen.acknowledged_at > 0, "the first batch is acknowledged")
        for number in range(rounds):
            time.sleep(dice.random() * _PAUSE_SECONDS)  # a random instant is the point
            is_waited_for = rounds <= 2 * len(targets)  # few rounds: each kind in turn
            target = targets[number % len(targets)] if is_waited_for else dice.choice(targets)
            at = _killed_at(product, target, dice, is_waited_for=is_waited_for)
            if at is None:
                continue  # it has not come back from its last death
            kills[target] += 1
            until(partial(seen.is_after, at), f"a batch is acknowledged after the end of {target}")
            slowest = max(slowest, time.monotonic() - at)
            say(f"round {number + 1}: {target} killed, acknowledged again after {time.monotonic() - at:.2f} s")
    finally:
        stop.set()
        for sender in senders:
            sender.join(PATIENCE_SECONDS)
    if any(sender.is_alive() for sender in senders):
        raise FaultError("a sender never got its last batch acknowledged")
    return kills, slowest, seen


def _killed_at(product: Product, target: str, dice: random.Random, *, is_waited_for: bool) -> float | None:
    """Kill one of a kind; answers the instant before, by the monotonic clock. None where there is none now."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        at = time.monotonic()
        if product.kill(target, dice):  # one that was seen may have ended by itself since: a backend lives for a moment
            return at
        if not is_waited_for:
            return None
        if at > deadline:
            raise FaultError(f"waited {PATIENCE_SECONDS:.0f} s for a {target} to kill")
        time.sleep(0.01)


def _send(
    product: Product,
    dice: random.Random,
    shared: list[uuid.UUID],
    seen: Seen,
    lock: threading.Lock,
    stop: threading.Event,
) -> None:
    """One exporter: batch after batch, each again and again until it is acknowledged (or, seldom, given up)."""
    link: http.client.HTTPConnection | None = None
    while not stop.is_set():
        batch = _batch(dice, shared)
        with lock:
            seen.batches.append(batch)
        until = time.monotonic() + PATIENCE_SECONDS
        while not batch.is_acknowledged and time.monotonic() < until:
            batch.attempts += 1
            link = link or http.client.HTTPConnection("127.0.0.1", product.port, timeout=20)
            try:
                link.request("POST", batch.path, batch.body, product.headers(batch.content_type))
                answer = link.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                link.close()
                link = None
                _note(seen, lock, type(error).__name__)
            else:
                _take_answer(batch, answer, said, seen, lock)
            if not batch.is_acknowledged:
                if dice.random() < GIVE_UP_SHARE:
                    batch.is_given_up = True
                    break
                time.sleep(0.02 + dice.random() * 0.05)
    if link is not None:
        link.close()


def _take_answer(batch: Batch, answer: http.client.HTTPResponse, said: bytes, seen: Seen, lock: threading.Lock) -> None:
    _note(seen, lock, str(answer.status))
    if answer.status == 200 and not _refuses(batch, said):
        batch.is_acknowledged = True
        seen.acknowledged_at = time.monotonic()
    elif answer.status != 503 or not answer.headers["Retry-After"]:
        with lock:
            seen.wrong.append(f"{answer.status} {said[:200]!r}")


def _refuses(batch: Batch, said: bytes) -> bool:
    """An export without a word is a full success; our own form counts."""
    return bool(orjson.loads(said)["rejected"]) if batch.content_type == "application/json" else bool(said)


def _note(seen: Seen, lock: threading.Lock, what: str) -> None:
    with lock:
        seen.statuses[what] += 1


# -- batches ----------------------------------------------------------------------------------------------------------


def _batch(dice: random.Random, shared: list[uuid.UUID]) -> Batch:
    """Calls around calls in some shared runs and one of its own, in one of both forms."""
    runs = [*dice.sample(shared, 2), uuid.UUID(int=dice.getrandbits(128))]
    spans: list[_Made] = []
    for place in range(BATCH):
        inside = place % 3 == 2  # every third is inside the one before, and repeats its call
        run = spans[-1][0] if inside else runs[place % 2 if place < BATCH - 6 else 2]
        parent = spans[-1][1] if inside else None
        spans.append((run, dice.getrandbits(63) or 1, parent, dice.randrange(1, 500)))
    ids = frozenset((span[0], span[1]) for span in spans)
    if dice.random() < 0.5:
        return Batch("/v1/traces", "application/x-protobuf", _protobuf(spans), ids)
    return Batch("/api/v1/traces", "application/json", _native(spans), ids)


_Made = tuple[uuid.UUID, int, int | None, int]  # run, span, parent, input tokens


def _protobuf(spans: list[_Made]) -> bytes:
    now = time.time_ns()
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add().scope_spans.add()
    for run, span_id, parent, tokens in spans:
        span = group.spans.add()
        span.trace_id, span.span_id, span.name = run.bytes, span_id.to_bytes(8, "big"), "chat"
        if parent is not None:
            span.parent_span_id = parent.to_bytes(8, "big")
        span.start_time_unix_nano, span.end_time_unix_nano = now - _SECOND, now
        words = {"gen_ai.operation.name": "chat", "gen_ai.request.model": _MODEL, "gen_ai.provider.name": "openai"}
        for key, value in words.items():
            span.attributes.add(key=key).value.string_value = value
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = tokens
    return request.SerializeToString()


def _native(spans: list[_Made]) -> bytes:
    now = time.time_ns()
    times = {"started_at": rfc3339(now - _SECOND), "ended_at": rfc3339(now)}
    model = {"kind": "llm", "name": "chat", "model": _MODEL, "provider": "openai"}
    found = [
        {
            "trace_id": run.hex,
            "span_id": f"{span_id:016x}",
            "parent_span_id": None if parent is None else f"{parent:016x}",
            "input_tokens": tokens,
            **model,
            **times,
        }
        for run, span_id, parent, tokens in spans
    ]
    return orjson.dumps({"spans": found})


# -- what is stored -----------------------------------------------------------------------------------------------------


def _stored(product: Product) -> tuple[set[_Id], int]:
    """The spans in the table, and how many of them stand there more than once."""
    with product.connection() as link:
        rows = link.execute("SELECT run_id, span_id, count(*) FROM traces_span GROUP BY run_id, span_id").fetchall()
    return {(row[0], row[1]) for row in rows}, sum(row[2] > 1 for row in rows)
