"""What the guard reads: one agent version at one policy version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agentops.catalog import queries, services
from agentops.catalog.cache import Bounded
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.types import AgentPolicy, Applied, Effect, Reversal, Review
from agentops.common.money import NANO
from agentops.common.scope import ScopeError, tenant_scope
from tests.catalog.conftest import AT
from tests.world import OPERATOR, Organisation, World

Apply = Callable[..., Applied]


def policy(organisation: Organisation, **asked: Any) -> AgentPolicy:
    with tenant_scope(organisation.id):
        return queries.policy(tenant=organisation.id, **{"agent": "support-bot", "version": "2026-11-20", **asked})


def test_a_policy_says_what_the_manifest_says(world: World, apply: Apply, example: dict[str, Any]) -> None:
    applied = apply(world.acme, example, approve_tools=True)
    found = policy(world.acme)
    assert (found.agent_id, found.version_id) == (applied.agent_id, applied.version_id)
    assert found.policy_version == applied.policy_version
    assert found.is_approved
    assert list(found.models) == ["claude-sonnet-4-5-20250929", "claude-haiku-4-5-20251001"]
    assert (found.caps.llm_calls, found.caps.cost_nano_usd, found.caps.duration_seconds) == (20, 2 * NANO, None)
    assert (found.repetition.same_tool, found.repetition.cycle) == (5, None)
    assert not found.routing.is_on
    assert list(found.tools) == ["find_order", "refund"], "in the manifest's order"
    refund = found.tools["refund"]
    assert (refund.version, refund.effect, refund.tier, refund.is_reviewed) == ("3", Effect.CHARGE, 3, True)
    assert refund.grant_scope == {"order_id": "user.order_ids"}
    assert list(refund.cosmetic) == ["/note"]
    assert (refund.reversal, refund.recipe, refund.reversible_seconds) == (Reversal.YES, "void the refund", 86400)
    assert (refund.resource, refund.payee, refund.amount) == ("/order_id", "/order_id", "/amount_minor")
    assert refund.arguments_schema == example["tools"][1]["arguments"]


def test_a_policy_is_read_once_and_then_known(world: World, apply: Apply, example: dict[str, Any]) -> None:
    version = apply(world.acme, example).policy_version
    first = policy(world.acme)
    with (
        tenant_scope(world.acme.id),
        CaptureQueriesContext(
            connection,
        ) as with_number,
    ):
        known = queries.policy(tenant=world.acme.id, agent="support-bot", version="2026-11-20", policy_version=version)
    with tenant_scope(world.acme.id), CaptureQueriesContext(connection) as without:
        queries.policy(tenant=world.acme.id, agent="support-bot", version="2026-11-20")
    assert known is first
    assert len(with_number) == 0
    assert len(without) == 1


def test_what_was_read_before_a_change_is_used_no_more(world: World, apply: Apply, example: dict[str, Any]) -> None:
    before = apply(world.acme, example)
    assert not policy(world.acme).is_approved
    with tenant_scope(world.acme.id):
        services.approve_agent_version(
            tenant=world.acme.id, agent="support-bot", version="2026-11-20", by=OPERATOR, at=AT
        )
    found = policy(world.acme)
    assert found.is_approved
    assert found.policy_version > before.policy_version
    stale = policy(world.acme, policy_version=before.policy_version)
    assert stale.is_approved, "a caller with an older number gets what is true now"


def test_what_a_transaction_reads_of_its_own_changes_is_not_kept(
    world: World, apply: Apply, example: dict[str, Any]
) -> None:
    apply(world.acme, example)
    asked = {"tenant": world.acme.id, "agent": "support-bot", "version": "2026-11-20"}
    with pytest.raises(RuntimeError), tenant_scope(world.acme.id):
        services.approve_agent_version(**asked, by=OPERATOR, at=AT)
        assert queries.policy(**asked).is_approved
        raise RuntimeError("something else goes wrong")
    with tenant_scope(world.acme.id):
        services.record_gate(**asked, verdict="required", detail="", by=OPERATOR, at=AT)  # takes the same number
    assert not policy(world.acme).is_approved


def test_an_unreviewed_tool_is_in_the_policy_and_not_reviewed(
    world: World, apply: Apply, example: dict[str, Any]
) -> None:
    apply(world.acme, example)
    assert not any(tool.is_reviewed for tool in policy(world.acme).tools.values())
    applied = apply(world.acme, example)
    with tenant_scope(world.acme.id):
        services.review_tool_version(
            tenant=world.acme.id,
            tool_version=applied.tools[0].tool_version_id,
            verdict=Review.APPROVED,
            reason="reads one order",
            by=OPERATOR,
            at=AT,
        )
    assert {name: tool.is_reviewed for name, tool in policy(world.acme).tools.items()} == {
        "find_order": True,
        "refund": False,
    }


def test_a_revoked_grant_is_gone_from_the_policy(world: World, apply: Apply, example: dict[str, Any]) -> None:
    apply(world.acme, example, approve_tools=True)
    assert "refund" in policy(world.acme).tools
    with tenant_scope(world.acme.id):
        services.revoke_grant(
            tenant=world.acme.id,
            agent="support-bot",
            version="2026-11-20",
            tool="refund",
            reason="paid twice yesterday",
            by=OPERATOR,
            at=AT,
        )
    assert list(policy(world.acme).tools) == ["find_order"]


@pytest.mark.parametrize(
    ("agent", "version"), [("nobody", "2026-11-20"), ("support-bot", "1"), ("*", "*"), ("", ""), ("x" * 5000, "1")]
)
def test_who_is_not_registered_is_unknown(
    world: World, apply: Apply, example: dict[str, Any], agent: str, version: str
) -> None:
    apply(world.acme, example)
    with pytest.raises(AgentUnknown) as refusal:
        policy(world.acme, agent=agent, version=version)
    assert refusal.value.code == "agent_unknown"


def test_anothers_agent_is_unknown(world: World, apply: Apply, example: dict[str, Any]) -> None:
    applied = apply(world.acme, example, approve_tools=True)
    policy(world.acme)
    with pytest.raises(AgentUnknown):
        policy(world.globex)
    with tenant_scope(world.globex.id), pytest.raises(ScopeError):  # though this process knows it
        queries.policy(
            tenant=world.acme.id,
            agent="support-bot",
            version="2026-11-20",
            policy_version=applied.policy_version,
        )
    apply(world.globex, example)
    assert policy(world.acme).is_approved and not policy(world.globex).is_approved


def test_the_cache_is_bounded() -> None:
    kept: Bounded[int, int] = Bounded(3)
    for number in range(1, 5):
        kept.put(number, number)
        kept.get(1)
    assert len(kept) == 3
    assert kept.get(1) == 1 and kept.get(2) is None, "what is asked for stays"
