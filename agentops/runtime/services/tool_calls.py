"""May this tool be called with these arguments? The order of the questions is the order of this file."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from agentops.catalog import queries as catalog
from agentops.catalog import scopes
from agentops.catalog.types import AgentPolicy, Rejection, ToolPolicy
from agentops.confirmations import services as confirmations
from agentops.runtime import permits
from agentops.runtime.policies.advice import advice
from agentops.runtime.policies.likeness import likeness
from agentops.runtime.policies.repetition import Limits
from agentops.runtime.rows import Facts, NewCall
from agentops.runtime.services import asking, entry
from agentops.runtime.services.permitting import permit
from agentops.runtime.types import Answer, Asker, CallState, RunStatus, ToolProposal, Verb, Verdict

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
    reasons, tier = asking.raised(facts, policy, tool, proposal, knowledge, like)
    if tier == asking.HIGHEST_TIER and not asking.are_two(facts, tool):
        return _refused(facts, policy, proposal, [_approvers_rejection(tool, reasons)], tool)
    waiting = asking.waiting_for(facts, tool, like, tier) if tier > 1 else None
    if waiting is not None:  # asked again while people look at it: the same question, no repetition and no further call
        facts.root.tool_calls -= 1
        verdict = asking.wait(facts, waiting, tool, reasons)
        return verdict, _call(proposal, CallState.WAITING, like, confirmation=waiting.id)
    root = facts.root
    finding = root.history.add_call(tool.name, like.hex()[:16], _limits(policy))
    if finding is not None:
        detail = f"Stopped: {finding.sentence}. {finding.hint[0].upper()}{finding.hint[1:]}."
        entry.end(facts, status=RunStatus.ABORTED, code="repetition", detail=detail, whole_family=True)
        verdict = Verdict(Answer.ABORT, "repetition", detail, tool_version=tool.version)
        verdict.data = {"detector": finding.detector}
        return verdict, _call(proposal, CallState.REJECTED, like)
    root.history.note_accepted(tool.name)
    if asking.pays(tool):
        confirmations.note_payment(**asking.payment_of(facts, tool, proposal))
    verdict, call = (
        asking.ask(facts, policy, tool, proposal, tier, reasons, like)
        if tier > 1
        else _allowed(facts, tool, proposal, like)
    )
    told = _advice(facts) if verdict.answer is Answer.ALLOW else ""
    if told:
        verdict.body["advice"] = verdict.data["advice"] = told
    return verdict, call


def _allowed(facts: Facts, tool: ToolPolicy, proposal: ToolProposal, like: bytes) -> tuple[Verdict, NewCall]:
    token, until = permit(
        facts,
        tool,
        args=proposal.arguments,
        tier=1,
        action_digest="",
        resource=asking.resource_of(tool, proposal.value),
        resource_version=proposal.resource_version,
    )
    verdict = Verdict(Answer.ALLOW, body={"permit": token}, tier=1, tool_version=tool.version)
    return verdict, _call(proposal, CallState.ADMITTED, like, permit_until=until)


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
    # Names that are no tools of the agent are one and the same: else there was always another one to try.
    left = facts.root.history.add_refusal(proposal.tool if tool else "", why, _limits(policy))
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
        what = f"{proposal.tool} was refused" if tool else "what may not be called was asked for"
        detail = f"Stopped: {what} again and again for the same reason. {detail}"
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
        expected=f"an organisation with {asking.PEOPLE_FOR_HIGHEST_TIER} people who may approve",
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
