"""What agents did, seen from outside the guard, is in the audit log: each tool call and side effect once."""

from __future__ import annotations

import uuid
from typing import Any

from agentops.common.scope import tenant_scope
from audit.models import Entry, Pending
from audit.sentences import sentence
from audit.types import Outcome
from tests.ingest.wire import Sender, native, new_trace
from tests.world import World

TOOL = {"kind": "tool", "agent": "refund-desk", "tool": "refund", "user_id": "u-1"}


def entries(world: World) -> list[Entry]:
    return world.acme.entries()


def test_a_tool_call_is_an_entry_of_its_run(world: World, acme: Sender) -> None:
    span = native(
        **TOOL, status="ok", tool_call_id="call_1", external_system="stripe", external_id="re_1", idempotency_key="k-1"
    )
    acme.native(span)
    [entry] = entries(world)
    assert (entry.action, entry.outcome, entry.actor_id) == ("tool.observed", Outcome.SUCCESS, "agent:refund-desk")
    assert (entry.target_type, entry.target_id, entry.on_behalf_of_id) == ("stripe", "re_1", "u-1")
    assert entry.run_id == uuid.UUID(span["trace_id"])
    assert entry.occurred_at < entry.recorded_at
    assert entry.told() == {
        "tool": "refund", "call": "call_1", "span": span["span_id"], "status": "ok", "error_type": "", "idempotency_key": "k-1",
    }  # fmt: skip
    with tenant_scope(world.acme.id):
        assert Pending.objects.filter(tenant_id=world.acme.id, entry_id=entry.id).exists()


def test_a_side_effect_is_an_entry_and_a_failure_is_told_as_one(world: World, acme: Sender) -> None:
    acme.native(native(kind="side_effect", name="send mail", status="error", error_type="Timeout", agent="desk"))
    [entry] = entries(world)
    assert (entry.action, entry.outcome) == ("side_effect.observed", Outcome.FAILURE)
    assert entry.told()["error_type"] == "Timeout"


def test_model_calls_and_the_rest_are_none(world: World, acme: Sender) -> None:
    for kind in ("run", "llm", "reasoning", "retrieval", "guardrail", "other"):
        acme.native(native(kind=kind))
    assert entries(world) == []


def test_a_resend_leaves_no_second_entry(world: World, acme: Sender) -> None:
    spans = [native(**TOOL) for _ in range(30)]
    assert acme.native(*spans)["accepted"] == 30
    assert acme.native(*spans, native(**TOOL))["accepted"] == 1
    found = entries(world)
    assert len(found) == 31
    assert len({entry.told()["span"] for entry in found}) == 31


def test_a_call_that_two_instrumentations_saw_is_one_entry(world: World, acme: Sender) -> None:
    trace = new_trace()
    outer = native(**TOOL, trace_id=trace)
    acme.native(outer, native(**TOOL, trace_id=trace, parent_span_id=outer["span_id"]))
    assert len(entries(world)) == 1


def test_a_span_that_names_nobody_is_an_entry_all_the_same(world: World, acme: Sender) -> None:
    acme.native(native(kind="tool", name="look up"))
    [entry] = entries(world)
    assert (entry.actor_id, entry.target_id) == ("agent:unknown", "look up")


def test_a_span_that_names_nobody_acts_as_its_runs_agent_as_far_as_the_run_was_named_by_then(
    world: World, acme: Sender
) -> None:
    root = native(kind="run", agent="refund-desk", user_id="u-7")

    def call(tool: str) -> dict[str, Any]:
        return native(kind="tool", tool=tool, trace_id=root["trace_id"], parent_span_id=root["span_id"])

    acme.native(call("before"), native(kind="llm", trace_id=root["trace_id"]))
    acme.native(call("beside"), root)
    acme.native(call("after"))
    [*calls, named] = sorted(entries(world), key=lambda entry: entry.action == "run.named")
    assert {entry.target_id: (entry.actor_id, entry.on_behalf_of_id, sentence(entry)) for entry in calls} == {
        "before": ("agent:unknown", "", "an agent that no span had named yet called before: no error"),
        "beside": ("agent:refund-desk", "u-7", "refund-desk called beside: no error"),
        "after": ("agent:refund-desk", "u-7", "refund-desk called after: no error"),
    }
    assert (named.actor_id, named.on_behalf_of_id, named.run_id) == (
        "agent:refund-desk", "u-7", uuid.UUID(root["trace_id"]),
    )  # fmt: skip
    assert sentence(named) == (
        f"refund-desk turned out to be whose run {root['trace_id']} is; actions of it recorded before that: 1"
    )


def test_a_name_that_comes_late_is_told_once_and_only_of_actions_that_lacked_it(world: World, acme: Sender) -> None:
    root = native(kind="run", agent="refund-desk", user_id="u-7")

    def part(**said: Any) -> dict[str, Any]:
        return native(**{"kind": "tool", **said}, trace_id=root["trace_id"], parent_span_id=root["span_id"])

    acme.native(part(agent="clerk", user_id="u-7"), part(kind="llm"))
    acme.native(root)
    acme.native(root, part())
    assert [entry.action for entry in entries(world)] == ["tool.observed"] * 2, "who named itself is told so already"
    other = native(kind="run", agent="night-desk")
    acme.native(*(native(kind="side_effect", name="mail", trace_id=other["trace_id"]) for _ in range(3)))
    acme.native(other)
    told = [entry.told() for entry in entries(world) if entry.action == "run.named"]
    assert told == [{"calls": 3}]


def test_names_at_their_longest_fit(world: World, acme: Sender) -> None:
    long = "ü" * 4_000
    answer = acme.native(
        native(kind="tool", tool=long, agent=long, external_system=long, external_id=long, user_id=long)
    )
    assert answer["accepted"] + len(answer["rejected"]) == 1
    assert len(entries(world)) == answer["accepted"]
