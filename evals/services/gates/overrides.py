"""Past a gate that failed: one person asks and says why, another agrees. Machines cannot."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.catalog import queries as catalog_queries
from agentops.catalog import services as catalog
from agentops.catalog.types import Gate
from agentops.common import scope
from audit.types import Actor
from evals.errors import AlreadyDone, SecondPersonMissing, Unknown, invalid
from evals.models import GateOverride, GatePolicy, GateVerdict
from evals.queries.gates.ground import version_of
from evals.services.gates import entries
from evals.types import GateVerdictKind, OverrideState

REASON_LEAST, REASON_MOST = 10, 500


def ask_override(
    *, tenant: uuid.UUID, verdict: uuid.UUID, reason: str, user: int, by: Actor, at: datetime
) -> GateOverride:
    """Ask that a version be let through in spite of its newest verdict. Raises Unknown, InvalidInput, AlreadyDone."""
    scope.require_tenant(tenant)
    found = _failed(tenant, verdict)
    reason = reason.strip()
    if not REASON_LEAST <= len(reason) <= REASON_MOST or "\0" in reason:
        raise invalid("/reason", f"say why, in {REASON_LEAST} to {REASON_MOST} characters", "required")
    if GateOverride.objects.filter(tenant_id=tenant, verdict=found, state=OverrideState.ASKED).exists():
        raise AlreadyDone("Somebody has asked for it already: it waits for a second person.")
    made = GateOverride.objects.create(
        tenant_id=tenant, verdict=found, reason=reason, asked_at=at, asked_by=by.label[:200], asked_user=user
    )
    entries.override("gate.override_asked", made, by, at)
    return made


def agree_override(*, tenant: uuid.UUID, override: uuid.UUID, user: int, by: Actor, at: datetime) -> GateOverride:
    """Agree as the second person: the version may be approved then, as it is now, with what was said for ever beside it.

    Raises Unknown, SecondPersonMissing, AlreadyDone, ContentChanged.
    """
    scope.require_tenant(tenant)
    found = _asked(tenant, override)
    if found.asked_user == user:
        raise SecondPersonMissing("You asked for it yourself. Somebody else must look at it and agree.")
    verdict = _failed(tenant, found.verdict_id)
    _end(found, OverrideState.AGREED, user, by, at)
    entries.override("gate.override_agreed", found, by, at)
    catalog.record_gate(
        tenant=tenant,
        agent=verdict.agent,
        version=verdict.agent_version,
        verdict=Gate.OVERRIDDEN,
        detail=f"{found.asked_by} and {by.label}: {found.reason}",
        content_digest=verdict.content_digest,
        by=by,
        at=at,
    )
    return found


def refuse_override(*, tenant: uuid.UUID, override: uuid.UUID, user: int, by: Actor, at: datetime) -> GateOverride:
    """Let the failure stand; who asked may take it back so, too. Raises Unknown, AlreadyDone."""
    scope.require_tenant(tenant)
    found = _asked(tenant, override)
    _end(found, OverrideState.REFUSED, user, by, at)
    entries.override("gate.override_refused", found, by, at)
    return found


def _failed(tenant: uuid.UUID, verdict: uuid.UUID) -> GateVerdict:
    """A verdict that stands in the way: failed, the newest of its version, of what the version is now."""
    found = GateVerdict.objects.filter(tenant_id=tenant, id=verdict).first()
    if found is None:
        raise Unknown("There is no such verdict.")
    _await_turn(found)
    newest = (
        GateVerdict.objects.filter(tenant_id=tenant, agent=found.agent, agent_version=found.agent_version)
        .order_by("-at", "-id")
        .first()
    )
    agent = catalog_queries.agent(tenant=tenant, name=found.agent)
    version = version_of(agent, found.agent_version)
    if found.verdict != GateVerdictKind.FAILED or newest != found:
        raise AlreadyDone("Only the newest verdict can be overridden, and only where it failed.")
    if version.content_digest != found.content_digest:
        raise AlreadyDone("The version was changed since: the gate must look at what it is now.")
    if version.gate != Gate.FAILED:
        raise AlreadyDone(f"Nothing stands in the way of it: {version.gate.label.lower()}.")
    return found


def _asked(tenant: uuid.UUID, override: uuid.UUID) -> GateOverride:
    """After those who decide at the same time. Raises Unknown, AlreadyDone."""
    found = GateOverride.objects.select_related("verdict").filter(tenant_id=tenant, id=override).first()
    if found is None:
        raise Unknown("There is no such override.")
    _await_turn(found.verdict)
    found.refresh_from_db(fields=["state"])
    if found.state != OverrideState.ASKED:
        raise AlreadyDone(f"It is decided: {OverrideState(found.state).label.lower()}.")
    return found


def _await_turn(verdict: GateVerdict) -> None:
    """The policy's row is what whoever decides or overrides takes first: until the commit there is no newer word."""
    list(GatePolicy.objects.select_for_update().filter(tenant_id=verdict.tenant_id, agent=verdict.agent))


def _end(found: GateOverride, state: OverrideState, user: int, by: Actor, at: datetime) -> None:
    """Once: where the gate was taken away meanwhile, there is no turn to wait for."""
    found.state, found.decided_at, found.decided_by, found.decided_user = state, at, by.label[:200], user
    open_still = GateOverride.objects.filter(tenant_id=found.tenant_id, id=found.id, state=OverrideState.ASKED)
    written = open_still.update(state=state, decided_at=at, decided_by=found.decided_by, decided_user=user)
    if not written:
        raise AlreadyDone("Somebody else has decided it at this moment.")
