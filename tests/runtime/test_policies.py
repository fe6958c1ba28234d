"""The guard's pure decisions: values in, a value out."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from agentops.catalog.types import Routing
from agentops.common import strictjson
from agentops.common.errors import DomainError
from agentops.common.money import NANO
from agentops.runtime.policies import rates
from agentops.runtime.policies.advice import advice
from agentops.runtime.policies.caps import DEFAULTS, NAMES, PLAN_CAPS, effective
from agentops.runtime.policies.holds import longest_within, worst_case
from agentops.runtime.policies.likeness import likeness
from agentops.runtime.policies.repetition import History, Limits
from agentops.runtime.policies.routing import choose
from agentops.runtime.policies.scope import narrowed
from tenants.roles import Plan

AT = datetime(2026, 11, 25, 12, 0, 30, tzinfo=UTC)


# -- caps -------------------------------------------------------------------------------------------------------------


@given(
    agent=st.dictionaries(st.sampled_from(NAMES), st.none() | st.integers(1, 10**13)),
    organisation=st.dictionaries(st.sampled_from(NAMES), st.integers(1, 10**13)),
    plan=st.sampled_from(list(Plan)),
)
def test_no_cap_is_wider_than_any_of_the_three(agent: Any, organisation: Any, plan: Plan) -> None:
    found = effective(agent=agent, organisation=organisation, plan=plan)
    for name in NAMES:
        value, said = getattr(found, name), agent.get(name)
        assert value <= getattr(PLAN_CAPS[plan], name)
        assert value <= organisation.get(name, value)
        assert value <= (getattr(DEFAULTS, name) if said is None else said)
        assert value >= 1


# -- holds ------------------------------------------------------------------------------------------------------------


def test_a_hold_takes_the_dearest_the_input_may_turn_out_to_be() -> None:
    cost = worst_case("anthropic", "claude-sonnet-4-5-20250929", input_tokens=1_000_000, at=AT, overrides=None)
    plain = 3 * NANO
    assert (cost(0) or 0) > plain  # writing to the cache is dearer than plain input


@given(
    per_token=st.integers(1, 10**6), base=st.integers(0, 10**9), most=st.integers(1, 10**6), room=st.integers(0, 10**12)
)
def test_the_longest_answer_within_an_amount_is_exact(per_token: int, base: int, most: int, room: int) -> None:
    found = longest_within(lambda tokens: base + per_token * tokens, most=most, room=room)
    assert 0 <= found <= most
    if found:
        assert base + per_token * found <= room
    if found < most:
        assert base + per_token * (found + 1) > room


# -- rates ------------------------------------------------------------------------------------------------------------


def test_a_sliding_minute_counts_what_is_left_of_the_last_one() -> None:
    assert rates.sliding(present=3, previous=10, at=AT) == 3 + 5
    assert rates.sliding(present=3, previous=10, at=AT.replace(second=0)) == 13
    assert rates.sliding(present=3, previous=10, at=AT.replace(second=59, microsecond=999_999)) == 3


def test_what_is_usual_needs_enough_runs() -> None:
    assert rates.model_calls_per_minute(p99=None, runs=0) == 300
    assert rates.model_calls_per_minute(p99=4, runs=199) == 300
    assert rates.model_calls_per_minute(p99=4, runs=200) == 20
    assert rates.model_calls_per_minute(p99=0, runs=500) == 300


# -- advice -----------------------------------------------------------------------------------------------------------


def test_advice_comes_at_three_quarters_and_not_before() -> None:
    assert advice([("tool calls", 44, 60), ("tokens", 0, 0)]) == ""
    assert "75 % of the tool calls" in advice([("tool calls", 45, 60)])
    assert "100 % of the tokens" in advice([("tokens", 300, 200)])


# -- repetition -------------------------------------------------------------------------------------------------------


def _fired(tools: str, limits: Limits = Limits()) -> tuple[int, str] | None:  # noqa: B008  a frozen value
    """At which call, and which detector; each call has arguments of its own."""
    history = History({})
    for place, tool in enumerate(tools, 1):
        finding = history.add_call(tool, f"{place}", limits)
        if finding is not None:
            return place, finding.detector
        history = History(json.loads(json.dumps(history.stored(), sort_keys=True)))
    return None


@pytest.mark.parametrize(
    ("tools", "fired"),
    [
        ("aaaaa", None),
        ("aaaaaa", (6, "same_tool")),
        ("ababab", None),
        ("abababa", (7, "cycle")),
        ("abcabcabcabc", None),
        ("aabbaabbaabb", None),
        ("aaaaabaaaaab", None),
        ("cabababa", (8, "cycle")),
    ],
)
def test_circles_are_told_from_work(tools: str, fired: tuple[int, str] | None) -> None:
    assert _fired(tools) == fired

    history = History({})
    findings = [
        history.add_call(f"tool-{place % 3}", "same" if place % 9 == 0 else f"{place}", Limits()) for place in range(30)
    ]
    assert [place for place, found in enumerate(findings) if found] == [27]


def test_the_oldest_calls_are_forgotten_first_even_after_the_database_reordered_names() -> None:
    history = History({})
    for place in range(205):
        history.add_call("tool", f"{(place * 7919) % 1000:016x}", Limits(same_tool=1000))
        history = History(json.loads(json.dumps(history.stored(), sort_keys=True)))
    kept = {like for like, _ in history.stored()["calls"]}
    assert kept == {f"{(place * 7919) % 1000:016x}" for place in range(5, 205)}


def test_errors_are_counted_per_tool_and_kind_and_forgiven() -> None:
    history = History({})
    assert [history.add_refusal("a", "x", Limits()) for _ in range(2)] == [2, 1]
    assert history.add_refusal("a", "y", Limits()) == 2
    assert history.add_refusal("b", "x", Limits()) == 2
    assert history.add_failure("a", "x", Limits()) == 2
    history.note_accepted("a")
    assert history.add_refusal("a", "x", Limits()) == 2
    assert [history.add_refusal("b", "x", Limits()) for _ in range(3)] == [1, 0, 0]
    assert history.add_failure("a", "x", Limits()) == 1  # that a proposal is accepted does not mend the tool
    history.note_success("a")
    assert history.add_failure("a", "x", Limits()) == 2


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 400)), max_size=600))
def test_a_history_stays_small(calls: list[tuple[str, int]]) -> None:
    history = History({})
    for tool, like in calls:
        history.add_call(tool, f"{like:016x}", Limits())
        history.add_refusal(tool, f"error {like}", Limits())
    assert len(strictjson.canonical(history.stored())) < 8_192


# -- likeness ---------------------------------------------------------------------------------------------------------


def test_cosmetic_fields_make_no_difference_and_all_others_do() -> None:
    one = likeness("refund", {"id": 1, "note": "a", "deep": {"x/y": 1, "z": 2}}, ["/note", "/deep/x~1y"])
    assert one == likeness("refund", {"deep": {"z": 2}, "note": "b", "id": 1}, ["/note", "/deep/x~1y"])
    assert one != likeness("refund", {"id": 2, "note": "a", "deep": {"z": 2}}, ["/note", "/deep/x~1y"])
    assert one != likeness("charge", {"id": 1, "deep": {"z": 2}}, ["/note", "/deep/x~1y"])


# -- scope ------------------------------------------------------------------------------------------------------------

_FACTS = st.dictionaries(
    st.sampled_from(["ids", "region"]), st.lists(st.integers(0, 5), max_size=4) | st.integers(0, 5)
)
_SCOPES = st.fixed_dictionaries({"user": _FACTS}, optional={"tools": st.lists(st.sampled_from("abcd"), max_size=4)})


@given(outer=_SCOPES, inner=_SCOPES)
def test_a_childs_scope_is_never_wider_than_its_parents(outer: Any, inner: Any) -> None:
    parent = narrowed(outer, within=None)
    child = narrowed(inner, within=parent)
    if "tools" in parent:
        assert set(child["tools"]) <= set(parent["tools"])
    assert set(child["user"]) <= set(parent["user"])
    for name, value in child["user"].items():
        whole = parent["user"][name]
        if isinstance(whole, list):
            assert all(each in whole for each in value)
        else:
            assert value in (whole, None)
    assert narrowed({}, within=parent) == parent


# -- routing ----------------------------------------------------------------------------------------------------------

ROUTING = Routing(is_on=True, cheap="small", premium="large", cheap_tasks=["sort"], premium_tasks=["plan"])


@pytest.mark.parametrize(
    ("task", "plan", "calls", "failures", "model", "because"),
    [
        ("sort", Plan.PRO, 0, 0, "small", "sort tasks use the cheap model"),
        ("plan", Plan.PRO, 0, 0, "large", "plan tasks use the premium model"),
        ("plan", Plan.FREE, 0, 0, "small", "the free plan uses the cheap model"),
        ("sort", Plan.PRO, 20, 5, "large", "5 of the last 20 calls of the cheap model failed (more than 20%)"),
        ("sort", Plan.PRO, 20, 4, "small", "sort tasks use the cheap model"),
        ("sort", Plan.PRO, 19, 19, "small", "sort tasks use the cheap model"),
        ("", Plan.PRO, 0, 0, "large", "nothing says that unnamed tasks may use the cheap model"),
    ],
)
def test_the_model_is_chosen_for_a_reason(
    task: str, plan: Plan, calls: int, failures: int, model: str, because: str
) -> None:
    choice = choose(routing=ROUTING, task_class=task, plan=plan, cheap_calls=calls, cheap_failures=failures)
    assert (choice.model, choice.because) == (model, because)


def test_routing_is_off_unless_somebody_says_so() -> None:
    assert replace(Routing(), cheap="x").is_on is False


# -- strict JSON ------------------------------------------------------------------------------------------------------

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(_JSON)
def test_what_is_read_has_one_canonical_form(value: Any) -> None:
    canonical = strictjson.canonical(value)
    again = strictjson.loads(canonical, max_bytes=10**6, max_depth=60)
    assert strictjson.canonical(again) == canonical == rfc8785.dumps(value)


def test_depth_is_refused_however_it_is_written() -> None:
    for raw in (b'["\\u0041"' + b", [" * 500 + b"]" * 501, b"[" * 100_000, b'{"a":' * 5_000 + b"1" + b"}" * 5_000):
        with pytest.raises(DomainError):
            strictjson.loads(raw, max_bytes=10**6, max_depth=40)


@given(_JSON, st.sampled_from([b"a", b"\\u0061", b":", b"\\u003a"]))
def test_a_name_that_stands_twice_is_never_overlooked(value: Any, name: bytes) -> None:
    inner = json.dumps(value).encode()
    raw = b'{"' + name + b'": ' + inner + b', "' + name + b'": ' + inner + b"}"
    with pytest.raises(DomainError):
        strictjson.loads(raw, max_bytes=10**6, max_depth=60)
