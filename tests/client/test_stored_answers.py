"""What the client says and hands over of stored answers."""

from __future__ import annotations


def test_the_client_says_the_key_and_hands_the_answer_over() -> None:
    answer = {"text": "It left on Monday."}
    key = dict.fromkeys(("prompt_hash", "model", "tool_definitions_hash", "input_digest"), "sha256:x")
    from agentops_client import AnswerKey
    from agentops_client.answers import started

    said = {
        "run_id": "0" * 32, "deadline": "2026-11-26T08:00:00Z",
        "stored_answer": {"output": answer, "run_id": "1" * 32, "stored_at": "2026-11-26T07:00:00Z", "saved_usd": "0.000210"},
    }  # fmt: skip
    stored = started(said).stored_answer
    assert stored is not None and stored.output == answer and stored.saved_usd == "0.000210"
    assert AnswerKey(**key).as_json() == key
