"""What an organisation asks for beyond what its tools say, and that the guard reads it without a question."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentops.catalog import queries as catalogued
from agentops.catalog.errors import AgentUnknown, ApproversMissing, ToolUnknown
from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.scope import ScopeError, tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.models import Rule
from agentops.confirmations.policies.rules import Rules, RuleTerms
from tests.runtime.guarded import MANIFEST, apply, manifest
from tests.world import OPERATOR, Organisation, World

NOTHING = {"tier_floor": None, "amount_threshold": None, "delay_seconds": None, "may_stand_at_tier_3": None}


@pytest.fixture(autouse=True)
def _applied(world: World) -> None:
    for organisation in (world.acme, world.globex):
        apply(organisation, MANIFEST)
        organisation.skip_entries()


def set_rule(organisation: Organisation, **said: Any) -> Rule:
    with tenant_scope(organisation.id):
        return services.set_rule(tenant=organisation.id, terms=RuleTerms(**said), by=OPERATOR, at=clock.now())


def remove(organisation: Organisation, rule: Rule) -> None:
    with tenant_scope(organisation.id):
        services.remove_rule(tenant=organisation.id, rule=rule.id, by=OPERATOR, at=clock.now())


def version_of(organisation: Organisation, agent: str = "refund-desk") -> int:
    with tenant_scope(organisation.id):
        return catalogued.agent(tenant=organisation.id, name=agent).policy_version


def rules(organisation: Organisation, agent: str = "refund-desk") -> Rules:
    version = version_of(organisation, agent)
    with tenant_scope(organisation.id):
        return queries.rules_for(tenant=organisation.id, agent=agent, policy_version=version)


# -- what several rules come to ---------------------------------------------------------------------------------------

EVERYTHING, AGENT, TOOL, EXACT = {}, {"agent": "a"}, {"tool": "t"}, {"agent": "a", "tool": "t"}


@pytest.mark.parametrize(
    ("said", "of_t", "of_another"),
    [
        ([], 1, 1),
        ([(EVERYTHING, 2)], 2, 2),
        ([(EVERYTHING, 3), (EXACT, 2)], 3, 3),
        ([(AGENT, 2), (TOOL, 3)], 3, 2),
        ([(EXACT, 4)], 4, 1),
    ],
)
def test_the_highest_floor_holds(said: list[tuple[dict[str, str], int]], of_t: int, of_another: int) -> None:
    found = Rules([RuleTerms(**whose, tier_floor=floor) for whose, floor in said])
    assert (found.floor("t"), found.floor("other")) == (of_t, of_another)


def test_the_lowest_threshold_and_the_longest_delay_hold() -> None:
    found = Rules(
        [
            RuleTerms(amount_threshold=Decimal(500), delay_seconds=60),
            RuleTerms(tool="t", amount_threshold=Decimal(90_000), delay_seconds=3_600),
        ]
    )
    assert (found.threshold("t"), found.threshold("other")) == (500, 500)
    assert (found.delay_seconds("t"), found.delay_seconds("other")) == (3_600, 60)
    assert (Rules().threshold("t"), Rules().delay_seconds("t")) == (50_000, 900)


@pytest.mark.parametrize(
    ("said", "may"),
    [
        ([], False),
        ([(EVERYTHING, True)], True),
        ([(EVERYTHING, True), (AGENT, False)], False),
        ([(AGENT, False), (TOOL, True)], True),
        ([(TOOL, True), (EXACT, False)], False),
    ],
)
def test_the_most_exact_word_on_what_may_stand_holds(said: list[tuple[dict[str, str], bool]], may: bool) -> None:
    assert Rules([RuleTerms(**whose, may_stand_at_tier_3=word) for whose, word in said]).may_stand_at_tier_3("t") is may


# -- the guard's way --------------------------------------------------------------------------------------------------


def test_rules_that_are_known_here_cost_no_statement(world: World) -> None:
    set_rule(world.acme, tool="refund", tier_floor=4)
    version = version_of(world.acme)
    with tenant_scope(world.acme.id):
        queries.rules_for(tenant=world.acme.id, agent="refund-desk", policy_version=version)
        with CaptureQueriesContext(connection) as said:
            found = queries.rules_for(tenant=world.acme.id, agent="refund-desk", policy_version=version)
        assert len(said) == 0
    assert found.floor("refund") == 4


def test_a_change_is_known_at_once_to_every_agent_it_is_about(world: World) -> None:
    apply(world.acme, manifest(name="other-desk"))
    before, other = version_of(world.acme), version_of(world.acme, "other-desk")
    assert rules(world.acme).floor("refund") == 1
    rule = set_rule(world.acme, agent="refund-desk", tier_floor=2)
    assert (version_of(world.acme), version_of(world.acme, "other-desk")) == (before + 1, other)
    assert (rules(world.acme).floor("refund"), rules(world.acme, "other-desk").floor("refund")) == (2, 1)
    set_rule(world.acme, tool="refund", tier_floor=3)
    assert (version_of(world.acme), version_of(world.acme, "other-desk")) == (before + 2, other + 1)
    assert (rules(world.acme).floor("refund"), rules(world.acme, "other-desk").floor("refund")) == (3, 3)
    remove(world.acme, rule)
    assert rules(world.acme).floor("look_up_order") == 1


def test_what_is_rolled_back_is_not_kept(world: World) -> None:
    class Undone(Exception):
        pass

    version = version_of(world.acme)
    with pytest.raises(Undone), tenant_scope(world.acme.id):
        services.set_rule(
            tenant=world.acme.id, terms=RuleTerms(tool="refund", tier_floor=4), by=OPERATOR, at=clock.now()
        )
        found = queries.rules_for(tenant=world.acme.id, agent="refund-desk", policy_version=version + 1)
        assert found.floor("refund") == 4
        raise Undone
    set_rule(world.acme, tool="refund", tier_floor=2)
    assert version_of(world.acme) == version + 1
    assert rules(world.acme).floor("refund") == 2


def test_one_organisations_rules_mean_nothing_to_another_and_are_read_in_scope_only(world: World) -> None:
    rule = set_rule(world.acme, tier_floor=3)
    assert rules(world.globex).floor("refund") == 1
    with pytest.raises(NotFound):
        remove(world.globex, rule)
    rules(world.acme)  # known to this process from here on
    known = {"tenant": world.acme.id, "agent": "refund-desk", "policy_version": version_of(world.acme)}
    with tenant_scope(world.globex.id), pytest.raises(ScopeError):
        queries.rules_for(**known)
    with pytest.raises(ScopeError):
        queries.rules_for(**known)


# -- changes ----------------------------------------------------------------------------------------------------------


def test_a_rule_is_one_row_and_each_change_tells_what_it_was(world: World) -> None:
    first = set_rule(world.acme, tool="refund", tier_floor=2, amount_threshold=Decimal("100.50"))
    again = set_rule(world.acme, tool="refund", tier_floor=2, amount_threshold=Decimal("100.5"))
    changed = set_rule(world.acme, tool="refund", tier_floor=3)
    assert first.id == again.id == changed.id
    remove(world.acme, first)
    with pytest.raises(NotFound):
        remove(world.acme, first)
    assert world.acme.actions() == ["confirmation_rule.set"] * 2 + ["confirmation_rule.removed"]
    told = [entry.told() for entry in world.acme.entries()]
    assert told[0] == {
        "agent": "every agent",
        "tool": "refund",
        "changes": {"tier_floor": {"from": None, "to": 2}, "amount_threshold": {"from": None, "to": "100.5"}},
    }
    assert told[1]["changes"] == {
        "tier_floor": {"from": 2, "to": 3},
        "amount_threshold": {"from": "100.5", "to": None},
    }


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"tier_floor": 1},
        {"tier_floor": 5},
        {"delay_seconds": 59},
        {"delay_seconds": 43_201},
        {"amount_threshold": Decimal(-1)},
        {"amount_threshold": Decimal("NaN")},
        {"amount_threshold": Decimal("Infinity")},
        {"amount_threshold": Decimal("0.0000001")},
        {"amount_threshold": Decimal(10) ** 19},
    ],
)
def test_a_rule_that_says_nothing_or_cannot_hold_is_refused(world: World, said: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        set_rule(world.acme, tool="refund", **said)
    assert world.acme.actions() == []


@pytest.mark.parametrize(
    ("whose", "refusal"),
    [({"agent": "nobody"}, AgentUnknown), ({"tool": "nothing"}, ToolUnknown), ({"tool": "re\0fund"}, ToolUnknown)],
)
def test_a_rule_is_about_what_is_there(world: World, whose: dict[str, str], refusal: Callable[..., Any]) -> None:
    with pytest.raises(refusal):  # type: ignore[call-overload]
        set_rule(world.acme, **whose, tier_floor=3)


def test_a_floor_of_4_needs_two_people_who_could_approve(world: World) -> None:
    with pytest.raises(ApproversMissing) as refusal:
        set_rule(world.globex, tool="refund", tier_floor=4)
    assert refusal.value.code == "approvers_missing"
    assert set_rule(world.globex, tool="refund", tier_floor=3).tier_floor == 3
    assert set_rule(world.acme, tool="refund", tier_floor=4).tier_floor == 4
