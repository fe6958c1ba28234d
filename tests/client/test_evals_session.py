"""Recorded tools: matched by tool, arguments and order; nothing runs; faults where the case says, and only there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from agentops_client import model_call, tool
from agentops_client.answers import Usage
from agentops_client.evals import Case, Diverged, RecordedError, RecordedRefusal, run_case
from agentops_client.evals_session import Session, plain
from pydantic import BaseModel

LOOK = {"tool": "look", "arguments": {"id": 1}, "result": {"state": "new"}}


def session(*recordings: dict[str, Any], **more: Any) -> Session:
    return Session(Case(key="a", input="hello", **more), recordings)


def test_the_same_call_gets_its_answers_in_the_order_of_the_recording_and_no_more() -> None:
    made = session(LOOK, {**LOOK, "result": {"state": "sent"}}, {**LOOK, "arguments": {"id": 2}, "result": None})
    assert made.call("look", {"id": 2}) is None
    assert [made.call("look", {"id": 1})["state"] for _ in range(2)] == ["new", "sent"]
    with pytest.raises(Diverged, match="nobody recorded"):
        made.call("look", {"id": 1})
    assert [step["recorded"] for step in made.steps] == [True, True, True, False]


def test_arguments_are_the_same_if_their_canonical_bytes_are() -> None:
    made = session({"tool": "look", "arguments": {"a": 1, "b": [1.0]}, "result": 1, "times": 2})
    assert made.call("look", {"b": [1], "a": 1.0}) == 1
    with pytest.raises(Diverged):
        made.call("look", {"a": True, "b": [1]})
    with pytest.raises(Diverged):
        made.call("look", {"a": 1})


def test_an_exact_recording_is_used_before_one_that_leaves_something_open() -> None:
    made = session(
        {"tool": "look", "result": "any", "times": 9},
        {"tool": "look", "arguments_include": {"id": 1}, "result": "included"},
        {"tool": "look", "arguments": {"id": 1}, "result": "exact"},
    )
    assert [made.call("look", {"id": 1}) for _ in range(3)] == ["exact", "included", "any"]
    assert made.call("look", {"id": 7}) == "any"


def test_what_an_agent_does_to_a_result_does_not_reach_the_next_call() -> None:
    made = session({**LOOK, "times": 2})
    made.call("look", {"id": 1})["state"] = "spoilt"
    assert made.call("look", {"id": 1}) == {"state": "new"}


def test_recorded_failures_and_refusals_are_raised_and_noted() -> None:
    made = session(
        {"tool": "pay", "error": {"type": "timeout", "message": "no answer"}},
        {"tool": "wipe", "confirmation": "refused"},
        {"tool": "send", "confirmation": "approved", "result": "sent"},
    )
    with pytest.raises(RecordedError, match="no answer") as failed:
        made.call("pay", {})
    assert failed.value.type == "timeout" and "no answer" in failed.value.for_model()
    with pytest.raises(RecordedRefusal):
        made.call("wipe", {"all": True})
    assert made.call("send") == "sent"
    assert [step.get("confirmation") for step in made.steps] == [None, "refused", "approved"]


@pytest.mark.parametrize(
    ("fault", "raised"), [("timeout", TimeoutError), ("error", RecordedError), ("malformed", None)]
)
def test_a_fault_hits_one_call_and_the_same_call_again_has_the_recording(fault: str, raised: Any) -> None:
    made = session(LOOK, {"tool": "pay", "result": 1}, fault=fault, turn=1)
    if raised:
        with pytest.raises(raised):
            made.call("look", {"id": 1})
    else:
        text = made.call("look", {"id": 1})
        assert isinstance(text, str) and text.startswith('{"data": {')
    assert made.call("look", {"id": 1}) == {"state": "new"}
    assert made.call("pay") == 1
    assert [step.get("fault") for step in made.steps] == [fault, None, None]


def test_another_repeat_puts_the_fault_elsewhere() -> None:
    made = session(LOOK, {"tool": "pay", "result": 1}, fault="timeout", turn=2)
    made.call("look", {"id": 1})
    with pytest.raises(TimeoutError):
        made.call("pay")


def test_an_agents_own_functions_keep_their_signature_and_are_never_called() -> None:
    def look(id: int, deep: bool = False) -> dict[str, Any]:
        """Looks."""
        raise AssertionError("it ran")

    made = session(LOOK, {"tool": "look", "arguments": {"id": 1, "deep": True}, "result": "deep"})
    recorded = made.tool("look", like=look)
    assert (recorded.__name__, recorded.__doc__) == ("look", "Looks.")
    assert recorded(1) == {"state": "new"} and recorded(1, deep=True) == "deep"
    with pytest.raises(TypeError, match="keywords"):
        made.tool("other")(1)


def test_guarded_functions_answer_from_the_recording_and_model_calls_are_noted() -> None:
    @tool("look")
    def look_up(id: int) -> Any:
        raise AssertionError("it ran")

    @model_call(model="m-1", max_output_tokens=50, input_tokens=len)
    def ask(call: Any, prompt: str) -> str:
        assert (call.model, call.max_output_tokens) == ("m-1", 50)
        call.used(Usage(7, 3))
        return prompt

    def agent(case: Case, _: Session) -> str:
        return ask(case.prompt) + look_up(id=1)["state"]

    made = session(LOOK)
    told = run_case(agent, made.case, made)
    assert told["output"] == "hellonew" and "error" not in told
    assert told["usage"] == {"input_tokens": 7, "output_tokens": 3}
    assert [step["kind"] for step in told["steps"]] == ["model", "tool"]


def test_an_agent_that_breaks_is_told_and_not_raised() -> None:
    def agent(case: Case, given: Session) -> str:
        raise KeyError("x" * 5_000 + "\0")

    made = session()
    told = run_case(agent, made.case, made)
    assert told["output"] is None and told["error"].startswith("KeyError") and len(told["error"]) <= 2_000


class Answer(BaseModel):
    ok: bool


@dataclass
class Data:
    x: float


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Answer(ok=True), {"ok": True}),
        (Data(2.0), {"x": 2}),
        ((1, {2}), [1, [2]]),
        (2**60, str(2**60)),
        (float("nan"), "nan"),
        ("a\0b\ud800", "a\ufffdb?"),
        ({1: None}, {"1": None}),
        (ValueError("x"), "x"),
    ],
)
def test_whatever_an_agent_answers_becomes_json(value: Any, expected: Any) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize(
    ("given", "prompt", "history"),
    [
        ("hi", "hi", 0),
        (
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": "b"},
                    {"role": "user", "content": "c"},
                ]
            },
            "c",
            2,
        ),
        ({"prompt": "sum up", "documents": [{"title": "T", "text": "x"}]}, "sum up\n\nT\nx", 0),
        ({"order": 1}, '{"order": 1}', 0),
    ],
)
def test_an_input_is_a_prompt_too(given: Any, prompt: str, history: int) -> None:
    case = Case(key="a", input=given)
    assert case.prompt == prompt and len(case.history) == history


def test_many_threads_of_one_agent_take_each_recording_once() -> None:
    from concurrent.futures import ThreadPoolExecutor

    made = session(*({"tool": "n", "result": number} for number in range(200)))
    call: Callable[[int], Any] = lambda _: made.call("n")  # noqa: E731
    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(call, range(200))) == list(range(200))
