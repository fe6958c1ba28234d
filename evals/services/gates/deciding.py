"""The gate's word on a version, written down for ever and told to the catalog."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

from agentops.catalog import services as catalog
from agentops.catalog.types import Gate
from agentops.common import scope
from audit.types import Actor
from evals.errors import Undecided
from evals.gating.policy import Decision, Finding
from evals.gating.policy import decide as weigh
from evals.models import GateOverride, GatePolicy, GateVerdict
from evals.queries.gates.ground import Before, before_gate
from evals.services.gates import entries
from evals.types import GateVerdictKind, OverrideState

_TOLD_MOST = 2_000


def decide_gate(*, tenant: uuid.UUID, agent: str, version: str, by: Actor, at: datetime) -> GateVerdict:
    """Decide on what a version is now, by what was run on it. A missing suite fails it, with the command that runs it.

    The gate stands before the approval: a version that is approved already stays so, whatever is found now, until somebody
    withdraws it. Raises AgentUnknown, ContentChanged, and Undecided where no gate stands before the agent or a suite that
    nothing else answers for is still running.
    """
    scope.require_tenant(tenant)
    policy = GatePolicy.objects.select_for_update().filter(tenant_id=tenant, agent=agent).first()  # one after the other
    ground = before_gate(tenant=tenant, agent=agent, version=version)
    if policy is None or not ground.grounds:
        raise Undecided(f"No gate stands before the versions of {agent}: say first which suites they must pass.")
    waits = [each.asked.eval_set for each in ground.grounds if each.tried is None and each.is_running]
    if waits:
        raise Undecided(f"{', '.join(waits)} is still running on {version}: ask again when it has ended.")
    current = ground.current.version if ground.current else ""
    decision = weigh(agent, version, current, ground.grounds)
    found = _write(tenant, ground, current, decision, by, at)
    entries.decided(found, by, at)
    if decision.verdict == GateVerdictKind.PASSED or not ground.version.is_approved:
        catalog.record_gate(
            tenant=tenant,
            agent=agent,
            version=version,
            verdict=Gate(decision.verdict.value),
            detail=decision.sentence[:_TOLD_MOST],
            content_digest=ground.version.content_digest,
            by=by,
            at=at,
        )
    return found


def _write(tenant: uuid.UUID, ground: Before, current: str, decision: Decision, by: Actor, at: datetime) -> GateVerdict:
    earlier = GateOverride.objects.filter(
        tenant_id=tenant,
        verdict__tenant_id=tenant,
        verdict__agent=ground.agent.name,
        verdict__agent_version=ground.version.version,
        state=OverrideState.ASKED,
    )
    earlier.update(state=OverrideState.OVER, decided_at=at)
    return GateVerdict.objects.create(
        tenant_id=tenant,
        agent=ground.agent.name,
        agent_version=ground.version.version,
        content_digest=ground.version.content_digest,
        verdict=decision.verdict,
        sentence=decision.sentence,
        detail={
            "current": current,
            "was_approved": ground.version.is_approved,
            "requirements": [finding_json(each) for each in decision.findings],
        },
        at=at,
        by=by.label[:200],
    )


def finding_json(finding: Finding) -> dict[str, Any]:
    """A requirement's outcome, as it is kept and told to machines."""
    found = asdict(finding)
    asked = found.pop("asked")
    return {
        "set": asked["eval_set"],
        "revision": asked["revision"],
        "cases": asked["cases"],
        "mode": str(asked["mode"]),
        "least_rate": asked["least_rate"],
        "margin": asked["margin"],
        "repeats": asked["repeats"],
        **found,
    }
