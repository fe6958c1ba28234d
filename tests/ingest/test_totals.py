"""Any set of spans, in any order, cut into any batches, with anything sent again, gives the same run.

Source of the rules: STANDARDS, section 4.1 ("Roll-ups count only leaf llm spans") and section 1.4.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentops.budgets.prices import price
from agentops.common import clock
from agentops.traces.normalise.times import rfc3339
from tests.ingest import rows
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import DAY, SECOND, Sender, new_trace
from tests.world import World

MISSING = 99
START = time.time_ns() // DAY * DAY - 2 * DAY + 22 * 3600 * SECOND  # two hours before a midnight
PRICED, FLOATING, UNPRICED = "gpt-4o-2024-08-06", "gpt-4o", "a-model-of-our-own"
# Which values a run shows depends on these alone; when it was received, and on which day it was first seen, do not count.
NOT_COMPARED = {"run_id", "day", "received_at", "finalised_at", "user_id"}


@dataclass(frozen=True)
class Made:
    """A span, but for its run."""

    id: int
    parent: int | None
    fields: tuple[tuple[str, Any], ...]

    def get(self, name: str) -> Any:
        return dict(self.fields).get(name)

    def sent(self, trace: str, user: str) -> dict[str, Any]:
        parent = None if self.parent is None else f"{self.parent:016x}"
        fields = dict(self.fields)
        started = START + fields.pop("after")
        times = {"started_at": rfc3339(started), "ended_at": rfc3339(started + fields.pop("lasts"))}
        return {
            "trace_id": trace,
            "span_id": f"{self.id:016x}",
            "parent_span_id": parent,
            "user_id": user,
            **times,
            **fields,
        }


def _counts(largest: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, largest)


@st.composite
def made(draw: st.DrawFn, id: int, count: int) -> Made:
    kind = draw(st.sampled_from(["llm", "llm", "llm", "tool", "tool", "other", "run"]))
    parent = draw(st.sampled_from([None, MISSING, *range(1, count + 1)]))
    fields: dict[str, Any] = {
        "kind": kind,
        "name": f"span {id}",
        "status": draw(st.sampled_from(["unset", "ok", "error"])),
        "after": draw(st.sampled_from([0, 0, 1000, 1])) * SECOND + draw(st.integers(0, 3)) * 3600 * SECOND,
        "lasts": draw(st.sampled_from([0, SECOND, 60 * SECOND])),
        "agent": draw(st.sampled_from(["", "bot", "helper"])),
        "agent_version": draw(st.sampled_from(["", "1", "2"])),
        "session_id": draw(st.sampled_from(["", "s1", "s2"])),
        "prompt_hash": draw(st.sampled_from(["", "sha256:aa", "sha256:bb"])),
        "error_type": draw(st.sampled_from(["", "", "timeout", "refused"])),
        "input": draw(st.sampled_from([None, f"in {id}"])),
        "output": draw(st.sampled_from([None, f"out {id}"])),
    }
    if kind == "tool":
        fields["tool"] = draw(st.sampled_from(["search", "pay"]))
    if kind == "llm":
        fields["model"] = draw(st.sampled_from([PRICED, FLOATING, UNPRICED]))
        fields["provider"] = "openai"
        if draw(st.booleans()):
            fields |= {"input_tokens": draw(_counts(5000)), "output_tokens": draw(_counts(900))}
            if fields["input_tokens"]:
                fields["cache_read_tokens"] = draw(_counts(fields["input_tokens"]))
            if fields["output_tokens"]:
                fields["reasoning_tokens"] = draw(_counts(fields["output_tokens"]))
    return Made(id, parent, tuple(fields.items()))


@dataclass(frozen=True)
class Case:
    spans: list[Made]
    batches: list[list[Made]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Some spans, and a way to send them: shuffled, cut, and with some of them sent again."""
    count = draw(st.integers(1, 9))
    spans = [draw(made(id, count)) for id in range(1, count + 1)]
    sending = draw(st.permutations(spans + draw(st.lists(st.sampled_from(spans), max_size=5))))
    cuts = sorted(draw(st.sets(st.integers(1, max(1, len(sending) - 1)))))
    batches = [sending[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(sending)]) if begin < end]
    return Case(spans, batches)


# -- the same rules once more, as plainly as they can be said -----------------------------------------------------------


def above(span: Made, by_id: dict[int, Made]) -> Iterable[Made]:
    seen = {span.id}
    while span.parent is not None and span.parent not in seen and span.parent in by_id:
        span = by_id[span.parent]
        seen.add(span.id)
        yield span


def has_usage(span: Made) -> bool:
    return span.get("input_tokens") is not None or span.get("output_tokens") is not None


def repeats(spans: list[Made]) -> set[int]:
    """The ids of spans that hold the same call as another one."""
    by_id = {span.id: span for span in spans}
    found = set()
    for inner in spans:
        for outer in above(inner, by_id):
            if (inner.get("kind"), outer.get("kind")) == ("llm", "llm"):
                found.add(outer.id if has_usage(inner) or not has_usage(outer) else inner.id)
        parent = by_id.get(inner.parent or 0)
        if parent and parent is not inner and tool_of(inner) and tool_of(inner) == tool_of(parent):
            found.add(inner.id)
    return found


def tool_of(span: Made) -> str | None:
    return span.get("tool") if span.get("kind") == "tool" else None


def expected(spans: list[Made]) -> dict[str, Any]:
    """The totals of a run."""
    counted = [span for span in spans if span.id not in repeats(spans)]
    calls = [span for span in counted if span.get("kind") == "llm"]
    charged = [span for span in calls if has_usage(span) or status(span) != "error"]
    amounts = [cost(span) for span in charged]
    totals = {name: sum(span.get(name) or 0 for span in calls) for name in rows.TOKENS}
    return {
        **totals,
        "span_count": len(spans),
        "error_count": sum(status(span) == "error" for span in spans),
        "llm_calls": len(calls),
        "tool_calls": sum(span.get("kind") == "tool" for span in counted),
        "cost_nano_usd": sum(amount or 0 for amount in amounts),
        "priced_calls": sum(amount is not None for amount in amounts),
        "unpriced_calls": sum(amount is None for amount in amounts),
        "tools": sorted({span.get("tool") for span in spans if span.get("kind") == "tool"}),
        "model_names": sorted({span.get("model") for span in spans if span.get("kind") == "llm"}),
        "error_types": sorted({span.get("error_type") for span in spans} - {""}),
    }


def status(span: Made) -> str:
    return str(span.get("status"))


def cost(span: Made) -> int | None:
    counts = {name.removesuffix("_tokens"): span.get(name) for name in rows.TOKENS}
    return price("openai", span.get("model"), **counts, at=clock.now()).nano_usd


# -- the property -------------------------------------------------------------------------------------------------------


def send(sender: Sender, trace: str, batches: Iterable[list[Made]], *, user: str = "") -> tuple[int, int]:
    answers = [sender.native(*(span.sent(trace, user) for span in batch)) for batch in batches]
    assert not any(answer["rejected"] for answer in answers)
    return sum(answer["accepted"] for answer in answers), sum(answer["duplicates"] for answer in answers)


@pytest.mark.parametrize("examples", [int(os.environ.get("TOTALS_EXAMPLES", "80"))])
def test_a_run_does_not_depend_on_how_its_spans_came(acme: Sender, world: World, examples: int) -> None:
    tenant, numbers = world.acme.id, itertools.count()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize="TOTALS_EXAMPLES" not in os.environ,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def holds(case: Case) -> None:
        together, apart = new_trace(), new_trace()
        number = next(numbers)
        users = f"user-{number}-together", f"user-{number}-apart"
        for trace, batches, user in ((together, [case.spans], users[0]), (apart, case.batches, users[1])):
            accepted, duplicates = send(acme, trace, batches, user=user)
            assert (accepted, duplicates) == (len(case.spans), sum(map(len, batches)) - len(case.spans))
        one, other = (_compared(rows.run(tenant, trace)) for trace in (together, apart))
        assert one == other
        assert {name: one[name] for name in expected(case.spans)} == expected(case.spans)
        facets = [{facet for facet in rows.facets(tenant, trace) if facet[0] != 3} for trace in (together, apart)]
        assert facets[0] == facets[1]
        entries = [rows.ledger(tenant, trace) for trace in (together, apart)]
        assert entries[0] == entries[1]
        charged = expected(case.spans)
        assert entries[0]["calls"] == charged["priced_calls"] + charged["unpriced_calls"]
        assert entries[0]["amount_nano_usd"] == charged["cost_nano_usd"]
        assert {name: entries[0][name] for name in rows.TOKENS} == {name: charged[name] for name in rows.TOKENS}
        assert rows.usage(tenant, users[0]) == rows.usage(tenant, users[1])

    holds()
    assert check()["equal"]


def _compared(run: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in run.items() if name not in NOT_COMPARED}
    return {**kept, "basis": orjson.loads(run["basis"])}


def test_a_run_keeps_the_first_fifty_of_many_values_in_whatever_order_they_come(acme: Sender, world: World) -> None:
    spans = [Made(n + 1, None, (("kind", "tool"), ("name", "x"), ("tool", f"tool-{n:03}"), ("after", 0), ("lasts", 0)))
             for n in range(60)]  # fmt: skip
    one, other = new_trace(), new_trace()
    send(acme, one, [spans])
    send(acme, other, [[span] for span in reversed(spans)])
    tools = [rows.run(world.acme.id, trace)["tools"] for trace in (one, other)]
    assert tools[0] == tools[1] == [f"tool-{n:03}" for n in range(50)]
    assert rows.facets(world.acme.id, one) == rows.facets(world.acme.id, other)
