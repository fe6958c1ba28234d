"""Many senders at once: no deadlock, every span once, and totals that add up."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces import services
from agentops.traces.errors import Busy
from agentops.traces.models import DeadLetter
from tests.ingest import rows
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import DAY, SECOND, Sender, native, new_span, new_trace, span
from tests.world import World

pytestmark = pytest.mark.race

THREADS = 8
CALL = {"kind": "llm", "model": "gpt-4o-2024-08-06", "provider": "openai", "input_tokens": 10, "output_tokens": 1}


@pytest.fixture
def acme(world: World, key_for: Callable[..., str]) -> Sender:
    return Sender(key_for(world.acme, "ingest"), read_key=key_for(world.acme, "read"))


def at_once(work: Sequence[Callable[[], Any]]) -> list[Any]:
    """Each piece of work in a thread and a connection of its own, all let go together; their results, in order."""
    together = threading.Barrier(len(work))
    results: list[Any] = [None] * len(work)

    def go(place: int) -> None:
        try:
            together.wait(20)
            results[place] = work[place]()
        except BaseException as error:
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(place,)) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def deadlocks() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def post(acme: Sender, spans: list[dict[str, Any]]) -> dict[str, Any]:
    """Send as an exporter does: again, where the answer is 503."""
    for _ in range(20):
        response = acme.client.post(
            "/api/v1/traces",
            data={"spans": spans},
            content_type="application/json",
            headers={"Authorization": f"Bearer {acme.key}"},
        )
        if response.status_code != 503:
            assert response.status_code == 200, response.content
            return dict(response.json())
        time.sleep(0.05)
    raise AssertionError("still busy")


def calls(trace: str, count: int, **more: Any) -> list[dict[str, Any]]:
    return [native(f"call {n}", trace_id=trace, span_id=f"{n + 1:016x}", **CALL, **more) for n in range(count)]


@pytest.mark.parametrize("attempt", range(4))
def test_one_new_run_from_many_senders_in_overlapping_batches(acme: Sender, world: World, attempt: int) -> None:
    dice, trace, before = random.Random(attempt), new_trace(), deadlocks()
    spans = calls(trace, 60)
    batches = [dice.sample(spans, 30) for _ in range(THREADS)]
    sent = {item["span_id"] for batch in batches for item in batch}
    answers = at_once([lambda batch=batch: post(acme, batch) for batch in batches])
    assert sum(answer["accepted"] for answer in answers) == len(sent)
    assert sum(answer["duplicates"] for answer in answers) == 30 * THREADS - len(sent)
    run = acme.run(trace)
    assert (run["span_count"], run["llm_calls"], run["input_tokens"]) == (len(sent), len(sent), 10 * len(sent))
    assert rows.ledger(world.acme.id, trace)["calls"] == len(sent)
    assert deadlocks() == before
    assert check()["equal"]


@pytest.mark.parametrize("kind", ["new", "known"])
def test_one_batch_sent_by_many_at_once_is_stored_once(acme: Sender, kind: str) -> None:
    traces = [new_trace() for _ in range(5)]
    spans = [item for trace in traces for item in calls(trace, 10)]
    if kind == "known":
        post(acme, [native(trace_id=trace) for trace in traces])
    answers = at_once([lambda: post(acme, spans)] * THREADS)
    assert sorted(answer["accepted"] for answer in answers) == [0] * (THREADS - 1) + [50]
    assert sum(answer["duplicates"] for answer in answers) == 50 * (THREADS - 1)
    assert check()["equal"]


@pytest.mark.parametrize("attempt", range(4))
def test_many_runs_in_any_order_with_shared_sums_never_deadlock(acme: Sender, attempt: int) -> None:
    """Batches meet in runs, facets and the hourly rows of the same users, each batch in an order of its own."""
    dice, before = random.Random(attempt), deadlocks()
    traces = [new_trace() for _ in range(12)]
    everything = [
        {**item, "user_id": f"u{n % 4}", "agent": f"bot-{n % 3}", "span_id": f"{n + 1:016x}"}
        for trace in traces
        for n, item in enumerate(calls(trace, 12))
    ]
    batches = [dice.sample(everything, len(everything) // 2) for _ in range(THREADS)]
    sent = {(item["trace_id"], item["span_id"]) for batch in batches for item in batch}

    def in_pieces(batch: list[dict[str, Any]]) -> int:
        return sum(post(acme, batch[begin : begin + 18])["accepted"] for begin in range(0, len(batch), 18))

    accepted = at_once([lambda batch=batch: in_pieces(batch) for batch in batches])
    assert sum(accepted) == len(sent)
    assert deadlocks() == before
    assert check()["equal"]


@pytest.mark.parametrize("attempt", range(3))
def test_nested_calls_that_arrive_together_are_counted_once(acme: Sender, attempt: int) -> None:
    traces = [new_trace() for _ in range(4)]
    levels = [
        [native(trace_id=trace, span_id=f"{level + 1:016x}", parent_span_id=f"{level:016x}" if level else None, **CALL)
         for trace in traces]
        for level in range(6)
    ]  # fmt: skip
    random.Random(attempt).shuffle(levels)
    at_once([lambda level=level: post(acme, level) for level in levels])
    assert {acme.run(trace)["llm_calls"] for trace in traces} == {1}
    assert check()["equal"]


@pytest.mark.parametrize("attempt", range(3))
def test_nameless_calls_and_the_roots_that_name_them_arrive_together(acme: Sender, world: World, attempt: int) -> None:
    runs = {new_trace(): new_span() for _ in range(6)}
    work = [
        [native(trace_id=trace, parent_span_id=root, **CALL) for trace, root in runs.items()]
        for _ in range(THREADS - 2)
    ]
    work.append([native(trace_id=trace, span_id=root, kind="run", agent="planner") for trace, root in runs.items()])
    work.append(
        [native(trace_id=trace, parent_span_id=root, kind="tool", user_id="u9") for trace, root in runs.items()]
    )
    random.Random(attempt).shuffle(work)
    before = deadlocks()
    at_once([lambda batch=batch: post(acme, batch) for batch in work])
    assert deadlocks() == before
    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        cursor.execute("SELECT agent, user_id, sum(calls) FROM budgets_usagehour WHERE calls <> 0 GROUP BY 1, 2")
        assert cursor.fetchall() == [("planner", "u9", len(runs) * (THREADS - 2))]
    assert check()["equal"]


def test_finishing_and_retention_do_not_disturb_ingest(acme: Sender, world: World) -> None:
    from agentops.traces import writing

    traces, before = [new_trace() for _ in range(20)], deadlocks()
    post(acme, [native(trace_id=trace, parent_span_id="00000000000000ff", **CALL) for trace in traces])
    ids = [uuid.UUID(trace) for trace in traces]

    def finish() -> int:
        with tenant_scope(world.acme.id):
            return writing.close_idle(tenant=world.acme.id, run_ids=ids[::-1], at=clock.now())

    def forget() -> int:
        with tenant_scope(world.acme.id):
            return writing.forget(tenant=world.acme.id, run_ids=ids[10:])

    later = [lambda n=n: post(acme, [item for trace in traces[:10] for item in calls(trace, 5 + n)]) for n in range(5)]
    at_once([*later, finish, finish, forget])
    assert len(acme.runs()) == 10
    assert {acme.run(trace)["span_count"] for trace in traces[:10]} == {1 + 9}
    assert deadlocks() == before
    assert check()["equal"]


def test_letters_replayed_by_two_at_once_are_taken_once(
    acme: Sender, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = time.time_ns() + 3 * DAY
    acme.spans(*(span(f"s{n}", trace_id="ab" * 16, start=start, end=start + SECOND) for n in range(10)))
    with tenant_scope(world.acme.id):
        letters = list(DeadLetter.objects.values_list("id", flat=True))
    later = clock.from_ns(start)

    def replay() -> tuple[int, int]:
        for _ in range(20):
            try:
                with tenant_scope(world.acme.id):
                    return services.replay_dead_letters(tenant=world.acme.id, ids=letters, by=world.ben.actor, at=later)
            except Busy:
                time.sleep(0.02)
        raise AssertionError("still busy")

    assert sorted(at_once([replay] * 4)) == [(0, 0)] * 3 + [(10, 10)]
    assert len(acme.spans_of("ab" * 16)) == 10
    assert check()["equal"]
