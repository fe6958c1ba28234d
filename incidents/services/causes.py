"""Why it happened: one root cause that holds now, earlier ones are kept; and any number of contributing factors."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import AlreadyDone, invalid
from incidents.models import Cause, Incident
from incidents.policies import causes
from incidents.services import learning
from incidents.services.keeping import locked, record, tell
from incidents.types import CauseKind, TimelineKind

FACTORS_MOST = 50


def set_cause(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    kind: str,
    detail_kind: str = "",
    owasp: str = "",
    text: str,
    by: Actor,
    at: datetime,
) -> Cause:
    """Say the root cause, or that it is unknown and why; it takes the place of what was said before.

    Action items of earlier incidents with the same cause are marked: they were not enough. Raises Unknown, InvalidInput.
    """
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    said = _checked(kind, detail_kind, owasp, text)
    before = (
        Cause.objects.filter(tenant_id=tenant, incident=incident, is_root=True, replaced_at__isnull=True)
        .select_for_update(of=("self",))
        .first()
    )
    if before is not None and all(getattr(before, name) == value for name, value in said.items()):
        return before
    if before is not None:
        before.replaced_at = at
        before.save(update_fields=["replaced_at"])
    made = Cause.objects.create(tenant_id=tenant, incident=incident, is_root=True, at=at, by=by.label[:200], **said)
    recurred = learning.note_recurrence(tenant=tenant, incident_id=incident.id, at=at)
    words = causes.words(kind, detail_kind)
    record(
        incident, "incident.cause_set", {"cause": words, "owasp": owasp, "recurred": str(recurred)}, by, at, reason=text
    )
    came_back = f" It came back: {recurred} action items of earlier incidents were not enough." if recurred else ""
    tell(incident, TimelineKind.CAUSE, f"Root cause: {words}. {made.text}{came_back}", by, at)
    return made


def add_factor(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    kind: str,
    detail_kind: str = "",
    owasp: str = "",
    text: str,
    by: Actor,
    at: datetime,
) -> Cause:
    """Say what contributed. Raises Unknown, AlreadyDone where the same was said, InvalidInput."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    said = _checked(kind, detail_kind, owasp, text)
    _require_room(incident, said)
    made = Cause.objects.create(tenant_id=tenant, incident=incident, is_root=False, at=at, by=by.label[:200], **said)
    words = causes.words(kind, detail_kind)
    record(incident, "incident.factor_added", {"cause": words}, by, at, reason=text)
    tell(incident, TimelineKind.CAUSE, f"It contributed: {words}. {made.text}", by, at)
    return made


def _require_room(incident: Incident, said: dict[str, str]) -> None:
    factors = Cause.objects.filter(tenant_id=incident.tenant_id, incident=incident, is_root=False)
    if factors.filter(**said).exists():
        raise AlreadyDone("This factor stands there already.")
    if factors.count() >= FACTORS_MOST:
        raise invalid("/text", f"An incident has at most {FACTORS_MOST} contributing factors.")


def _checked(kind: str, detail_kind: str, owasp: str, text: str) -> dict[str, str]:
    kind = inputs.one_of("/kind", kind, CauseKind.values)
    details = causes.DETAILS[CauseKind(kind)]
    if detail_kind and detail_kind not in details:
        accepted = ", ".join(details) or "nothing"
        raise invalid(
            "/detail_kind", f"Under “{CauseKind(kind).label}” it is one of {accepted}, or left out.", "choice"
        )
    if owasp and owasp not in causes.OWASP:
        raise invalid("/owasp", f"OWASP's risks are {', '.join(causes.OWASP)}.", "choice")
    return {"kind": kind, "detail_kind": detail_kind, "owasp": owasp, "text": inputs.text("/text", text)}
