"""Our own JSON form of spans: what goes in comes out, and what is wrong is said by index."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import orjson
import pytest

from agentops.budgets.prices import price
from agentops.common import clock
from agentops.common.money import usd_text
from agentops.traces.normalise.native_reader import CONTENT, FIELDS, NUMBERS, TEXTS
from agentops.traces.normalise.times import rfc3339
from tests.ingest.wire import DAY, SECOND, Sender, native, new_span, new_trace

MODEL = {"kind": "llm", "model": "gpt-4o-2024-08-06", "provider": "openai"}
USAGE = {
    "input_tokens": 1000,
    "output_tokens": 200,
    "cache_read_tokens": 300,
    "cache_write_tokens": 0,
    "reasoning_tokens": 50,
}


# -- in and out -------------------------------------------------------------------------------------------------------

EVERYTHING: dict[str, Any] = {
    **{name: f"a {name.replace('_', ' ')}" for name in TEXTS},
    "parent_span_id": "00000000000000ff",
    "kind": "llm",
    "status": "error",
    **{name: 10 + place for place, name in enumerate(NUMBERS)},
    "input_tokens": 900,
    "output_tokens": 800,
    "finish_reasons": ["stop", "tool_call"],
    **{name: {"of": name, "list": [1, 2.5, None, True, "ü\U0001f600"]} for name in CONTENT},
    "attributes": {"custom.text": "x", "custom.number": 1.5, "custom.nested": {"a": [1, {"b": None}]}},
}


def test_every_field_comes_back_as_it_was_sent(acme: Sender) -> None:
    sent = native(**EVERYTHING)
    assert set(sent) == set(FIELDS), "this test sends every field there is"
    assert acme.native(sent) == {"accepted": 1, "duplicates": 0, "rejected": []}
    [found] = acme.spans_of(sent["trace_id"])
    assert {name: found[name] for name in FIELDS} == sent
    assert set(found) == {*FIELDS, "cost_usd", "counted", "guarded"}


@pytest.mark.parametrize("kind", ["run", "llm", "tool", "reasoning", "side_effect", "retrieval", "guardrail", "other"])
@pytest.mark.parametrize("status", ["ok", "error", "unset"])
def test_every_kind_and_status_comes_back(acme: Sender, kind: str, status: str) -> None:
    sent = native(kind=kind, status=status)
    acme.native(sent)
    [found] = acme.spans_of(sent["trace_id"])
    assert (found["kind"], found["status"]) == (kind, status)


@pytest.mark.parametrize("value", [0, False, "", [], {}, 0.0, "0", [None]])
@pytest.mark.parametrize("name", ["result", "output", "arguments"])
def test_an_empty_answer_is_an_answer(acme: Sender, name: str, value: Any) -> None:
    sent = native(kind="tool", tool="count", **{name: value})
    acme.native(sent)
    [found] = acme.spans_of(sent["trace_id"])
    assert found[name] == value and type(found[name]) is type(value)


def test_what_was_not_sent_is_null(acme: Sender) -> None:
    sent = native()
    acme.native(sent)
    [found] = acme.spans_of(sent["trace_id"])
    given = {"trace_id", "span_id", "kind", "name", "started_at", "ended_at", "status", "finish_reasons", "attributes"}
    assert {
        name: value for name, value in found.items() if name not in {*given, "counted", "guarded"}
    } == dict.fromkeys(set(FIELDS) - given | {"cost_usd"})
    assert (found["status"], found["finish_reasons"], found["attributes"]) == ("unset", [], {})


def test_zero_is_not_nothing(acme: Sender) -> None:
    sent = native(**MODEL, input_tokens=0, output_tokens=0, first_token_ms=0)
    acme.native(sent)
    [found] = acme.spans_of(sent["trace_id"])
    assert (found["input_tokens"], found["output_tokens"], found["first_token_ms"]) == (0, 0, 0)
    assert found["reasoning_tokens"] is None


def test_times_keep_their_microseconds_and_come_back_in_utc(acme: Sender) -> None:
    day = rfc3339(time.time_ns())[:10]
    sent = native(started_at=f"{day}T03:00:00.123456789+02:00", ended_at=f"{day}T03:00:00.5+02:00")
    assert acme.native(sent)["accepted"] == 1
    [found] = acme.spans_of(sent["trace_id"])
    assert found["started_at"] == f"{day}T01:00:00.123456Z"
    assert found["ended_at"] == f"{day}T01:00:00.500000Z"


def test_ids_in_upper_case_are_the_same_ids(acme: Sender) -> None:
    sent = native()
    acme.native(sent)
    again = acme.native({**sent, "trace_id": sent["trace_id"].upper(), "span_id": sent["span_id"].upper()})
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert acme.run(sent["trace_id"].upper())["run_id"] == sent["trace_id"]


def test_spans_come_in_order_of_their_start_page_by_page(acme: Sender) -> None:
    trace, now = new_trace(), time.time_ns() // 1000 * 1000 - DAY // 2
    sent = [native(f"{place:02}", trace_id=trace, at=now + place // 3 * SECOND) for place in range(20)]
    acme.native(*reversed(sent))
    page = acme.get(f"/api/v1/runs/{trace}/spans", limit=7)
    names, pages = [item["name"] for item in page["results"]], 1
    while page["next"]:
        page = acme.get(page["next"].removeprefix("http://testserver"))
        names += [item["name"] for item in page["results"]]
        pages += 1
    assert pages == 3
    assert [int(name) // 3 for name in names] == [place // 3 for place in range(20)] and len(set(names)) == 20


# -- refused ----------------------------------------------------------------------------------------------------------

_LONG_AGO = rfc3339(time.time_ns() - 500 * DAY)
_AHEAD = rfc3339(time.time_ns() + 3 * DAY)
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no trace id": ({"trace_id": None}, "required", "trace_id is required"),
    "no name": ({"name": None}, "required", "name is required"),
    "a short trace id": ({"trace_id": "ab"}, "invalid_id", "32 hex digits"),
    "an all-zero span id": ({"span_id": "0" * 16}, "invalid_id", "all zero"),
    "an id that is a number": ({"span_id": 5}, "invalid_id", "16 hex digits"),
    "a bad parent": ({"parent_span_id": "xyz"}, "invalid_id", "parent_span_id"),
    "another kind": ({"kind": "LLM"}, "invalid_value", "run, llm, tool"),
    "another status": ({"status": "failed"}, "invalid_value", "unset, ok, error"),
    "a time without a zone": ({"started_at": "2026-11-23T10:00:00"}, "invalid_time", "RFC 3339"),
    "a time as a number": ({"ended_at": 1_790_000_000}, "invalid_time", "RFC 3339"),
    "a day that is none": ({"started_at": "2026-02-30T10:00:00Z"}, "invalid_time", "RFC 3339"),
    "an end before the start": ({"ended_at": "2026-01-01T00:00:00Z"}, "time_reversed", "not be before started_at"),
    "a start long ago": ({"started_at": _LONG_AGO, "ended_at": _LONG_AGO}, "time_out_of_range", "the oldest time kept"),
    "an end far ahead": ({"ended_at": _AHEAD}, "time_out_of_range", "not be after"),
    "tokens below zero": ({"input_tokens": -1}, "invalid_type", "integer >= 0"),
    "tokens as text": ({"output_tokens": "5"}, "invalid_type", "integer >= 0"),
    "tokens that are true": ({"reasoning_tokens": True}, "invalid_type", "integer >= 0"),
    "half a token": ({"input_tokens": 0.5}, "invalid_type", "integer >= 0"),
    "too many tokens": ({"input_tokens": 2**31}, "invalid_value", "at most"),
    "a name that is a list": ({"name": ["x"]}, "invalid_type", "name must be a string"),
    "a text too long": ({"user_id": "x" * 600}, "invalid_value", "at most 512 characters"),
    "attributes as a list": ({"attributes": []}, "invalid_type", "attributes must be an object"),
    "reasons as a word": ({"finish_reasons": "stop"}, "invalid_type", "array"),
    "content too deep": ({"input": orjson.loads("[" * 40 + "]" * 40)}, "too_deep", "32 levels"),
    "a field nobody knows": ({"colour": "red"}, "unknown_field", '"attributes"'),
    "a field misspelt": ({"tool_cal_id": "1"}, "unknown_field", 'did you mean "tool_call_id"?'),
    "OTLP's name of a field": ({"traceId": "1"}, "unknown_field", 'did you mean "trace_id"?'),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_bad_span_is_refused_by_its_index_and_the_rest_is_taken(acme: Sender, what: str) -> None:
    fields, code, says = REFUSED[what]
    trace = new_trace()
    bad = native(**fields)
    answer = acme.native(native("a", trace_id=trace), native("b", trace_id=trace), bad, native("c", trace_id=trace))
    assert answer["accepted"] == 3 and answer["duplicates"] == 0
    [refused] = answer["rejected"]
    assert (refused["index"], refused["code"]) == (2, code)
    assert says in refused["detail"]
    assert acme.names_of(trace) == ["a", "b", "c"]


def test_a_span_that_is_no_object_is_refused_by_its_index(acme: Sender) -> None:
    answer = acme.native(native(), "text", None, 5, [])
    assert answer["accepted"] == 1
    assert [(item["index"], item["code"]) for item in answer["rejected"]] == [(n, "invalid_type") for n in (1, 2, 3, 4)]


def test_all_that_is_wrong_with_a_span_is_said_at_once(acme: Sender) -> None:
    [refused] = acme.native(native(kind="x", input_tokens=-1, colour=1))["rejected"]
    assert all(name in refused["detail"] for name in ("kind", "input_tokens", "colour"))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"[]", "must be a JSON object"),
        (b'{"spans": {}}', "must be an array"),
        (b"{}", "must be an array"),
        (b'{"spans": [], "more": 1}', "unknown field"),
        (b'{"spans": [NaN]}', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_body_that_is_no_list_of_spans_is_a_problem_document(acme: Sender, body: bytes, says: str) -> None:
    problem = acme.native(body=body, expect=400)
    assert (problem["status"], problem["code"]) == (400, "invalid")
    assert says in problem["detail"]


def test_another_content_type_is_refused(acme: Sender) -> None:
    response = acme.client.post(
        "/api/v1/traces", data=b"{}", content_type="text/plain", headers={"Authorization": f"Bearer {acme.key}"}
    )
    assert response.status_code == 415 and response["Content-Type"] == "application/problem+json"


def test_no_spans_are_fine(acme: Sender) -> None:
    assert acme.native() == {"accepted": 0, "duplicates": 0, "rejected": []}


# -- once -------------------------------------------------------------------------------------------------------------


def test_a_span_sent_again_counts_once(acme: Sender) -> None:
    trace = new_trace()
    spans = [native(f"call {n}", trace_id=trace, **MODEL, **USAGE) for n in range(5)]
    assert acme.native(*spans) == {"accepted": 5, "duplicates": 0, "rejected": []}
    before = acme.run(trace)
    assert acme.native(*spans, spans[0]) == {"accepted": 0, "duplicates": 6, "rejected": []}
    more = native("more", trace_id=trace)
    assert acme.native(more, spans[2], more) == {"accepted": 1, "duplicates": 2, "rejected": []}
    assert acme.run(trace) == {**before, "span_count": 6, "started_at": before["started_at"]} | {
        name: acme.run(trace)[name] for name in ("ended_at", "duration_ms")
    }


def test_the_first_of_two_spans_with_one_id_stays(acme: Sender) -> None:
    first = native("first", result=1)
    acme.native(first)
    acme.native({**first, "name": "second", "started_at": rfc3339(time.time_ns() - 60 * SECOND), "result": 2})
    [found] = acme.spans_of(first["trace_id"])
    assert (found["name"], found["result"]) == ("first", 1)


# -- totals, cost and status ------------------------------------------------------------------------------------------


def test_a_run_adds_up_its_spans(acme: Sender) -> None:
    trace, root, start = new_trace(), new_span(), time.time_ns() // 1000 * 1000 - 60 * SECOND
    spans = [
        native("support", trace_id=trace, span_id=root, kind="run", at=start, agent="bot", agent_version="7", user_id="u1",
               session_id="s1", prompt_hash="sha256:aa", tool_definitions_hash="sha256:bb", ended_at=rfc3339(start + 9 * SECOND)),
        native("ask", trace_id=trace, parent_span_id=root, at=start + SECOND, **MODEL, **USAGE),
        native("ask", trace_id=trace, parent_span_id=root, at=start + 2 * SECOND, **MODEL, **USAGE),
        native("look", trace_id=trace, parent_span_id=root, at=start + 3 * SECOND, kind="tool", tool="search"),
        native("pay", trace_id=trace, parent_span_id=root, at=start + 4 * SECOND, kind="tool", tool="refund", status="error",
               error_type="timeout"),
    ]  # fmt: skip
    acme.native(*spans)
    run = acme.run(trace)
    one = price(
        "openai", MODEL["model"], input=1000, output=200, cache_read=300, cache_write=0, reasoning=50, at=clock.now()
    )
    assert one.nano_usd
    assert {name: value for name, value in run.items() if name not in ("service", "environment")} == {
        "run_id": trace,
        "agent": "bot",
        "agent_version": "7",
        "user": "u1",
        "session": "s1",
        "status": "error",
        "started_at": spans[0]["started_at"],
        "ended_at": spans[0]["ended_at"],
        "duration_ms": 9000.0,
        "llm_calls": 2,
        "tool_calls": 2,
        "span_count": 5,
        "error_count": 1,
        "input_tokens": 2000,
        "output_tokens": 400,
        "cache_read_tokens": 600,
        "cache_write_tokens": 0,
        "reasoning_tokens": 100,
        "cost_usd": usd_text(2 * one.nano_usd),
        "cost_state": "priced",
        "tools": ["refund", "search"],
        "models": [MODEL["model"]],
        "error_types": ["timeout"],
        "prompt_hash": "sha256:aa",
        "tool_definitions_hash": "sha256:bb",
        "flags": [],
    }
    costs = {item["name"]: item["cost_usd"] for item in acme.spans_of(trace)}
    assert costs == {"support": None, "ask": usd_text(one.nano_usd), "look": None, "pay": None}
    assert Decimal(run["cost_usd"]) == 2 * Decimal(costs["ask"])


@pytest.mark.parametrize(
    ("models", "state"),
    [
        ([], "priced"),
        (["gpt-4o-2024-08-06"], "priced"),
        (["gpt-4o-2024-08-06", "a-model-of-our-own"], "partial"),
        (["a-model-of-our-own"], "unpriced"),
    ],
)
def test_a_call_without_a_price_is_never_free(acme: Sender, models: list[str], state: str) -> None:
    trace = new_trace()
    acme.native(native(trace_id=trace), *(native(trace_id=trace, kind="llm", model=m, **USAGE) for m in models))
    run = acme.run(trace)
    assert (run["cost_state"], run["llm_calls"]) == (state, len(models))
    for item in acme.spans_of(trace):
        assert (item["cost_usd"] is None) == (item["model"] != "gpt-4o-2024-08-06")


ROOT, CHILD = {"parent_span_id": None}, {"parent_span_id": "00000000000000aa"}
STATUSES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "a root that is ok": ([{**ROOT, "status": "ok"}], "ok"),
    "a root that says nothing": ([ROOT], "ok"),
    "a root in error": ([{**ROOT, "status": "error"}], "error"),
    "a root that says nothing over an error": ([ROOT, {**CHILD, "status": "error"}], "error"),
    "a root that is ok over an error": ([{**ROOT, "status": "ok"}, {**CHILD, "status": "error"}], "ok"),
    "no root": ([{**CHILD, "status": "ok"}], "running"),
    "no root and an error": ([{**CHILD, "status": "error"}], "running"),
    "an error type alone": ([{**ROOT, "error_type": "timeout"}], "error"),
}


@pytest.mark.parametrize("what", STATUSES)
def test_the_root_decides_the_status_of_a_run(acme: Sender, what: str) -> None:
    fields, status = STATUSES[what]
    trace = new_trace()
    acme.native(*(native(trace_id=trace, **item) for item in fields))
    assert acme.run(trace)["status"] == status
    assert acme.runs(status=status) == [trace]
