"""What every verb of a running run begins and ends with: found, live, not killed, in its slot; and how a run ends."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, connection

from agentops.budgets import services as budgets
from agentops.common import prepared, scope
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries as confirming
from agentops.confirmations import services as confirmations
from agentops.runtime import rows
from agentops.runtime.errors import CallOver, IdempotencyMismatch, RunFinished, RunUnknown
from agentops.runtime.rows import Facts
from agentops.runtime.types import HOLD_LASTS, Answer, Asker, CallState, RunStatus, Verb, Verdict
from audit import services as audit
from audit.types import Actor, Outcome, Target

T = TypeVar("T")

_OUTCOMES = {
    Answer.ALLOW: Outcome.SUCCESS,
    Answer.CONFIRM: Outcome.PENDING,
    Answer.THROTTLE: Outcome.PENDING,
    Answer.REJECT: Outcome.DENIED,
    Answer.ABORT: Outcome.DENIED,
}
_UNKNOWN = "There is no such run; start one with POST /api/v1/guard/runs."
_CLOCK = """
UPDATE runtime_guardedrun SET deadline = %s, paused_at = %s, paused_deadline = %s WHERE tenant_id = %s AND run_id = %s
"""
_GIVE_BACK = """
UPDATE runtime_guardedrun SET deadline = deadline + %s
WHERE tenant_id = %s AND root_id = %s AND run_id <> %s AND status = 1
"""
_ACTIVE = """
SELECT count(*) FILTER (WHERE user_id = %s), count(*) FROM runtime_guardedrun
WHERE tenant_id = %s AND status = 1 AND root_id = run_id AND run_id <> %s AND lease_until > %s AND deadline > %s
"""


def in_scope(tenant: uuid.UUID, verb: Callable[[], T]) -> T:
    """Run a verb in a transaction of its own; once more when the same call id was written beside it.

    Two requests with one call id that arrive together: the second waits for the root's row, but may have looked for
    the call before. Its insert fails then, and the next try finds the first one's answer.
    """
    return _once_more(lambda: tenant_scope(tenant), lambda _: verb())


def with_run(tenant: uuid.UUID, run: uuid.UUID, call_id: str, verb: Callable[[Facts], T]) -> T:
    """The same for a verb of a run, which it gets under its lock. Raises RunUnknown, also for the runs of others."""
    return _once_more(
        lambda: tenant_scope(tenant, first=rows.locking(tenant, run, call_id)),
        lambda found: verb(_known(rows.facts_of(tenant, run, call_id, found))),
    )


def _once_more(scope: Callable[[], AbstractContextManager[Any]], verb: Callable[[Any], T]) -> T:
    try:
        with scope() as found:
            return verb(found)
    except IntegrityError:
        with scope() as found:
            return verb(found)


def found(tenant: uuid.UUID, run: uuid.UUID, call_id: str, *, unknown: str = _UNKNOWN) -> Facts:
    """A run under its lock, in a scope that is open. Raises RunUnknown, also for the runs of others."""
    locked = prepared.run_all(rows.locking(tenant, run, call_id))
    return _known(rows.facts_of(tenant, run, call_id, locked), unknown)


def _known(facts: Facts | None, unknown: str = _UNKNOWN) -> Facts:
    if facts is None:
        raise RunUnknown(unknown)
    return facts


def replayed(facts: Facts, verb: Verb, digest: bytes, *, by: Asker, tool: str = "") -> dict[str, Any] | None:
    """The earlier answer to the same request. What was allowed is allowed again only as long as it would still be:
    the run goes on, nobody has stopped it, and the call has not been made and told of since.

    Raises IdempotencyMismatch for another request under its call id, RunFinished, and CallOver.
    """
    earlier = facts.earlier
    if earlier is None:
        return None
    if earlier.verb is not verb or earlier.digest != digest:
        raise IdempotencyMismatch(
            f"The call id {facts.call_id!r} was used in this run for another request; choose a new one."
        )
    if earlier.answer["decision"] != Answer.ALLOW:
        return earlier.answer
    require_running(facts)
    halted = stopped(facts)
    if halted is not None:
        write_down(facts, verb=verb, verdict=halted, by=by, tool=tool)
        return halted.as_json()
    _require_open(facts, earlier)
    return earlier.answer


def _require_open(facts: Facts, earlier: rows.Earlier) -> None:
    if earlier.state is CallState.CLOSED:
        raise CallOver("This call was allowed, and its end was told; ask again under a new call id.")
    if earlier.permit_consumed_at is not None:
        raise CallOver("This call was allowed, and its permit is used up; ask again under a new call id.")
    until = earlier.permit_expires_at or earlier.decided_at + HOLD_LASTS
    if facts.now >= until:
        raise CallOver(f"This call was allowed until {until:%H:%M:%S} UTC; ask again under a new call id.")


def require_running(facts: Facts) -> None:
    """Raises RunFinished."""
    if facts.status is not RunStatus.RUNNING:
        why = f" ({facts.end_code}: {facts.end_detail})" if facts.end_code else ""
        raise RunFinished(f"The run has ended with status {facts.status.label.lower()}{why}.")


def stopped(facts: Facts) -> Verdict | None:
    """Why this run may not take another step, if so; the run is ended then."""
    if facts.killed_scope is not None:
        detail = killed_words(facts.killed_scope, facts.killed_reason)
        whole = facts.killed_scope != "agent" or facts.run_id == facts.root.run_id
        end(facts, status=RunStatus.KILLED, code="killed", detail=detail, whole_family=whole)
        return Verdict(Answer.ABORT, "killed", detail)
    if facts.now >= facts.root.deadline and not _is_waited_for(facts):
        detail = "The run is past its deadline."
        end(facts, status=RunStatus.EXPIRED, code="run_finished", detail=detail, whole_family=True)
        return Verdict(Answer.ABORT, "run_finished", detail)
    if _is_past_its_own(facts):
        detail = "The run is past its own deadline, which is before that of the run it belongs to."
        end(facts, status=RunStatus.EXPIRED, code="run_finished", detail=detail, whole_family=False)
        return Verdict(Answer.ABORT, "run_finished", detail)
    return None


def _is_waited_for(facts: Facts) -> bool:
    """A delay before a release may take longer than people had when they were asked; the run lives on meanwhile."""
    root = facts.root
    if root.paused_at is None or not confirming.waited(tenant=facts.tenant_id, runs=rows.family(facts))[0]:
        return False
    root.deadline = facts.now + HOLD_LASTS  # looked at again then
    return True


def _is_past_its_own(facts: Facts) -> bool:
    """A child whose agent may take less time than the family has. While people are asked, no clock runs."""
    return facts.now >= last_moment(facts)


def last_moment(facts: Facts) -> datetime:
    """Until when the run may act, as its clock stands: no permit of it is good for longer."""
    root = facts.root
    if facts.run_id == root.run_id or root.paused_at is not None:
        return root.deadline
    return min(root.deadline, facts.deadline + root.given_back)


def is_past_deadline(facts: Facts) -> bool:
    """May the run not act any more, for its time is over?"""
    return facts.now >= last_moment(facts) and not _is_waited_for(facts)


def killed_words(scope: str, reason: str) -> str:
    """What those who are stopped are told. Why all agents of everybody stand still is our own business."""
    if scope == "product":
        return "A kill switch for all agents of all organisations is on."
    return f"A kill switch for the {'organisation' if scope == 'tenant' else scope} is on: {reason}"


def without_slot(facts: Facts) -> Verdict | None:
    """A run that was silent for long has lost its slot, and takes one again where there is room.

    Only a step that passes here keeps the slot: a caller that was told to come back must not have it by asking.
    """
    root = facts.root
    if facts.now < root.lease_until:
        root.lease_until = facts.now + rows.SLOT
        return None
    lock_starts(facts.tenant_id)
    of_user, of_tenant = active_runs(facts.tenant_id, facts.user_id, besides=root.run_id, facts_at=facts.now)
    if of_user >= root.caps.runs_per_user or of_tenant >= root.caps.runs_per_tenant:
        return Verdict(
            Answer.THROTTLE,
            "concurrency_cap_reached",
            "The run was silent for long and others took its place; try again.",
            body={"retry_after": 5},
        )
    root.lease_until = facts.now + rows.SLOT
    return None


def keep_slot(facts: Facts) -> None:
    """A word from a run keeps its slot, if it still has one."""
    if facts.now < facts.root.lease_until:
        facts.root.lease_until = facts.now + rows.SLOT


def resume_clock(facts: Facts) -> None:
    """People have decided (or their time is over): the run gets back the time that was left when they were asked."""
    root = facts.root
    if root.paused_at is None or root.paused_deadline is None:
        return
    is_waited_for, until = confirming.waited(tenant=facts.tenant_id, runs=rows.family(facts))
    if is_waited_for:
        return
    root.given_back = max(timedelta(0), min(facts.now, until or facts.now) - root.paused_at)
    root.deadline = root.paused_deadline + root.given_back
    root.paused_at = root.paused_deadline = None
    prepared.run(_GIVE_BACK, [root.given_back, facts.tenant_id, root.run_id, root.run_id])


def pause_clock(facts: Facts, *, until: datetime) -> None:
    """People are asked until then, and may take their time: the run's own clock stands still meanwhile."""
    root = facts.root
    if root.paused_at is None:
        root.paused_at, root.paused_deadline = facts.now, root.deadline
    root.deadline = max(root.deadline, until + timedelta(minutes=1))


def keep_clock(facts: Facts) -> None:
    """Write the family's clock, where no decision does."""
    root = facts.root
    clock = [root.deadline, root.paused_at, root.paused_deadline]
    prepared.run(_CLOCK, [*clock, facts.tenant_id, root.run_id])


def lock_starts(tenant: uuid.UUID) -> None:
    """One start at a time in a tenant: counting and inserting are two steps."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [f"guard:{tenant}"])


def active_runs(tenant: uuid.UUID, user: str, *, besides: uuid.UUID, facts_at: Any) -> tuple[int, int]:
    """Runs that hold a slot now: of the user, of the tenant. Children share their root's."""
    with connection.cursor() as cursor:
        cursor.execute(_ACTIVE, [user, tenant, besides, facts_at, facts_at])
        of_user, of_tenant = cursor.fetchone()
    return int(of_user), int(of_tenant)


def end(facts: Facts, *, status: RunStatus, code: str, detail: str, whole_family: bool) -> None:
    """End a run with those below it, or its whole family: give its money back, take what waits for people off their lists,
    write it down."""
    ended = rows.end(facts, status=status, code=code, detail=detail, whole_family=whole_family)
    budgets.close_leases(tenant=facts.tenant_id, runs=ended, at=facts.now)
    budgets.look_again(tenant=facts.tenant_id, began={run: rows.began(run) for run in ended}, at=facts.now)
    for run in ended:
        confirmations.invalidate(tenant=facts.tenant_id, run=run, at=facts.now)
        audit.record(
            tenant=facts.tenant_id,
            action="run.ended",
            actor=actor(facts),
            target=Target(type="run", id=run.hex),
            outcome=Outcome.SUCCESS if status is RunStatus.OK else Outcome.FAILURE,
            data={"status": status.name.lower(), "code": code},
            at=facts.now,
            run=run,
            on_behalf_of=facts.user_id,
            reason=detail,
        )


def write_down(
    facts: Facts,
    *,
    verb: Verb,
    verdict: Verdict,
    by: Asker,
    tool: str = "",
    call: rows.NewCall | None = None,
    args_digest: str = "",
) -> None:
    """The decision's row, the call's, the counters, and the entry of the audit log; the verb's last act."""
    is_tool = verb is Verb.TOOL_CALL
    data: dict[str, Any] = {
        "call": facts.call_id,
        "decision": verdict.answer.value,
        "code": verdict.code,
        "policy_version": str(facts.policy_version),
    }
    if is_tool:
        data |= {"tool": tool, "tool_version": verdict.tool_version, "tier": verdict.tier, "arguments": args_digest}
    else:
        data |= {"model": verdict.model, "hold_nano_usd": str(verdict.amount_nano_usd)}
    with scope.last_statements():
        rows.write(facts, verb=verb, verdict=verdict, by=by, tool=tool, call=call)
        audit.record(
            tenant=facts.tenant_id,
            action="tool_call.decided" if is_tool else "model_call.decided",
            actor=actor(facts),
            target=Target(type="tool", id=tool) if is_tool else Target(type="model", id=verdict.model),
            outcome=_OUTCOMES[verdict.answer],
            data=data,
            at=facts.now,
            run=facts.run_id,
            on_behalf_of=facts.user_id,
            reason=verdict.detail[:500],
        )


def actor(facts: Facts) -> Actor:
    return Actor(type="agent", id=f"agent:{facts.agent}", label=facts.agent)
