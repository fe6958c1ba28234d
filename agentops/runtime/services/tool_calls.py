"""May this tool be called with these arguments? The order of the questions is the order of this file."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from agentops.catalog import pointers, scopes
from agentops.catalog import queries as catalog
from agentops.catalog.types import AgentPolicy, Rejection, ToolPolicy
from agentops.common import clock, strictjson
from agentops.confirmations import queries as confirming
from agentops.confirmations import services as confirmations
from agentops.confirmations.types import Action, Asked, ToolFacts
from agentops.runtime import permits
from agentops.runtime.policies.advice import advice
from agentops.runtime.policies.likeness import likeness
from agentops.runtime.policies.repetition import Limits
from agentops.runtime.rows import Facts, NewCall
from agentops.runtime.services import entry
from agentops.runtime.types import Answer, Asker, CallState, RunStatus, ToolProposal, Verb, Verdict
from tenants import queries as tenants

HIGHEST_TIER = 4
PEOPLE_FOR_HIGHEST_TIER = 2
_MOST_POINTER, _MOST_WORDS = 200, 500


def propose(*, tenant: uuid.UUID, run: uuid.UUID, proposal: ToolProposal, by: Asker) -> dict[str, Any]:
    """Decide a tool call and write the decision down; answers what the agent is told. Opens its own scope.

    Raises RunUnknown, RunFinished, IdempotencyMismatch, CallOver.
    """
    return entry.with_run(tenant, run, proposal.call_id, lambda facts: _propose(facts, proposal, by))


def _propose(facts: Facts, proposal: ToolProposal, by: Asker) -> dict[str, Any]:
    earlier = entry.replayed(facts, Verb.TOOL_CALL, proposal.digest, by=by, tool=proposal.tool)
    if earlier is not None:
        return _with_arguments(earlier, proposal)
    entry.require_running(facts)
    entry.resume_clock(facts)
    policy = catalog.policy(
        tenant=facts.tenant_id, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
    verdict, call = _decide(facts, policy, proposal)
    entry.write_down(
        facts,
        verb=Verb.TOOL_CALL,
        verdict=verdict,
        by=by,
        tool=proposal.tool,
        call=call,
        args_digest=permits.digest(proposal.arguments),
    )
    return _with_arguments(verdict.as_json(), proposal)


def _with_arguments(answer: dict[str, Any], proposal: ToolProposal) -> dict[str, Any]:
    """What is allowed comes back with the arguments to run: the checked ones. They are not kept with the answer."""
    return answer | {"arguments": proposal.value} if answer["decision"] == Answer.ALLOW else answer


def _decide(facts: Facts, policy: AgentPolicy, proposal: ToolProposal) -> tuple[Verdict, NewCall | None]:
    verdict = entry.stopped(facts) or entry.without_slot(facts)
    if verdict is not None:
        return verdict, _rejected(proposal) if verdict.answer is Answer.ABORT else None
    root = facts.root
    root.steps += 1
    tool = policy.tools.get(proposal.tool)
    narrowed = facts.scope.get("tools")
    if not policy.is_approved:
        return _refused(facts, policy, proposal, [_version_rejection(facts)])
    if tool is None:
        return _refused(facts, policy, proposal, [_grant_rejection(policy, proposal)])
    if not tool.is_reviewed:
        return _refused(facts, policy, proposal, [_review_rejection(tool)], tool)
    if narrowed is not None and proposal.tool not in narrowed:
        return _refused(facts, policy, proposal, [_narrowed_rejection(proposal, narrowed)], tool)
    knowledge = knowledge_of(facts, tool, arguments=proposal.value, is_tainted=proposal.is_tainted)
    outside = scopes.check(tool.grant_scope, knowledge)
    if outside:
        return _refused(facts, policy, proposal, outside, tool)
    if root.tool_calls >= root.caps.tool_calls:
        return _capped(facts, proposal, tool)
    root.tool_calls += 1
    wrong = tool.schema.check(proposal.value) or tool.rules.check(knowledge)
    if wrong:
        return _refused(facts, policy, proposal, wrong, tool)
    return _accepted(facts, policy, tool, proposal, knowledge)


def _accepted(
    facts: Facts, policy: AgentPolicy, tool: ToolPolicy, proposal: ToolProposal, knowledge: Mapping[str, Any]
) -> tuple[Verdict, NewCall]:
    like = likeness(tool.name, proposal.value, tool.cosmetic)
    reasons, tier = raised(facts, policy, tool, proposal, knowledge)
    if tier == HIGHEST_TIER and tenants.approver_count(facts.tenant_id) < PEOPLE_FOR_HIGHEST_TIER:
        return _refused(facts, policy, proposal, [_approvers_rejection(tool, reasons)], tool)
    waiting = _waiting_for(facts, tool, like, tier) if tier > 1 else None
    if waiting is not None:  # asked again while people look at it: the same question, no repetition and no further call
        facts.root.tool_calls -= 1
        return _waiting(waiting, tool, reasons), _call(proposal, CallState.WAITING, like, confirmation=waiting.id)
    root = facts.root
    finding = root.history.add_call(tool.name, like.hex()[:16], _limits(policy))
    if finding is not None:
        detail = f"Stopped: {finding.sentence}. {finding.hint[0].upper()}{finding.hint[1:]}."
        entry.end(facts, status=RunStatus.ABORTED, code="repetition", detail=detail, whole_family=True)
        verdict = Verdict(Answer.ABORT, "repetition", detail, tool_version=tool.version)
        verdict.data = {"detector": finding.detector}
        return verdict, _call(proposal, CallState.REJECTED, like)
    root.history.note_accepted(tool.name)
    if pays(tool):
        confirmations.note_payment(**_payment(facts, tool, proposal))
    if tier > 1:
        return _asked(facts, policy, tool, proposal, tier, reasons, like)
    return _allowed(facts, tool, proposal, like)


def raised(
    facts: Facts, policy: AgentPolicy, tool: ToolPolicy, proposal: ToolProposal, knowledge: Mapping[str, Any]
) -> tuple[list[str], int]:
    """Why a call takes more than its tool says, and the tier it takes: the floor, or for any reasons one more."""
    rules = confirming.rules_for(tenant=facts.tenant_id, agent=facts.agent, policy_version=policy.policy_version)
    paying = confirmations.weigh_payment(**_payment(facts, tool, proposal)) if pays(tool) else None
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


def _payment(facts: Facts, tool: ToolPolicy, proposal: ToolProposal) -> dict[str, Any]:
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


def _waiting_for(facts: Facts, tool: ToolPolicy, like: bytes, tier: int) -> Asked | None:
    """People who look at this already: at the same definition, and as closely as it takes now."""
    return confirming.pending_like(
        tenant=facts.tenant_id,
        run=facts.run_id,
        likeness=like,
        tool_version=tool.tool_version_id,
        least_tier=tier,
    )


def _allowed(facts: Facts, tool: ToolPolicy, proposal: ToolProposal, like: bytes) -> tuple[Verdict, NewCall]:
    token, until = permit(facts, tool, args=proposal.arguments, tier=1, action_digest="")
    body = {"permit": token}
    told = _advice(facts)
    if told:
        body["advice"] = told
    verdict = Verdict(Answer.ALLOW, body=body, tier=1, tool_version=tool.version, data={"advice": told} if told else {})
    return verdict, _call(proposal, CallState.ADMITTED, like, permit_until=until)


def _asked(
    facts: Facts,
    policy: AgentPolicy,
    tool: ToolPolicy,
    proposal: ToolProposal,
    tier: int,
    reasons: list[str],
    like: bytes,
) -> tuple[Verdict, NewCall]:
    asked = confirmations.request(
        tenant=facts.tenant_id,
        action=action_of(facts, policy, tool, proposal, like),
        tier=tier,
        raised_because=reasons,
        at=facts.now,
    )
    entry.pause_clock(facts, until=asked.expires_at)
    return _waiting(asked, tool, reasons), _call(proposal, CallState.WAITING, like, confirmation=asked.id)


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


def _waiting(asked: Asked, tool: ToolPolicy, reasons: list[str]) -> Verdict:
    return Verdict(
        Answer.CONFIRM,
        "confirmation_required",
        f"{tool.name} waits for {'two people' if asked.tier == HIGHEST_TIER else 'a person'} to confirm it.",
        body={
            "confirmation": {
                "id": str(asked.id),
                "tier": asked.tier,
                "url": confirming.path_of(asked.id),
                "expires_at": clock.rfc3339(asked.expires_at),
            }
        },
        data={"raised_because": reasons} if reasons else {},
        tier=asked.tier,
        tool_version=tool.version,
    )


def _refused(
    facts: Facts,
    policy: AgentPolicy,
    proposal: ToolProposal,
    wrong: list[Rejection],
    tool: ToolPolicy | None = None,
) -> tuple[Verdict, NewCall]:
    """A rejection the agent can plan around; the same one again and again ends the run."""
    first = wrong[0]
    why = hashlib.sha256(f"{first.code} {first.pointer}".encode()).hexdigest()[:16]  # a pointer may be of any length
    left = facts.root.history.add_refusal(proposal.tool, why, _limits(policy))
    errors = [
        {
            "code": r.code,
            "pointer": r.pointer[:_MOST_POINTER],
            "expected": r.expected[:_MOST_WORDS],
            "hint": r.hint[:_MOST_WORDS],
        }
        for r in wrong
    ]
    version = tool.version if tool else ""
    detail = _sentence(proposal.tool, first)
    if left == 0:
        detail = f"Stopped: {proposal.tool} was refused again and again for the same reason. {detail}"
        entry.end(facts, status=RunStatus.ABORTED, code="repetition", detail=detail, whole_family=True)
        verdict = Verdict(Answer.ABORT, "repetition", detail, {"errors": errors, "attempts_left": 0})
        verdict.data = {"errors": errors, "detector": "same_error"}
    else:
        verdict = Verdict(Answer.REJECT, first.code, detail, {"errors": errors, "attempts_left": left})
        verdict.data = {"errors": errors, "attempts_left": left}
    verdict.tool_version, verdict.tier = version, tool.tier if tool else 0
    return verdict, _rejected(proposal)


def _sentence(tool: str, first: Rejection) -> str:
    where = f" at {first.pointer[:_MOST_POINTER]}" if first.pointer else ""
    return (
        f"{tool} was refused{where}: expected {first.expected[:_MOST_WORDS]}."
        if first.expected
        else f"{tool} was refused: {first.hint}"
    )


def _capped(facts: Facts, proposal: ToolProposal, tool: ToolPolicy) -> tuple[Verdict, NewCall]:
    detail = f"Stopped: the run has made its {facts.root.caps.tool_calls} tool calls."
    is_of_all = facts.root.tool_calls >= facts.root.family_caps.tool_calls
    entry.end(facts, status=RunStatus.ABORTED, code="tool_cap_reached", detail=detail, whole_family=is_of_all)
    return Verdict(Answer.ABORT, "tool_cap_reached", detail, tool_version=tool.version), _rejected(proposal)


def _version_rejection(facts: Facts) -> Rejection:
    return Rejection(
        code="agent_version_not_approved",
        pointer="",
        expected="an approved version of the agent",
        hint=f"version {facts.agent_version} of {facts.agent} is not approved (any more); a reviewer can approve it",
    )


def _grant_rejection(policy: AgentPolicy, proposal: ToolProposal) -> Rejection:
    names = ", ".join(sorted(policy.tools)[:20]) or "none"
    return Rejection(
        code="tool_not_granted",
        pointer="",
        expected=f"one of the tools of this agent: {names}",
        hint=f"{policy.agent} was not granted {proposal.tool[:100]}; plan with the tools it has",
    )


def _review_rejection(tool: ToolPolicy) -> Rejection:
    return Rejection(
        code="tool_not_reviewed",
        pointer="",
        expected="a tool whose definition was reviewed",
        hint=f"version {tool.version} of {tool.name} waits for a reviewer; plan without it",
    )


def _approvers_rejection(tool: ToolPolicy, reasons: list[str]) -> Rejection:
    because = f"; it is needed because {' and '.join(reasons)}" if reasons else ""
    return Rejection(
        code="approvers_missing",
        pointer="",
        expected=f"an organisation with {PEOPLE_FOR_HIGHEST_TIER} people who may approve",
        hint=f"{tool.name} would need two people to agree, and there are not two{because}; plan without it",
    )


def _narrowed_rejection(proposal: ToolProposal, narrowed: list[str]) -> Rejection:
    return Rejection(
        code="out_of_scope",
        pointer="",
        expected=f"one of the tools of this run: {', '.join(narrowed[:20]) or 'none'}",
        hint=f"this run was started without {proposal.tool}; plan with the tools it has",
    )


def knowledge_of(facts: Facts, tool: ToolPolicy, *, arguments: Any, is_tainted: bool) -> dict[str, Any]:
    """What rules and scopes may look at."""
    root = facts.root
    contacts = (
        catalog.contacts(tenant=facts.tenant_id, user=facts.user_id)
        if tool.rules.needs_contacts or any(path.startswith("contacts") for path in tool.grant_scope.values())
        else {}
    )
    return {
        "args": arguments,
        "user": {**facts.scope.get("user", {}), "id": facts.user_id},
        "run": {
            "id": facts.run_id.hex,
            "agent": facts.agent,
            "agent_version": facts.agent_version,
            "session": facts.session_id,
            "depth": facts.depth,
            "llm_calls": root.llm_calls,
            "tool_calls": root.tool_calls,
            "tainted": is_tainted,
        },
        "tenant": {"id": str(facts.tenant_id)},
        "contacts": contacts,
    }


def _limits(policy: AgentPolicy) -> Limits:
    said = policy.repetition
    chosen = {
        name: value
        for name in ("same_tool", "identical", "cycle", "same_error")
        if (value := getattr(said, name)) is not None
    }
    return Limits(**chosen)


def _advice(facts: Facts) -> str:
    root = facts.root
    return advice(
        [
            ("tool calls", root.tool_calls, root.caps.tool_calls),
            ("model calls", root.llm_calls, root.caps.llm_calls),
        ]
    )


def permit(facts: Facts, tool: ToolPolicy, *, args: bytes, tier: int, action_digest: str) -> tuple[str, Any]:
    """A signed permit for this call, and when it ends. Its `jti` is the run and the step, where its use is noted."""
    until = facts.now + timedelta(seconds=permits.LIFETIME_SECONDS)
    issued = int(facts.now.timestamp())
    claims = {
        "iss": "agentops",
        "aud": f"tool:{tool.name}",
        "sub": facts.user_id,
        "tenant": str(facts.tenant_id),
        "run": facts.run_id.hex,
        "call": facts.call_id,
        "agent": facts.agent,
        "agent_version": facts.agent_version,
        "tool": tool.name,
        "tool_version": tool.version,
        "schema_digest": tool.schema_digest,
        "action_digest": action_digest or permits.digest(args),
        "args_digest": permits.digest(args),
        "policy_version": facts.policy_version,
        "tier": tier,
        "iat": issued,
        "exp": issued + permits.LIFETIME_SECONDS,
        "jti": f"{facts.run_id.hex}-{facts.root.steps}",
    }
    return permits.sign(claims), until


def _call(
    proposal: ToolProposal,
    state: CallState,
    like: bytes,
    *,
    confirmation: uuid.UUID | None = None,
    permit_until: Any = None,
) -> NewCall:
    return NewCall(
        state=state, digest=proposal.digest, likeness=like, confirmation=confirmation, permit_until=permit_until
    )


def _rejected(proposal: ToolProposal) -> NewCall:
    return NewCall(state=CallState.REJECTED, digest=proposal.digest)
