"""Every action says its sentence, with who and what; and what was erased is said to be erased."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from audit import sentences
from audit.registry import ACTIONS
from audit.sentences import pieces, sentence, value_words


@dataclass
class Told:
    action: str = "tool.called"
    actor_id: str = "agent:desk"
    actor_label: str = "desk"
    target_type: str = "tool"
    target_id: str = "refund"
    data: dict[str, Any] = field(default_factory=dict)
    commitments: str = "{}"
    private: str = "{}"

    def told(self) -> dict[str, Any]:
        return self.data


@pytest.mark.parametrize("action", ACTIONS)
def test_every_action_has_a_sentence_that_its_fields_fill(action: str) -> None:
    data = {name: f"a {name}" for name in ACTIONS[action].fields}
    told = sentence(Told(action=action, data=data))
    assert sentences.UNTOLD not in told and "{" not in told
    assert told[:1] == told[:1].upper() or told.startswith(("desk", "a "))


def test_an_answer_of_the_guard_is_told_in_words() -> None:
    told = Told(action="tool_call.decided", data={"tool": "refund", "decision": "confirm"})
    assert sentence(told) == "desk asked to call refund: a person is asked"
    assert [piece.kind for piece in pieces(told)] == ["actor", "text", "value", "text", "value"]


def test_a_sentence_that_begins_with_a_word_of_ours_begins_large() -> None:
    assert sentence(Told(action="run.ended", data={"status": "ok"})) == "The run of desk ended: ok"


def test_what_was_erased_is_said_to_be_erased() -> None:
    told = Told(
        action="member.removed",
        actor_id="user:7",
        actor_label="",
        data={"role": "admin"},
        commitments=json.dumps({"actor_label": "00", "data.member": "11"}),
    )
    assert sentence(told) == "(erased) removed (erased)"
    assert sentences.erased(told) == {"actor_label", "data.member"}


def test_data_that_is_not_at_hand_is_left_open() -> None:
    assert sentence(Told(action="price.set")) == "desk set the price of …"


def test_a_name_cannot_turn_the_direction_of_the_sentence() -> None:
    told = Told(actor_label="desk\u202ekcatta", data={"outcome": "ok"})
    assert "\u202e" not in sentence(told)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "nothing"), ([], "nothing"), (True, "yes"), (3, "3"), (["a", "b", "c"], "a, b and c"),
        (["a", "b", "c", "d", "e", "f"], "a, b, c, d and 2 more"), ({"time_zone": ["UTC", "CET"]}, "time zone from UTC to CET"),
        ("ab" * 32, "abababababab"), ("x" * 200, "x" * 79 + "…"),
    ],
)  # fmt: skip
def test_values_in_words(value: Any, words: str) -> None:
    assert value_words(value) == words


def test_an_action_that_the_registry_has_no_more_is_told_by_its_name() -> None:
    assert sentence(Told(action="old.thing")) == "desk did old.thing to refund"
