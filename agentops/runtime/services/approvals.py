"""What the guard does about what people decide: their edits, the end of a delay, and what never told its end."""

from __future__ import annotations

import uuid
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection

from agentops.catalog import queries as catalog
from agentops.catalog.types import AgentPolicy, ToolPolicy
from agentops.common import scope, strictjson
from agentops.common.errors import InputProblem, InvalidInput
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries as confirming
from agentops.confirmations import services as confirmations
from agentops.confirmations.types import Asked, Detail, Person
from agentops.runtime import rows
from agentops.runtime.errors import EditNotPossible
from agentops.runtime.policies.likeness import likeness
from agentops.runtime.rows import Facts
from agentops.runtime.services import asking, entry, rechecks
from agentops.runtime.services.tool_calls import knowledge_of
from agentops.runtime.types import Answer, Asker, CallState, RunStatus, ToolProposal, Verb, Verdict

_SYSTEM = Asker(uuid.UUID(int=0), "agentops")
# Every call of the run that waits for the same question, waits for the new one.
_MOVE = """
UPDATE runtime_guardcall SET confirmation_id = %(new)s, likeness = CASE call_id WHEN %(call)s THEN %(like)s ELSE likeness END
WHERE tenant_id = %(tenant)s AND run_started_at = %(began)s AND run_id = %(run)s AND confirmation_id = %(old)s AND state = %(waiting)s
"""


# -- a person changes it ----------------------------------------------------------------------------------------------


def edit(*, tenant: uuid.UUID, confirmation: uuid.UUID, arguments: Any, by: Person, at: datetime) -> Asked:
    """Put other arguments in the place of those that wait, as a person wants them; answers the new confirmation.

    They are checked as the agent's own would be, and nothing is agreed to by that: the new one is asked for anew, at no
    lower tier. `arguments` as `strictjson.loads` gives them. Raises InvalidInput with the pointers, EditNotPossible, and
    what confirmations refuse (NotEligible, Decided, …).
    """
    scope.require_tenant(tenant)
    detail = confirming.detail(tenant=tenant, confirmation=confirmation, person=by)
    facts = entry.found(tenant, detail.run_id, detail.call_id)  # the family before the confirmation, as the verbs lock
    _require_live(facts)
    policy = _policy(facts)
    tool = _pinned(policy, detail)
    proposal = _proposal(detail, arguments)
    wrong = rechecks.wrong_with(facts, tool, proposal)
    if wrong:
        problems = tuple(InputProblem(each.pointer, each.code, f"{each.hint}; {each.expected}") for each in wrong)
        raise InvalidInput("These arguments would be refused.", problems=problems)
    knowledge = knowledge_of(facts, tool, arguments=proposal.value, is_tainted=proposal.is_tainted)
    reasons, tier = asking.raised(facts, policy, tool, proposal, knowledge)
    like = likeness(tool.name, proposal.value, tool.cosmetic)
    asked = confirmations.supersede(
        tenant=tenant,
        confirmation=confirmation,
        action=asking.action_of(facts, policy, tool, proposal, like),
        tier=tier,
        raised_because=[*detail.raised_because, *(each for each in reasons if each not in detail.raised_because)],
        by=by,
        at=at,
    )
    _require_people(tenant, asked)
    _move_calls(facts, confirmation, asked, like)
    if asking.pays(tool):
        confirmations.note_payment(**asking.payment_of(facts, tool, proposal))
    return asked


def _require_live(facts: Facts) -> None:
    if facts.status is not RunStatus.RUNNING or facts.killed_scope is not None:
        raise EditNotPossible("The run that asks for it has ended, or was stopped.")


def _pinned(policy: AgentPolicy, detail: Detail) -> ToolPolicy:
    """The definition that the person looks at, as long as it is the one that would run. Raises EditNotPossible."""
    tool = policy.tools.get(detail.tool)
    if not policy.is_approved or tool is None or not tool.is_reviewed:
        raise EditNotPossible(f"{detail.tool} may not be called any more; refuse it, or let it expire.")
    if tool.tool_version_id != detail.tool_version_id:
        raise EditNotPossible(
            f"The definition of {detail.tool} is another by now; refuse it, and let the agent ask again."
        )
    return tool


def _proposal(detail: Detail, arguments: Any) -> ToolProposal:
    """As the agent would have asked for it. What it knew of the resource was said of what it asked for, and stays."""
    canonical = strictjson.canonical(arguments)
    if canonical == detail.arguments:
        raise InvalidInput(
            "Nothing was changed.", problems=(InputProblem("", "unchanged", "these are the arguments that wait"),)
        )
    return ToolProposal(
        call_id=detail.call_id,
        tool=detail.tool,
        arguments=canonical,
        value=arguments,
        reason=detail.says,
        is_tainted=detail.is_tainted,
        digest=b"",
        resource_version=detail.resource_version,
        current=detail.current,
    )


def _require_people(tenant: uuid.UUID, asked: Asked) -> None:
    """Who edits an action of tier 4 does not approve it: there must be two others. Nothing of the edit stays else."""
    if asked.tier < asking.HIGHEST_TIER:
        return
    people = confirming.detail(tenant=tenant, confirmation=asked.id).eligible
    if len(people) < asking.PEOPLE_FOR_HIGHEST_TIER:
        raise EditNotPossible(
            "Changed like this, two people would have to agree to it, and who changed it is not one of them; "
            "there are not two others."
        )


def _move_calls(facts: Facts, old: uuid.UUID, new: Asked, like: bytes) -> None:
    entry.pause_clock(facts, until=new.expires_at)
    entry.keep_clock(facts)
    with connection.cursor() as cursor:
        cursor.execute(
            _MOVE,
            {
                "new": new.id,
                "call": new.call_id,
                "like": like,
                "tenant": facts.tenant_id,
                "began": rows.began(facts.run_id),
                "run": facts.run_id,
                "old": old,
                "waiting": int(CallState.WAITING),
            },
        )


# -- a delay is over --------------------------------------------------------------------------------------------------


def release_due(*, tenant: uuid.UUID, most: int = 200) -> int:
    """Let go on what nobody has stopped in its delay, or let it lapse where something has changed; answers how many were
    looked at. Each in its own scope, under the lock of its run."""
    with tenant_scope(tenant):
        due = confirming.due_releases(tenant=tenant, most=most)
    for confirmation, run, call_id in due:
        entry.with_run(tenant, run, call_id, partial(_release, confirmation))
    return len(due)


def _release(confirmation: uuid.UUID, facts: Facts) -> None:
    held = confirming.held(tenant=facts.tenant_id, confirmation=confirmation)
    if held is None or not held.is_due:
        return  # somebody was here before
    if facts.status is not RunStatus.RUNNING:
        confirmations.lapse(tenant=facts.tenant_id, confirmation=confirmation, reason="the run has ended", at=facts.now)
        return
    halted = entry.stopped(facts)
    if halted is not None:  # the run has ended by that, and with it all that waits in its name
        rows.write(facts, verb=Verb.REDEMPTION, verdict=halted, by=_SYSTEM, tool=held.tool)
        return
    policy = _policy(facts)
    why = rechecks.why_not_any_more(facts, policy, policy.tools.get(held.tool), held)
    why = why or why_not_released(facts, confirmation)
    if why:
        confirmations.lapse(tenant=facts.tenant_id, confirmation=confirmation, reason=why, at=facts.now)
        verdict = Verdict(Answer.REJECT, "confirmation_expired", f"What was approved cannot run any more: {why}")
        rows.write(facts, verb=Verb.REDEMPTION, verdict=verdict, by=_SYSTEM, tool=held.tool)


def why_not_released(facts: Facts, confirmation: uuid.UUID) -> str:
    """Release it, where those who agreed could still agree; else why not."""
    if not confirming.approvers_still_eligible(tenant=facts.tenant_id, confirmation=confirmation):
        return "somebody who agreed to it may not agree to it any more"
    confirmations.release(tenant=facts.tenant_id, confirmation=confirmation, at=facts.now)
    return ""


# -- nobody told how it ended -----------------------------------------------------------------------------------------


def close_lost(*, tenant: uuid.UUID, most: int = 200) -> int:
    """What has been executing for too long is of unknown outcome: it is never repeated by itself. Answers how many."""
    with tenant_scope(tenant):
        lost = confirming.lost_executions(tenant=tenant, most=most)
    for confirmation, run, call_id in lost:
        entry.with_run(tenant, run, call_id, partial(_close, confirmation))
    return len(lost)


def _close(confirmation: uuid.UUID, facts: Facts) -> None:
    confirmations.lose_outcome(tenant=facts.tenant_id, confirmation=confirmation, at=facts.now)


def _policy(facts: Facts) -> AgentPolicy:
    return catalog.policy(
        tenant=facts.tenant_id, agent=facts.agent, version=facts.agent_version, policy_version=facts.policy_version
    )
