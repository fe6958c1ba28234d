"""Guarded runs as people read them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from agentops.runtime.models import GuardCall, GuardedRun, OrganisationCaps
from agentops.runtime.rows import began
from agentops.runtime.types import CallState, EffectiveCaps, RunStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardedRunView:
    """A guarded run with the counters of its family. Amounts are nano-dollars."""

    run_id: uuid.UUID
    root_id: uuid.UUID
    parent_id: uuid.UUID | None
    agent: str
    agent_version: str
    user_id: str
    session_id: str
    status: RunStatus
    started_at: datetime
    deadline: datetime  # while people are asked: as it stood when they were
    paused_at: datetime | None
    ended_at: datetime | None
    end_code: str
    end_detail: str
    scope: dict[str, Any]
    caps: EffectiveCaps
    llm_calls: int
    tool_calls: int
    tokens_used: int
    tokens_held: int
    nano_used: int
    nano_held: int

    @property
    def status_name(self) -> str:
        """For its mark."""
        return self.status.name.lower()


def guarded_run(*, tenant: uuid.UUID, run: uuid.UUID) -> GuardedRunView | None:
    """One guarded run; None for a run that only sent traces."""
    found = GuardedRun.objects.filter(tenant_id=tenant, run_id=run).first()
    if found is None:
        return None
    root = found
    if found.root_id != found.run_id:
        root = GuardedRun.objects.get(tenant_id=tenant, run_id=found.root_id)
    return GuardedRunView(
        run_id=found.run_id,
        root_id=found.root_id,
        parent_id=found.parent_id,
        agent=found.agent,
        agent_version=found.agent_version,
        user_id=found.user_id,
        session_id=found.session_id,
        status=RunStatus(found.status),
        started_at=found.started_at,
        deadline=root.paused_deadline or root.deadline,
        paused_at=root.paused_at,
        ended_at=found.ended_at,
        end_code=found.end_code,
        end_detail=found.end_detail,
        scope=found.scope,
        caps=EffectiveCaps.of(found.caps),
        llm_calls=root.llm_calls,
        tool_calls=root.tool_calls,
        tokens_used=root.tokens_used,
        tokens_held=root.tokens_held,
        nano_used=root.nano_used,
        nano_held=root.nano_held,
    )


def stopped_runs(
    *, tenant: uuid.UUID, since: datetime, after: uuid.UUID | None, most: int
) -> list[tuple[uuid.UUID, str, str, str, datetime]]:
    """Runs that the guard ended, in the order in which it did, from a time on (with `after`: behind that run of it): id,
    agent, code and sentence of why, and when."""
    rows = GuardedRun.objects.filter(
        tenant_id=tenant, status__in=[RunStatus.ABORTED, RunStatus.KILLED, RunStatus.EXPIRED], ended_at__gte=since
    )
    if after is not None:
        rows = rows.exclude(ended_at=since, run_id__lte=after)
    found = rows.order_by("ended_at", "run_id").values_list("run_id", "agent", "end_code", "end_detail", "ended_at")
    return [(run, agent, code, detail, ended) for run, agent, code, detail, ended in found[:most] if ended]


def confirmation_of_call(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str) -> uuid.UUID | None:
    """The confirmation that a call waited for, or waits for; None where nobody was asked."""
    return (
        GuardCall.objects.filter(tenant_id=tenant, run_started_at=began(run), run_id=run, call_id=call_id)
        .values_list("confirmation_id", flat=True)
        .first()
    )


@dataclass(frozen=True, slots=True)
class PermitUse:
    """What became of a permit."""

    expires_at: datetime
    used_at: datetime | None
    is_used_by_asker: bool  # by the key that asked for the call: then no tool server has checked it
    is_over: bool  # the result of its call was told

    def words(self, at: datetime) -> str:
        if self.used_at is not None:
            return "used by the key that asked" if self.is_used_by_asker else "used by a tool server"
        if self.is_over:
            return "not used; the result came without"
        return "expired unused" if at >= self.expires_at else "not used yet"


def permit_uses(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str = "") -> dict[str, PermitUse]:
    """What became of the permits of a run, or of one of its calls, by call id; calls that have none are left out."""
    calls = GuardCall.objects.filter(
        tenant_id=tenant, run_started_at=began(run), run_id=run, permit_expires_at__isnull=False
    )
    if call_id:
        calls = calls.filter(call_id=call_id)
    columns = ("call_id", "permit_expires_at", "permit_consumed_at", "permit_consumed_by", "key_id", "state")
    return {
        call: PermitUse(expires_at, used_at, used_by == asker, state == CallState.CLOSED)
        for call, expires_at, used_at, used_by, asker, state in calls.values_list(*columns)
        if expires_at is not None
    }


def last_runs(*, tenant: uuid.UUID, agents: Sequence[str]) -> dict[str, datetime]:
    """When each agent last began a guarded run; agents that never did are left out."""
    found = {}
    for agent in agents:  # one index lookup each: an aggregate would read every run there ever was
        rows = GuardedRun.objects.filter(tenant_id=tenant, agent=agent).order_by("-started_at")
        at = rows.values_list("started_at", flat=True).first()
        if at is not None:
            found[agent] = at
    return found


def organisation_caps(*, tenant: uuid.UUID) -> OrganisationCaps | None:
    """What the organisation set for all of its agents; None where it set nothing."""
    return OrganisationCaps.objects.filter(tenant_id=tenant).first()
