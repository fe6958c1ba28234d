"""The audit entries of gates."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.models import GateOverride, GateVerdict


def policy_set(tenant: uuid.UUID, agent: str, asks: Sequence[str], reason: str, by: Actor, at: datetime) -> None:
    data = {"agent": agent, "asks": list(asks)}
    _record(tenant, "gate.policy_set", Target(type="agent", id=agent), data, by, at, reason)


def policy_removed(tenant: uuid.UUID, agent: str, reason: str, by: Actor, at: datetime) -> None:
    _record(tenant, "gate.policy_removed", Target(type="agent", id=agent), {"agent": agent}, by, at, reason)


def decided(found: GateVerdict, by: Actor, at: datetime) -> None:
    _record(found.tenant_id, "gate.decided", _target(found), _of(found), by, at, found.sentence)


def override(action: str, found: GateOverride, by: Actor, at: datetime) -> None:
    """`gate.override_asked`, `…_agreed` or `…_refused`."""
    data = _of(found.verdict) | {"asked_by": found.asked_by}
    _record(found.tenant_id, action, _target(found.verdict), data, by, at, found.reason)


def _of(found: GateVerdict) -> dict[str, Any]:
    return {
        "agent": found.agent,
        "version": found.agent_version,
        "content_digest": found.content_digest,
        "verdict": str(found.verdict),
    }


def _target(found: GateVerdict) -> Target:
    return Target(type="agent_version", id=f"{found.agent}@{found.agent_version}")


def _record(
    tenant: uuid.UUID, action: str, target: Target, data: Mapping[str, Any], by: Actor, at: datetime, reason: str
) -> None:
    audit.record(
        tenant=tenant,
        action=action,
        actor=by,
        target=target,
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
        reason=reason[:500],
    )
