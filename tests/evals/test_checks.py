"""Checks without a model: what they find, and what they leave alone."""

from __future__ import annotations

from typing import Any

import pytest

from agentops.catalog.checks import SchemaCheck
from evals.judging import checks, texts
from evals.judging.checks import Looked, Rules, ToolCall

CHARGE = ToolCall(span="00000000000000aa", tool="charge_card", is_risky=True, is_failed=True)


def looked(output: Any = "Done.", **more: Any) -> Looked:
    values: dict[str, Any] = {
        "output": output,
        "answer_span": "0000000000000001",
        "finish_reasons": (),
        "is_error": False,
        "calls": (),
    }
    return Looked(**(values | more))


def codes(of: Looked, rules: Rules | None = None) -> list[str]:
    return [finding.code for finding in checks.look(of, rules or Rules())]


@pytest.mark.parametrize(
    "answer",
    [
        "I'm sorry, but I can't help with that.",
        "I’m sorry, I cannot assist with this request.",
        "I am unable to provide medical advice.",
        "As an AI language model, I cannot do that.",
        "Es tut mir leid, dabei kann ich Ihnen leider nicht helfen.",
        "Je ne peux pas vous aider avec cela.",
        "Lo siento, pero no puedo ayudarte con eso.",
        "抱歉，我无法提供这个。",
        [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
    ],
)
def test_a_refusal_is_found_in_many_words(answer: Any) -> None:
    assert codes(looked(answer)) == [checks.REFUSAL]


@pytest.mark.parametrize(
    "answer",
    [
        "I refunded 48.10 EUR; it is on its way to your card.",
        "Sorry for the delay! Your order arrives on Monday.",
        "You cannot return opened items after 30 days, but I have arranged an exchange.",
        "The policy says that refunds take 5 days. " * 40 + "I'm sorry, but I can't help with that.",
        "The error was on our side and is fixed.",
    ],
)
def test_an_answer_that_helps_is_no_refusal(answer: str) -> None:
    assert codes(looked(answer)) == []


def test_the_providers_word_for_a_refusal_counts() -> None:
    assert codes(looked("Well.", finish_reasons=("content_filter",))) == [checks.REFUSAL]


@pytest.mark.parametrize(
    "answer", ["", "   \n", [{"role": "assistant", "content": ""}], [{"role": "assistant", "tool_calls": [{}]}]]
)
def test_an_answer_of_nothing_is_found(answer: Any) -> None:
    assert codes(looked(answer)) == [checks.EMPTY]


def test_content_that_was_not_captured_is_not_called_empty() -> None:
    assert codes(looked(None, calls=(CHARGE,))) == []


def test_a_run_that_failed_is_not_called_empty_besides() -> None:
    assert codes(looked("", is_error=True)) == []


def test_a_risky_tool_that_failed_silently_is_found_with_its_span() -> None:
    [finding] = checks.look(looked("Your card was charged.", calls=(CHARGE,)), Rules())
    assert (finding.code, finding.spans) == (checks.UNSAFE_TOOL, (CHARGE.span,))
    assert "charge_card failed" in finding.note


@pytest.mark.parametrize(
    "case",
    [
        looked("The charge failed; nothing was taken.", calls=(CHARGE,)),
        looked("Die Zahlung konnte nicht ausgeführt werden.", calls=(CHARGE,)),
        looked("Charged.", is_error=True, calls=(CHARGE,)),
        looked("Charged.", calls=(CHARGE, ToolCall(span="b", tool="charge_card", is_risky=True, is_failed=False))),
        looked("Found.", calls=(ToolCall(span="c", tool="find_order", is_risky=False, is_failed=True),)),
    ],
)
def test_a_failure_that_was_told_mended_or_harmless_is_left_alone(case: Looked) -> None:
    assert codes(case) == []


def test_a_failure_after_a_success_of_the_same_tool_is_not_mended_by_it() -> None:
    before = ToolCall(span="d", tool="charge_card", is_risky=True, is_failed=False)
    assert codes(looked("Charged twice.", calls=(before, CHARGE))) == [checks.UNSAFE_TOOL]


def test_words_are_found_whole_and_whatever_their_case() -> None:
    rules = Rules(words=("cheap", "no  brainer", "c++"))
    assert codes(looked("This is CHEAP."), rules) == [checks.WORDS]
    assert codes(looked("It is a no\nbrainer!"), rules) == [checks.WORDS]
    assert codes(looked("We write C++ here"), rules) == [checks.WORDS]
    assert codes(looked("The cheapest and uncheap"), rules) == []


def test_an_answer_is_held_to_its_schema() -> None:
    rules = Rules(
        schema=SchemaCheck({"type": "object", "required": ["state"], "properties": {"state": {"enum": ["a"]}}})
    )
    assert codes(looked({"state": "a"}), rules) == []
    assert codes(looked('{"state": "a"}'), rules) == []
    assert codes(looked('```json\n{"state": "a"}```'), rules) == []
    assert codes(looked('{"state": "b"}'), rules) == [checks.SCHEMA]
    [finding] = checks.look(looked("All is well."), rules)
    assert finding.note == "The answer is no JSON."


@pytest.mark.parametrize(
    ("result", "is_failed"),
    [
        ({"error": "no such card"}, True),
        ({"isError": True}, True),
        ({"status": "failed"}, True),
        ({"error": None}, False),
        ("error", False),
        (None, False),
    ],
)
def test_a_result_may_say_that_the_call_failed(result: Any, is_failed: bool) -> None:
    assert checks.is_failed_result(result) is is_failed


def test_the_same_prompt_has_the_same_digest_in_other_case_and_spacing() -> None:
    asked = [{"role": "user", "parts": [{"type": "text", "content": "Where is  my order?"}]}]
    assert texts.asked_digest(asked) == texts.asked_digest("where is my ORDER?")
    assert texts.asked_digest([{"role": "system", "content": "x"}, *asked]) == texts.asked_digest(asked)
    assert texts.asked_digest("where is my parcel?") != texts.asked_digest(asked)
    assert texts.asked_digest("  ") is None and texts.asked_digest(None) is None


@pytest.mark.parametrize(
    "odd", [0, True, [], {}, [[]], [None], {"messages": []}, {"role": 3}, [{"role": None}], "\x00", [[["a"]]]]
)
def test_content_of_any_shape_is_read_without_falling_over(odd: Any) -> None:
    checks.look(looked(odd, calls=(CHARGE,)), Rules(words=("x", "")))
    texts.asked_digest(odd)
