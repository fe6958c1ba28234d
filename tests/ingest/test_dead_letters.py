"""Refused spans: taken when their cause is gone, once; or thrown away."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces import services
from agentops.traces.models import DeadLetter
from agentops.traces.models.ingest import DeadLetterState
from tests.ingest.organisations import Travel
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import DAY, Sender, native, new_trace, span
from tests.world import World

CALL = {"kind": "llm", "model": "gpt-4o-2024-08-06", "provider": "openai", "input_tokens": 100, "output_tokens": 10}


def letters(world: World, **filters: Any) -> list[uuid.UUID]:
    with tenant_scope(world.acme.id):
        return list(DeadLetter.objects.filter(**filters).order_by("id").values_list("id", flat=True))


def replay(world: World, ids: list[uuid.UUID]) -> tuple[int, int]:
    with tenant_scope(world.acme.id):
        return services.replay_dead_letters(tenant=world.acme.id, ids=ids, by=world.ben.actor, at=clock.now())


@pytest.mark.parametrize("signal", ["traces", "native"])
def test_a_refused_span_is_taken_when_its_cause_is_gone_and_only_once(
    acme: Sender, world: World, travel: Travel, signal: str
) -> None:
    trace, at = new_trace(), time.time_ns() // 1000 * 1000 + 3 * DAY
    model = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-4o-2024-08-06",
        "gen_ai.provider.name": "openai",
    }
    usage = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10, "custom.note": "ask kim@example.com"}
    if signal == "traces":
        acme.spans(span("early", trace_id=trace, start=at, end=at, attributes={**model, **usage}))
    else:
        acme.native(native("early", trace_id=trace, at=at, **CALL, attributes={"custom.note": "ask kim@example.com"}))
    [letter] = letters(world)
    assert replay(world, [letter]) == (1, 0), "its time has not come"
    assert letters(world, state=DeadLetterState.NEW) == [letter]
    travel(days=3)
    assert replay(world, [letter]) == (1, 1)
    assert replay(world, [letter]) == (0, 0)
    assert letters(world, state=DeadLetterState.NEW) == []
    run = acme.run(trace)
    assert (run["span_count"], run["llm_calls"], run["input_tokens"]) == (1, 1, 100)
    [found] = acme.spans_of(trace)
    assert (found["name"], found["attributes"]["custom.note"]) == ("early", "ask [masked:email]")
    assert world.acme.actions() == ["ingest.replayed", "ingest.replayed", "ingest.replayed"]
    assert check()["equal"]


def test_a_span_that_was_sent_meanwhile_is_not_doubled_by_its_letter(
    acme: Sender, world: World, travel: Travel
) -> None:
    trace, at = new_trace(), time.time_ns() // 1000 * 1000 + 3 * DAY
    item = native(trace_id=trace, at=at, **CALL)
    acme.native(item)
    acme.native(item)  # two letters of one span
    travel(days=3)
    acme.native(item)
    assert replay(world, letters(world)) == (2, 2)
    assert acme.run(trace)["llm_calls"] == 1
    assert check()["equal"]


def test_what_never_was_a_readable_span_stays(acme: Sender, world: World) -> None:
    acme.spans(span(span_id="00"), span(trace_id="", span_id=""))
    acme.native("no span", native(kind="nothing"))
    acme.logs({"event_name": "gen_ai.choice", "trace_id": "ab", "time": time.time_ns()})
    found = letters(world)
    assert len(found) == 5 and replay(world, found) == (5, 0)
    assert letters(world, state=DeadLetterState.NEW) == found and acme.runs() == []


def test_discarded_letters_do_not_come_back(acme: Sender, world: World, travel: Travel) -> None:
    at = time.time_ns() + 3 * DAY
    acme.spans(span(start=at, end=at), span(start=at, end=at))
    first, second = letters(world)
    travel(days=3)
    for expected in (1, 0):
        with tenant_scope(world.acme.id):
            discarded = services.discard_dead_letters(
                tenant=world.acme.id, ids=[first], by=world.ben.actor, at=clock.now()
            )
        assert discarded == expected
    assert replay(world, [first, second]) == (1, 1)
    assert len(acme.runs()) == 1
    assert letters(world, state=DeadLetterState.DISCARDED) == [first]


def test_another_tenants_letters_are_out_of_reach(acme: Sender, globex: Sender, world: World, travel: Travel) -> None:
    at = time.time_ns() + 3 * DAY
    globex.spans(span(start=at, end=at))
    with tenant_scope(world.globex.id):
        theirs = list(DeadLetter.objects.values_list("id", flat=True))
    travel(days=3)
    assert replay(world, theirs) == (0, 0)
    assert acme.runs() == [] == globex.runs()
