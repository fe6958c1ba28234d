"""Runbooks: a further version, and steps that were done in an incident."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import Conflict
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents import inputs
from incidents.errors import invalid
from incidents.models import Incident, Runbook, RunbookTick
from incidents.queries import runbooks as queries
from incidents.queries.named import incident_called
from incidents.runbooks import reading
from incidents.services import timeline
from incidents.types import AlertClass, IncidentStatus, TimelineKind

_OVER = (IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)


def store_shipped(*, tenant: uuid.UUID, alert_class: AlertClass) -> Runbook:
    """Version 1, the text that comes with the product, as a row: on first use, and once whoever is first."""
    scope.require_tenant(tenant)
    made = queries.shipped_runbook(alert_class)
    values = {name: getattr(made, name) for name in ("title", "body", "digest", "note", "set_at", "set_by")}
    found, _ = Runbook.objects.get_or_create(tenant_id=tenant, alert_class=alert_class, version=1, defaults=values)
    return found


def set_runbook(
    *,
    tenant: uuid.UUID,
    alert_class: AlertClass,
    title: str,
    body: str,
    note: str,
    seen_version: int,
    by: Actor,
    at: datetime,
) -> Runbook:
    """Write a further version; `seen_version` is the newest as the person who writes knows it.

    The same text again changes nothing. Raises InvalidInput, and Conflict where somebody else was faster.
    """
    scope.require_tenant(tenant)
    store_shipped(tenant=tenant, alert_class=alert_class)
    rows = Runbook.objects.filter(tenant_id=tenant, alert_class=alert_class).select_for_update()
    newest = rows.order_by("-version")[0]
    if newest.version != seen_version:
        raise Conflict(
            f"{newest.set_by} has written version {newest.version} meanwhile. Yours is not saved: compare first."
        )
    title = inputs.text("/title", title, most=200)
    body = inputs.text("/body", body.replace("\r\n", "\n"), most=reading.BODY_MOST) + "\n"
    count = len(reading.steps(body))
    if not 1 <= count <= reading.STEPS_MOST:
        raise invalid("/body", f"has 1 to {reading.STEPS_MOST} steps: lines that begin with “- [ ] ”; this has {count}")
    digest = queries.digest_of(body)
    if (digest, title) == (newest.digest, newest.title):
        return newest
    made = Runbook.objects.create(
        tenant_id=tenant,
        alert_class=alert_class,
        version=newest.version + 1,
        title=title,
        body=body,
        digest=digest,
        note=inputs.text("/note", note, most=200, is_needed=False),
        set_at=at,
        set_by=by.label[:200],
    )
    audit.record(
        tenant=tenant,
        action="runbook.set",
        actor=by,
        target=Target(type="runbook", id=alert_class),
        outcome=Outcome.SUCCESS,
        data={"alert_class": AlertClass(alert_class).value, "version": made.version, "digest": digest},
        at=at,
        reason=made.note,
    )
    return made


def tick_step(
    *,
    tenant: uuid.UUID,
    ref: str,
    alert_class: AlertClass,
    version: int,
    step: int,
    note: str,
    by: Actor,
    at: datetime,
) -> None:
    """Note that a step was done in an incident; who was first stays. Raises NotFound, Conflict, InvalidInput."""
    scope.require_tenant(tenant)
    incident, runbook, words = _place(tenant, ref, alert_class, version, step)
    note = inputs.text("/note", note, most=2_000, is_needed=False)
    made, is_new = RunbookTick.objects.get_or_create(
        tenant_id=tenant,
        incident=incident,
        runbook=runbook,
        step=step,
        defaults={"at": at, "by": by.label[:200], "note": note},
    )
    if is_new:
        said = f"Did step {step} of {runbook.title}: {words}" + (f" ({made.note})" if made.note else "")
        _record(incident, runbook, step, "runbook.step_ticked", said, by, at)


def untick_step(
    *, tenant: uuid.UUID, ref: str, alert_class: AlertClass, version: int, step: int, by: Actor, at: datetime
) -> None:
    """Take it back: it was not done after all. Twice is once."""
    scope.require_tenant(tenant)
    incident, runbook, words = _place(tenant, ref, alert_class, version, step)
    gone, _ = RunbookTick.objects.filter(tenant_id=tenant, incident=incident, runbook=runbook, step=step).delete()
    if gone:
        said = f"Took back step {step} of {runbook.title}: {words}"
        _record(incident, runbook, step, "runbook.step_unticked", said, by, at)


def _place(
    tenant: uuid.UUID, ref: str, alert_class: AlertClass, version: int, step: int
) -> tuple[Incident, Runbook, str]:
    incident = incident_called(ref, lock=True)
    if incident.status in _OVER:
        raise Conflict(f"{incident.ref} is {incident.get_status_display().lower()}: its runbook stays as it is.")
    store_shipped(tenant=tenant, alert_class=alert_class)
    runbook = Runbook.objects.filter(tenant_id=tenant, alert_class=alert_class, version=version).first()
    if runbook is None:
        raise invalid("/version", "is a version of this runbook", "unknown")
    found = next((one for one in reading.steps(runbook.body) if one.number == step), None)
    if found is None:
        raise invalid("/step", f"is a step of version {version}, by its number", "unknown")
    return incident, runbook, found.text.replace("\n", " ")[:300]


def _record(incident: Incident, runbook: Runbook, step: int, action: str, said: str, by: Actor, at: datetime) -> None:
    timeline.note(
        tenant=incident.tenant_id, incident_id=incident.id, kind=TimelineKind.RUNBOOK, text=said, by=by, at=at
    )
    audit.record(
        tenant=incident.tenant_id,
        action=action,
        actor=by,
        target=Target(type="incident", id=incident.ref),
        outcome=Outcome.SUCCESS,
        data={
            "incident": incident.ref,
            "alert_class": runbook.alert_class,
            "version": runbook.version,
            "step": step,
        },
        at=at,
    )
