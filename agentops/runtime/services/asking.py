"""What asks people: why a call takes more than its tool says, whom it would ask, and the question itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops.catalog import pointers
from agentops.catalog.types import AgentPolicy, ToolPolicy
from agentops.common import clock, strictjson
from agentops.confirmations import queries as confirming
from agentops.confirmations import services as confirmations
from agentops.confirmations.types import Action, Asked, Redeemed, ToolFacts
from agentops.runtime import permits
from agentops.runtime.rows import Facts, NewCall
from agentops.runtime.services import entry
from agentops.runtime.services.permitting import permit, permit_id
from agentops.runtime.types import Answer, CallState, ToolProposal, Verdict
from audit import services as audit
from audit.types import Outcome, Target

HIGHEST_TIER = 4
PEOPLE_FOR_HIGHEST_TIER = 2


def raised(
    facts: Facts,
    policy: AgentPolicy,
    tool: ToolPolicy,
    proposal: ToolProposal,
    knowledge: Mapping[str, Any],
    like: bytes,
) -> tuple[list[str], int]:
    """Why a call takes more than its tool says, and the tier it takes: the floor, or for any reasons one more."""
    rules = confirming.rules_for(tenant=facts.tenant_id, agent=facts.agent, policy_version=policy.policy_version)
    paying = confirmations.weigh_payment(**payment_of(facts, tool, proposal), likeness=like) if pays(tool) else None
    reasons = tool.rules.raised(knowledge) + confirming.raised(
        tool_version=tool.tool_version_id,
        schema=tool.arguments_schema,
        arguments=proposal.value,
        is_tainted=proposal.is_tainted,
        paying=paying,
        threshold=rules.threshold(tool.name),
    )
    floor = max(tool.tier, rules.floor(tool.name))
    return reasons, min(HIGHEST_TIER, floor + 1) if reasons else floor


def pays(tool: ToolPolicy) -> bool:
    """Does the tool's definition say whom it pays, and how much?"""
    return bool(tool.payee and tool.amount)


def payment_of(facts: Facts, tool: ToolPolicy, proposal: ToolProposal) -> dict[str, Any]:
    return {
        "tenant": facts.tenant_id,
        "tool": tool.name,
        "acting_user": facts.user_id,
        "run": facts.run_id,
        "call_id": proposal.call_id,
        "payee": pointers.find(tool.payee, proposal.value),
        "amount": pointers.find(tool.amount, proposal.value),
        "at": facts.now,
    }


def are_two(facts: Facts, tool: ToolPolicy) -> bool:
    """Could two people agree to it who have not asked for it themselves?"""
    people = confirming.eligible_people(
        tenant=facts.tenant_id,
        agent=facts.agent,
        tool=tool.name,
        acting_user=facts.user_id,
        tier=HIGHEST_TIER,
        root_user=facts.root.user_id,
    )
    return len(people) >= PEOPLE_FOR_HIGHEST_TIER


def waiting_for(facts: Facts, tool: ToolPolicy, like: bytes, tier: int) -> Asked | None:
    """People who look at this already: at the same definition, and as closely as it takes now."""
    return confirming.pending_like(
        tenant=facts.tenant_id,
        run=facts.run_id,
        likeness=like,
        tool_version=tool.tool_version_id,
        least_tier=tier,
    )


def ask(
    facts: Facts,
    policy: AgentPolicy,
    tool: ToolPolicy,
    proposal: ToolProposal,
    tier: int,
    reasons: list[str],
    like: bytes,
) -> tuple[Verdict, NewCall]:
    action = action_of(facts, policy, tool, proposal, like)
    standing = (
        None
        if reasons
        else confirmations.standing_answer_for(tenant=facts.tenant_id, action=action, tier=tier, at=facts.now)
    )
    asked = confirmations.request(
        tenant=facts.tenant_id,
        action=action,
        tier=tier,
        raised_because=reasons,
        is_answered=standing is not None,
        at=facts.now,
    )
    if standing is not None:
        return _stood(facts, tool, proposal, asked, standing, like)
    entry.pause_clock(facts, until=asked.expires_at)
    return wait(facts, asked, tool, reasons), _call(proposal, CallState.WAITING, like, asked)


def _stood(
    facts: Facts, tool: ToolPolicy, proposal: ToolProposal, asked: Asked, standing: uuid.UUID, like: bytes
) -> tuple[Verdict, NewCall]:
    """Somebody has agreed to such calls beforehand: approved, and redeemed at once."""
    said = confirming.standing_approval(tenant=facts.tenant_id, standing=standing, at=facts.now)
    confirmations.stand(
        tenant=facts.tenant_id,
        confirmation=asked.id,
        standing=standing,
        owner=said.owner,
        uses_left=said.uses_most - said.uses,
        at=facts.now,
    )
    redeemed = confirmations.redeem(tenant=facts.tenant_id, confirmation=asked.id, jti=permit_id(facts), at=facts.now)
    token, until = permit(
        facts,
        tool,
        args=redeemed.arguments,
        tier=redeemed.tier,
        action_digest=f"sha256:{redeemed.action_digest.hex()}",
        resource=resource_of(tool, proposal.value),
        resource_version=proposal.resource_version,
    )
    note_redeemed(facts, tool.name, redeemed)
    verdict = Verdict(Answer.ALLOW, body={"permit": token}, tier=asked.tier, tool_version=tool.version)
    verdict.data = {"because": "a standing approval answered for a person"}
    return verdict, _call(proposal, CallState.ADMITTED, like, asked, permit_until=until)


def _call(
    proposal: ToolProposal, state: CallState, like: bytes, asked: Asked, *, permit_until: datetime | None = None
) -> NewCall:
    return NewCall(state=state, digest=proposal.digest, likeness=like, confirmation=asked.id, permit_until=permit_until)


def note_redeemed(facts: Facts, tool: str, redeemed: Redeemed) -> None:
    audit.record(
        tenant=facts.tenant_id,
        action="tool_call.redeemed",
        actor=entry.actor(facts),
        target=Target(type="tool", id=tool),
        outcome=Outcome.SUCCESS,
        data={
            "call": facts.call_id,
            "confirmation": str(redeemed.id),
            "action_digest": redeemed.action_digest.hex(),
            "args_digest": permits.digest(redeemed.arguments).removeprefix("sha256:"),
        },
        at=facts.now,
        run=facts.run_id,
        on_behalf_of=facts.user_id,
    )


def action_of(facts: Facts, policy: AgentPolicy, tool: ToolPolicy, proposal: ToolProposal, like: bytes) -> Action:
    """What people are asked, and what the page that asks them needs to know of the tool."""
    rules = confirming.rules_for(tenant=facts.tenant_id, agent=facts.agent, policy_version=policy.policy_version)
    return Action(
        run_id=facts.run_id,
        call_id=proposal.call_id,
        agent=facts.agent,
        agent_version=facts.agent_version,
        acting_user=facts.user_id,
        root_user=facts.root.user_id if facts.root.user_id != facts.user_id else "",
        tool=tool.name,
        tool_version=tool.version,
        tool_version_id=tool.tool_version_id,
        schema_digest=tool.schema_digest,
        resource=resource_of(tool, proposal.value),
        resource_version=proposal.resource_version,
        current=proposal.current,
        arguments=proposal.arguments,
        likeness=like,
        policy_version=facts.policy_version,
        says=proposal.reason,
        is_tainted=proposal.is_tainted,
        delay_seconds=rules.delay_seconds(tool.name),
        facts=ToolFacts(
            description=tool.description,
            effect=str(tool.effect),
            reversal=str(tool.reversal),
            recipe=tool.recipe,
            reversible_seconds=tool.reversible_seconds,
            resource=tool.resource,
            payee=tool.payee,
            amount=tool.amount,
            phrase=tool.phrase,
            cosmetic=tuple(tool.cosmetic),
        ),
    )


def resource_of(tool: ToolPolicy, arguments: Any) -> str:
    """What a call acts on, as its arguments name it; "" where the tool's definition does not say."""
    value = pointers.find(tool.resource, arguments) if tool.resource else None
    if value is None or isinstance(value, str):
        return value or ""
    return strictjson.canonical(value).decode()


def wait(facts: Facts, asked: Asked, tool: ToolPolicy, reasons: list[str]) -> Verdict:
    return Verdict(
        Answer.CONFIRM,
        "confirmation_required",
        f"{tool.name} waits for {'two people' if asked.tier == HIGHEST_TIER else 'a person'} to confirm it.",
        body={
            "confirmation": {
                "id": str(asked.id),
                "tier": asked.tier,
                "url": confirming.path_of(tenant=facts.tenant_id, confirmation=asked.id),
                "expires_at": clock.rfc3339(asked.expires_at),
            }
        },
        data={"raised_because": reasons} if reasons else {},
        tier=asked.tier,
        tool_version=tool.version,
    )
