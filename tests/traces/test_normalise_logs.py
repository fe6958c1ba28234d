"""Log records that say something about spans."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentops.traces.normalise import normalise_logs
from agentops.traces.otlp import decode_logs
from tests.traces.otlp_build import NOW_NS, TRACE, logs_request


def read(*records: dict[str, Any]) -> tuple[list[Any], list[Any], int]:
    raw = decode_logs(logs_request(list(records)), encoding="protobuf")
    events, rejected = normalise_logs(raw, now_ns=NOW_NS)
    return events, rejected, raw.total - len(events) - len(rejected)


def test_an_evaluation_is_joined_by_span_or_by_response() -> None:
    attributes = {
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.75,
        "gen_ai.evaluation.score.label": "good",
        "gen_ai.evaluation.explanation": "on topic",
        "gen_ai.response.id": "r1",
    }
    record = {"event_name": "gen_ai.evaluation.result", "attributes": attributes}
    (first, second), rejected, _ = read(record, {**record, "trace_id": "", "span_id": ""})
    assert not rejected
    assert first.trace_id.hex == TRACE
    assert (first.evaluation.name, first.evaluation.score, first.evaluation.label) == ("relevance", 0.75, "good")
    assert first.at_ns == NOW_NS
    assert (second.trace_id, second.span_id, second.response_id) == (None, None, "r1")


def test_an_evaluation_that_failed_has_no_score() -> None:
    record = {
        "event_name": "gen_ai.evaluation.result",
        "attributes": {"gen_ai.evaluation.name": "x", "error.type": "timeout"},
    }
    (event,), _, _ = read(record)
    assert event.evaluation.score is None
    assert event.evaluation.error_type == "timeout"


@pytest.mark.parametrize("score", [float("nan"), float("inf"), "NaN", True, [1], "high"])
def test_a_score_that_is_no_number_is_no_score(score: Any) -> None:
    (event,), _, _ = read(
        {"event_name": "gen_ai.evaluation.result", "attributes": {"gen_ai.evaluation.score.value": score}}
    )
    assert event.evaluation.score is None


def test_the_name_may_be_an_attribute() -> None:
    (event,), _, _ = read({"attributes": {"event.name": "gen_ai.evaluation.result", "gen_ai.evaluation.name": "x"}})
    assert event.evaluation.name == "x"


def test_operation_details_bring_canonical_messages() -> None:
    (event,), _, _ = read(
        {
            "event_name": "gen_ai.client.inference.operation.details",
            "attributes": {
                "gen_ai.input.messages": json.dumps(
                    [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
                ),
                "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]}],
                "gen_ai.tool.definitions": '[{"name": "a"}]',
            },
        }
    )
    assert event.system_instructions == [{"type": "text", "content": "Be kind."}]
    assert event.prompt_hash.startswith("sha256:0d3de84")
    assert event.input == [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    assert event.output[0]["parts"][0]["content"] == "Ho"
    assert event.tool_definitions_hash
    assert event.attributes == {}


@pytest.mark.parametrize(
    ("name", "body", "field", "expected"),
    [
        (
            "gen_ai.user.message",
            {"content": "Hi"},
            "input",
            {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        ),
        (
            "gen_ai.tool.message",
            {"content": "5", "id": "c1"},
            "input",
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "5"}]},
        ),
        (
            "gen_ai.choice",
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Ho"}},
            "output",
            {"role": "assistant", "parts": [{"type": "text", "content": "Ho"}]},
        ),
    ],
)
def test_message_events_bring_one_message(name: str, body: Any, field: str, expected: Any) -> None:
    (event,), _, _ = read({"event_name": name, "body": body})
    assert getattr(event, field) == [expected]


def test_other_records_are_accepted_and_ignored() -> None:
    events, rejected, ignored = read({"event_name": "http.done"}, {"body": "a line of text"})
    assert (events, rejected, ignored) == ([], [], 2)


def test_bad_records_are_refused_alone() -> None:
    evaluation = {"event_name": "gen_ai.evaluation.result"}
    events, rejected, _ = read(
        evaluation,
        {**evaluation, "trace_id": "abcd"},
        {**evaluation, "time": 5},
        {**evaluation, "trace_id": "", "span_id": ""},
    )
    assert len(events) == 1
    assert [(item.index, item.code) for item in rejected] == [
        (1, "invalid_id"),
        (2, "time_out_of_range"),
        (3, "unmatched"),
    ]
