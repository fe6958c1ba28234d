"""Suites that a gate needs, run at an agent's registered address: what is missing now, and each day anew."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from agentops.catalog import queries as catalog
from agentops.common import scope
from audit.types import SYSTEM, Actor
from evals.errors import Undecided
from evals.gating.policy import Ground
from evals.models import AgentEndpoint, GatePolicy, SuiteRun
from evals.queries.gates.ground import Before, before_gate, current_version, of_content
from evals.services.suites import Asked, begin_suite_run
from evals.types import Runner, SuiteState

SCHEDULED = "schedule"


def run_gate_suites(*, tenant: uuid.UUID, agent: str, version: str, by: Actor, at: datetime) -> list[SuiteRun]:
    """Begin what the gate's word on a version lacks, on it and on the version that is approved now, at the agent's address.

    What is running already is not begun twice. Raises AgentUnknown, Undecided where there is no gate, Conflict where there
    is no address.
    """
    scope.require_tenant(tenant)
    list(GatePolicy.objects.select_for_update().filter(tenant_id=tenant, agent=agent))
    before = before_gate(tenant=tenant, agent=agent, version=version)
    if not before.grounds:
        raise Undecided(f"No gate stands before the versions of {agent}: say first which suites they must pass.")
    lacking = [
        _asked(before, ground, label)
        for ground in before.grounds
        for label, tried in _sides(before, ground)
        if tried is None and not _is_running(tenant, before, ground, label)
    ]
    return [
        begin_suite_run(tenant=tenant, asked=asked, runner=Runner.ENDPOINT, trigger="gate", by=by, at=at)
        for asked in lacking
    ]


def plan_reruns(*, tenant: uuid.UUID, at: datetime) -> int:
    """Begin today's suites (UTC) of every agent with a gate and an address, on the version that is approved now, so that a
    change of the model behind a name shows although nobody changed anything; answers how many. Once a day each.
    """
    scope.require_tenant(tenant)
    addressed = AgentEndpoint.objects.filter(tenant_id=tenant).values("agent")
    policies = GatePolicy.objects.select_for_update(skip_locked=True).filter(tenant_id=tenant, agent__in=addressed)
    today = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return sum(_plan(policy, today, at) for policy in policies.order_by("agent"))


def _plan(policy: GatePolicy, today: datetime, at: datetime) -> int:
    tenant, agent = policy.tenant_id, policy.agent
    current = _current(tenant, agent)
    if current is None:
        return 0
    before = before_gate(tenant=tenant, agent=agent, version=current)
    begun = 0
    for ground in before.grounds:
        since = SuiteRun.objects.filter(tenant_id=tenant, agent=agent, trigger=SCHEDULED, begun_at__gte=today)
        done = since.filter(revision__eval_set__name=ground.asked.eval_set, mode=ground.asked.mode)
        if done.exists() or not ground.asked.cases:
            continue
        asked = _asked(before, ground, current)
        begin_suite_run(tenant=tenant, asked=asked, runner=Runner.ENDPOINT, trigger=SCHEDULED, by=SYSTEM, at=at)
        begun += 1
    return begun


def _current(tenant: uuid.UUID, agent: str) -> str | None:
    found = current_version(catalog.agent(tenant=tenant, name=agent))
    return found.version if found else None


def _sides(before: Before, ground: Ground) -> list[tuple[str, object]]:
    sides: list[tuple[str, object]] = [(before.version.version, ground.tried)]
    if before.current is not None:
        sides.append((before.current.version, ground.current))
    return sides


def _is_running(tenant: uuid.UUID, before: Before, ground: Ground, label: str) -> bool:
    version = before.version if label == before.version.version else before.current
    assert version is not None
    if ground.revision_id is None:
        return False
    running = of_content(tenant, before.agent.name, version, ground.revision_id, ground.asked.mode)
    return running.filter(state=SuiteState.RUNNING, repeats__gte=ground.asked.repeats).exists()


def _asked(before: Before, ground: Ground, label: str) -> Asked:
    return Asked(
        agent=before.agent.name,
        agent_version=label,
        eval_set=ground.asked.eval_set,
        mode=ground.asked.mode,
        repeats=ground.asked.repeats,
    )
