"""Reviews, approvals, gates and contacts: who says so, why, and what it does to the policy."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from agentops.catalog import queries, services
from agentops.catalog.errors import (
    AgentUnknown,
    ApproversMissing,
    ContactsUnknown,
    ContentChanged,
    GateNotPassed,
    ToolUnknown,
)
from agentops.catalog.types import Applied, Gate, Review
from agentops.common.errors import InvalidInput
from agentops.common.scope import staff_scope, tenant_scope
from tests.catalog.conftest import AT
from tests.world import OPERATOR, Organisation, World

Apply = Callable[..., Applied]
Value = dict[str, Any]


def review(organisation: Organisation, tool_version: uuid.UUID, **said: Any) -> Any:
    asked: Any = {"verdict": Review.APPROVED, "reason": "looked at", "by": OPERATOR, "at": AT, **said}
    with tenant_scope(organisation.id):
        return services.review_tool_version(tenant=organisation.id, tool_version=tool_version, **asked)


def version(organisation: Organisation, service: Callable[..., Any], **said: Any) -> Any:
    asked: Any = {"agent": "support-bot", "version": "2026-11-20", "by": OPERATOR, "at": AT, **said}
    with tenant_scope(organisation.id):
        return service(tenant=organisation.id, **asked)


def number(organisation: Organisation) -> int:
    with tenant_scope(organisation.id):
        return queries.agent(tenant=organisation.id, name="support-bot").policy_version


def test_a_review_says_who_when_and_why_and_raises_the_policy_version(
    world: World, apply: Apply, example: Value
) -> None:
    applied = apply(world.acme, example)
    before = number(world.acme)
    found = review(world.acme, applied.tools[1].tool_version_id, reason="refunds have a ceiling", by=world.ada.actor)
    assert (found.review, found.reviewed_by, found.reviewed_at, found.review_reason) == (
        "approved",
        world.ada.email,
        AT,
        "refunds have a ceiling",
    )
    assert number(world.acme) == before + 1
    entry = world.acme.entries()[-1]
    assert (entry.action, entry.reason, entry.actor_label) == (
        "tool_version.reviewed",
        "refunds have a ceiling",
        world.ada.email,
    )
    assert applied.tools[1].digest in entry.data


def test_every_agent_that_has_the_tool_is_concerned_and_no_other(world: World, apply: Apply, example: Value) -> None:
    applied = apply(world.acme, example)
    example["agent"]["name"] = "other-bot"
    apply(world.acme, example)
    del example["tools"][1]
    example["agent"]["name"] = "third-bot"
    apply(world.acme, example)

    def numbers() -> dict[str, int]:
        with tenant_scope(world.acme.id):
            return {agent.name: agent.policy_version for agent in queries.agents(tenant=world.acme.id)}

    before = numbers()
    review(world.acme, applied.tools[1].tool_version_id)
    after = numbers()
    assert {name: after[name] - before[name] for name in before} == {"other-bot": 1, "support-bot": 1, "third-bot": 0}


def test_the_same_verdict_again_changes_nothing(world: World, apply: Apply, example: Value) -> None:
    tool = apply(world.acme, example).tools[0].tool_version_id
    review(world.acme, tool)
    before = number(world.acme), world.acme.actions()
    review(world.acme, tool, reason="again")
    assert (number(world.acme), world.acme.actions()) == before


def test_a_later_rejection_takes_the_approval_back(world: World, apply: Apply, example: Value) -> None:
    tool = apply(world.acme, example).tools[1].tool_version_id
    review(world.acme, tool)
    review(world.acme, tool, verdict=Review.REJECTED, reason="it paid twice")
    with tenant_scope(world.acme.id):
        found = queries.policy(tenant=world.acme.id, agent="support-bot", version="2026-11-20")
    assert not found.tools["refund"].is_reviewed


def test_a_reviewer_may_set_another_tier_and_answers_for_tier_1(world: World, apply: Apply, example: Value) -> None:
    example["tools"][0]["effect"] = "write"
    applied = apply(world.acme, example)
    assert applied.tools[0].tier == 2
    raised = review(world.acme, applied.tools[0].tool_version_id, tier=3, reason="it writes to the ledger")
    assert raised.tier == 3 and raised.tier_because == ""
    lowered = review(world.acme, applied.tools[0].tool_version_id, tier=1, reason="a draft nobody sees")
    assert (lowered.tier, lowered.tier_because) == (1, "a draft nobody sees")
    with tenant_scope(world.acme.id):
        found = queries.policy(tenant=world.acme.id, agent="support-bot", version="2026-11-20")
    assert found.tools["find_order"].tier == 1
    again = apply(world.acme, example)
    assert again.tools[0].tier == 1 and not again.was_changed, "the manifest does not undo what the reviewer said"


def test_a_reviewer_cannot_set_tier_4_where_nobody_could_approve(world: World, apply: Apply, example: Value) -> None:
    tool = apply(world.globex, example).tools[1].tool_version_id
    with pytest.raises(ApproversMissing):
        review(world.globex, tool, tier=4)
    assert review(world.acme, apply(world.acme, example).tools[1].tool_version_id, tier=4).tier == 4


@pytest.mark.parametrize(
    "said", [{"reason": ""}, {"reason": "  "}, {"reason": "\0"}, {"verdict": "pending"}, {"tier": 9}, {"tier": 0}]
)
def test_a_review_without_a_verdict_or_a_reason_is_none(
    world: World, apply: Apply, example: Value, said: dict[str, Any]
) -> None:
    tool = apply(world.acme, example).tools[0].tool_version_id
    with pytest.raises(InvalidInput):
        review(world.acme, tool, **said)


def test_anothers_tool_cannot_be_reviewed(world: World, apply: Apply, example: Value) -> None:
    theirs = apply(world.acme, example).tools[0].tool_version_id
    with pytest.raises(ToolUnknown):
        review(world.globex, theirs)
    with tenant_scope(world.globex.id), pytest.raises(ToolUnknown):
        queries.tool_version(tenant=world.globex.id, tool_version_id=theirs)


def test_a_version_is_approved_and_the_approval_withdrawn(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    approved = version(world.acme, services.approve_agent_version, by=world.ada.actor)
    assert (approved.approved_by, approved.approved_at) == (world.ada.email, AT)
    version(world.acme, services.approve_agent_version)
    withdrawn = version(world.acme, services.withdraw_approval, reason="it promised a refund")
    assert withdrawn.approved_at is None
    version(world.acme, services.withdraw_approval, reason="again")
    assert world.acme.actions()[-2:] == ["agent_version.approved", "agent_version.approval_withdrawn"]
    with pytest.raises(InvalidInput):
        version(world.acme, services.withdraw_approval, reason=" ")
    with pytest.raises(AgentUnknown):
        version(world.globex, services.approve_agent_version)


def test_what_was_changed_while_somebody_looked_is_not_approved(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    with tenant_scope(world.acme.id):
        seen = queries.agent(tenant=world.acme.id, name="support-bot").versions[0].content_digest
    example["agent"]["prompt_hash"] = "sha256:other"
    apply(world.acme, example)
    with pytest.raises(ContentChanged):
        version(world.acme, services.approve_agent_version, content_digest=seen)
    with tenant_scope(world.acme.id):
        now = queries.agent(tenant=world.acme.id, name="support-bot").versions[0].content_digest
    assert version(world.acme, services.approve_agent_version, content_digest=now).approved_at


def test_a_gate_stands_before_the_approval(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example, approve_tools=True)
    version(world.acme, services.record_gate, verdict=Gate.REQUIRED, detail="300 cases")
    assert not apply(world.acme, example, approve_tools=True).is_approved
    with pytest.raises(GateNotPassed):
        version(world.acme, services.approve_agent_version)
    version(world.acme, services.record_gate, verdict=Gate.FAILED, detail="12 of 300 worse")
    with pytest.raises(GateNotPassed):
        version(world.acme, services.approve_agent_version)
    version(world.acme, services.record_gate, verdict=Gate.PASSED, detail="none worse")
    assert version(world.acme, services.approve_agent_version).approved_at
    example["agent"]["prompt_hash"] = "sha256:other"
    assert apply(world.acme, example).lost_approval
    with pytest.raises(GateNotPassed):
        version(world.acme, services.approve_agent_version)
    assert [action for action in world.acme.actions() if "gate" in action] == ["agent_version.gated"] * 3


def test_what_waits_for_review_is_listed_for_the_tenant_and_for_staff(
    world: World, apply: Apply, example: Value
) -> None:
    applied = apply(world.acme, example)
    apply(world.globex, example)
    with tenant_scope(world.acme.id):
        mine = queries.tools_waiting(tenant=world.acme.id)
    assert [(tool.tool, list(tool.agents)) for tool in mine] == [
        ("find_order", ["support-bot@2026-11-20"]),
        ("refund", ["support-bot@2026-11-20"]),
    ]
    with staff_scope():
        assert {tool.tenant_id for tool in queries.tools_waiting(tenant=None)} == {world.acme.id, world.globex.id}
    review(world.acme, applied.tools[0].tool_version_id)
    with tenant_scope(world.acme.id):
        assert [tool.tool for tool in queries.tools_waiting(tenant=world.acme.id)] == ["refund"]
        assert [tool.tool for tool in queries.tool_versions(tenant=world.acme.id, review=Review.APPROVED)] == [
            "find_order"
        ]


def test_a_superseded_definition_waits_for_nobody(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    example["tools"][0]["description"] = "another"
    apply(world.acme, example)
    with tenant_scope(world.acme.id):
        assert [(tool.tool, tool.revision) for tool in queries.tools_waiting(tenant=world.acme.id)] == [
            ("refund", 1),
            ("find_order", 2),
        ]


def test_a_reviewer_sees_what_is_different(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    example["tools"][1]["rules"][0]["expression"] = "args.amount_minor > 0"
    example["tools"][1]["arguments"]["properties"]["currency"] = {"enum": ["USD", "EUR", "XBT"]}
    example["tools"][1]["arguments"]["properties"]["fast"] = {"type": "boolean"}
    example["tools"][1]["tier"] = 2
    changed = apply(world.acme, example).tools[1].tool_version_id
    with tenant_scope(world.acme.id):
        found = queries.tool_version(tenant=world.acme.id, tool_version_id=changed)
    assert found.previous is not None and found.previous.revision == 1
    assert {each.pointer: (each.before, each.after) for each in found.differences} == {
        "/arguments/properties/currency/enum": (["USD", "EUR"], ["USD", "EUR", "XBT"]),
        "/arguments/properties/fast": (None, {"type": "boolean"}),
        "/rules/0/expression": ("args.amount_minor > 0 && args.amount_minor <= 500000", "args.amount_minor > 0"),
        "/tier": (3, 2),
    }
    with tenant_scope(world.acme.id):
        assert queries.tool_version(tenant=world.acme.id, tool_version_id=found.previous.id).differences == []


# -- contacts ---------------------------------------------------------------------------------------------------------


def contacts(organisation: Organisation, user: str) -> dict[str, frozenset[str]]:
    with tenant_scope(organisation.id):
        return dict(queries.contacts(tenant=organisation.id, user=user))


def set_contacts(organisation: Organisation, name: str, values: list[str], user: str = "") -> None:
    with tenant_scope(organisation.id):
        services.set_contacts(tenant=organisation.id, name=name, user=user, contacts=values, by=OPERATOR, at=AT)


def test_a_user_knows_what_everybody_knows_and_their_own(world: World) -> None:
    set_contacts(world.acme, "payees", ["all"])
    set_contacts(world.acme, "payees", ["mine"], user="u-1")
    set_contacts(world.acme, "friends", ["ann"], user="u-1")
    set_contacts(world.acme, "friends", ["bob"], user="u-2")
    assert contacts(world.acme, "u-1") == {"payees": {"all", "mine"}, "friends": {"ann"}}
    assert contacts(world.acme, "u-2") == {"payees": {"all"}, "friends": {"bob"}}
    assert contacts(world.acme, "u-3") == {"payees": {"all"}}
    assert contacts(world.globex, "u-1") == {}


def test_a_changed_set_is_read_anew(world: World) -> None:
    set_contacts(world.acme, "payees", ["old"])
    assert contacts(world.acme, "u") == {"payees": {"old"}}
    set_contacts(world.acme, "payees", ["new"])
    assert contacts(world.acme, "u") == {"payees": {"new"}}
    with tenant_scope(world.acme.id):
        services.remove_contacts(tenant=world.acme.id, name="payees", by=OPERATOR, at=AT)
    assert contacts(world.acme, "u") == {}
    with tenant_scope(world.acme.id), pytest.raises(ContactsUnknown):
        services.remove_contacts(tenant=world.acme.id, name="payees", by=OPERATOR, at=AT)


def test_the_same_set_again_leaves_no_entry(world: World) -> None:
    set_contacts(world.acme, "payees", ["b", "a"])
    set_contacts(world.acme, "payees", ["a", "b", "a"])
    assert world.acme.actions() == ["contacts.set"]
