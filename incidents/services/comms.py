"""What customers are told: drafted by one person, approved by another, waived with a reason. Sending is in comm_sending.py."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from agentops.common import scope
from agentops.common.errors import Conflict, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import SecondPersonMissing
from incidents import inputs
from incidents.drafting import TEMPLATES
from incidents.errors import AlreadyDone, invalid
from incidents.models import CustomerComm, Incident
from incidents.policies import comms as policies
from incidents.services import timeline
from incidents.types import CommAudience, CommChannel, CommState, TimelineKind
from tenants import queries as tenants

BODY_MOST, REASON_MOST = 20_000, 1_000
RECIPIENTS_MOST, RECIPIENT_MOST = 500, 320
_OPEN = (CommState.DRAFT, CommState.APPROVED)


class TextMoved(Conflict):
    code, title = "text_changed", "The text was changed meanwhile"


def draft_comm(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    about_tenant: uuid.UUID | None,
    audience: str,
    channel: str,
    template: str,
    subject: str,
    body: str,
    recipients: Sequence[str],
    next_update_due_at: datetime | None,
    by: Actor,
    at: datetime,
) -> CustomerComm:
    """A text that nobody was told yet. `about_tenant` is None for a public statement only. Raises NotFound, InvalidInput."""
    scope.require_tenant(tenant)
    incident = _incident(tenant, incident_id)
    if audience not in CommAudience.values:
        raise invalid("/audience", f"one of {', '.join(CommAudience.values)} is expected")
    if (about_tenant is None) != (audience == CommAudience.PUBLIC):
        raise invalid("/about_tenant", "an organisation that was hit is expected; none for a public statement")
    if about_tenant is not None and about_tenant not in incident.tenants:
        raise invalid("/about_tenant", "the incident does not concern this organisation; add it to the incident first")
    if template and template not in TEMPLATES:
        raise invalid("/template", f"one of {', '.join(TEMPLATES)} is expected")
    comm = CustomerComm(
        tenant_id=tenant,
        incident=incident,
        about_tenant=about_tenant,
        audience=audience,
        template=template,
        **_checked(audience, channel, subject, body, recipients, next_update_due_at, at),
        drafted_at=at,
        drafted_by=by.label,
    )
    comm.save(force_insert=True)
    record(comm, "incident.comm_drafted", f"A text for {whom(comm)} was drafted.", by, at)
    return comm


def change_comm(
    *,
    tenant: uuid.UUID,
    comm_id: uuid.UUID,
    seen: str,
    channel: str,
    subject: str,
    body: str,
    recipients: Sequence[str],
    next_update_due_at: datetime | None,
    by: Actor,
    at: datetime,
) -> CustomerComm:
    """Another text in place of the one whose digest is `seen`. Whoever changes it is its drafter, and an approval lapses.

    Raises NotFound, AlreadyDone, TextMoved, InvalidInput.
    """
    scope.require_tenant(tenant)
    comm = locked(tenant, comm_id)
    _require_open(comm)
    _require_seen(comm, seen)
    for name, value in _checked(
        comm.audience, channel, subject, body, recipients, next_update_due_at, comm.drafted_at
    ).items():
        setattr(comm, name, value)
    comm.state = CommState.DRAFT
    comm.drafted_at, comm.drafted_by = at, by.label
    comm.approved_at, comm.approved_by, comm.approved_digest = None, "", ""
    comm.save()
    record(comm, "incident.comm_changed", f"The text for {whom(comm)} was changed.", by, at)
    return comm


def approve_comm(*, tenant: uuid.UUID, comm_id: uuid.UUID, seen: str, by: Actor, at: datetime) -> CustomerComm:
    """Agree to exactly the text and recipients whose digest is `seen`; not by whoever wrote it.

    Raises NotFound, AlreadyDone, TextMoved, SecondPersonMissing, InvalidInput where nobody is named to tell it to.
    """
    scope.require_tenant(tenant)
    comm = locked(tenant, comm_id)
    if comm.state != CommState.DRAFT:
        raise AlreadyDone(f"It is {comm.get_state_display().lower()} already.")
    _require_seen(comm, seen)
    if comm.drafted_by == by.label:
        raise SecondPersonMissing("Whoever wrote a text does not approve it. Ask somebody else to read it.")
    if not comm.recipients:
        raise invalid("/recipients", _WHOM[CommChannel(comm.channel)])
    comm.state = CommState.APPROVED
    comm.approved_at, comm.approved_by, comm.approved_digest = at, by.label, digest_of(comm)
    comm.save(update_fields=["state", "approved_at", "approved_by", "approved_digest"])
    record(comm, "incident.comm_approved", f"The text for {whom(comm)} was approved.", by, at)
    return comm


def waive_comm(*, tenant: uuid.UUID, comm_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> CustomerComm:
    """Decide, with a reason, that this is not told. Raises NotFound, AlreadyDone, InvalidInput."""
    scope.require_tenant(tenant)
    comm = locked(tenant, comm_id)
    if comm.state not in (*_OPEN, CommState.FAILED):
        raise AlreadyDone(f"It is {comm.get_state_display().lower()}: what was told cannot be waived.")
    comm.waived_because = inputs.text("/reason", reason, REASON_MOST)
    comm.state, comm.waived_by, comm.ended_at = CommState.WAIVED, by.label, at
    comm.next_update_due_at = None
    comm.save(update_fields=["state", "waived_because", "waived_by", "ended_at", "next_update_due_at"])
    record(comm, "incident.comm_waived", f"{whom(comm, is_first=True)}: not told. {comm.waived_because}", by, at)
    return comm


def note_contact(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    about_tenant: uuid.UUID,
    when: datetime,
    note: str,
    by: Actor,
    at: datetime,
) -> None:
    """They came to us: when, and what they said. It decides whether we spoke before they noticed. Raises NotFound, InvalidInput."""
    scope.require_tenant(tenant)
    incident = _incident(tenant, incident_id)
    if about_tenant not in incident.tenants:
        raise invalid("/about_tenant", "the incident does not concern this organisation")
    if when > at:
        raise invalid("/when", "a time that is over is expected")
    said = inputs.text("/note", note, REASON_MOST, is_needed=False)
    timeline.note(
        tenant=tenant,
        incident_id=incident.id,
        kind=TimelineKind.COMM,
        text=f"They came to us about it. {said}".strip(),
        by=by,
        at=at,
        occurred_at=when,
        data={"contacted_us": str(about_tenant)},
    )
    # What was sent before somebody wrote this down was not first, either.
    CustomerComm.objects.filter(
        tenant_id=tenant, incident=incident, about_tenant=about_tenant, before_they_noticed=True, sent_at__gte=when
    ).update(before_they_noticed=False)
    audit.record(
        tenant=tenant,
        action="incident.contact_noted",
        actor=by,
        target=Target(type="incident", id=incident.ref),
        outcome=Outcome.SUCCESS,
        data={"ref": incident.ref, "organisation": str(about_tenant), "when": when.isoformat()},
        at=at,
    )


def note_look(*, tenant: uuid.UUID, what: str, by: Actor, at: datetime) -> None:
    """Before staff read who a customer's people are: an entry in that customer's own log. Here `tenant` is the customer."""
    scope.require_tenant(tenant)
    audit.record(
        tenant=tenant,
        action="staff.read",
        actor=by,
        target=Target(type="page", id=what.partition("?")[0]),
        outcome=Outcome.SUCCESS,
        data={"what": what[:500]},
        at=at,
    )


# -- parts ------------------------------------------------------------------------------------------------------------

_WHOM = {
    CommChannel.MAIL: "at least one mail address is expected",
    CommChannel.CALL: "say who is called",
    CommChannel.STATEMENT: "say where it is published, such as https://status.example.com/",
}


def digest_of(comm: CustomerComm) -> str:
    return policies.digest(subject=comm.subject, body=comm.body, recipients=comm.recipients)


def locked(tenant: uuid.UUID, comm_id: uuid.UUID) -> CustomerComm:
    """For a change in this transaction. Raises NotFound."""
    found = (
        CustomerComm.objects.select_for_update(of=("self",))
        .select_related("incident")
        .filter(tenant_id=tenant, id=comm_id)
        .first()
    )
    if found is None:
        raise NotFound("There is no such text.")
    return found


def whom(comm: CustomerComm, *, is_first: bool = False) -> str:
    """The audience inside a sentence: `admins of the organisation (Acme)`."""
    words = comm.get_audience_display()
    if comm.about_tenant is not None:
        organisation = tenants.tenants_by_id([comm.about_tenant]).get(comm.about_tenant)
        words = f"{words} ({organisation.name})" if organisation else words
    return words if is_first else words[0].lower() + words[1:]


def record(comm: CustomerComm, action: str, words: str, by: Actor, at: datetime, *, is_internal: bool = True) -> None:
    """The audit entry and the line of the timeline of one step."""
    timeline.note(
        tenant=comm.tenant_id,
        incident_id=comm.incident_id,
        kind=TimelineKind.COMM,
        text=words,
        by=by,
        at=at,
        data={"comm": str(comm.id), **({"organisation": str(comm.about_tenant)} if comm.about_tenant else {})},
        is_internal=is_internal,
    )
    audit.record(
        tenant=comm.tenant_id,
        action=action,
        actor=by,
        target=Target(type="incident_comm", id=str(comm.id)),
        outcome=Outcome.SUCCESS,
        data={
            "ref": comm.incident.ref,
            "audience": str(comm.audience),
            "organisation": str(comm.about_tenant or ""),
            "recipients": len(comm.recipients),
            "digest": digest_of(comm),
        },
        at=at,
        reason=comm.waived_because,
    )


def _incident(tenant: uuid.UUID, incident_id: uuid.UUID) -> Incident:
    found = Incident.objects.filter(tenant_id=tenant, id=incident_id).first()
    if found is None:
        raise NotFound("There is no such incident.")
    return found


def _require_open(comm: CustomerComm) -> None:
    if comm.state not in _OPEN:
        raise AlreadyDone(
            f"It is {comm.get_state_display().lower()}: a text that was told is not changed. Draft an update."
        )


def _require_seen(comm: CustomerComm, seen: str) -> None:
    if digest_of(comm) != seen:
        raise TextMoved(f"{comm.drafted_by} changed it meanwhile. Read what stands there now, then go on.")


def _checked(
    audience: str,
    channel: str,
    subject: str,
    body: str,
    recipients: Sequence[str],
    next_update_due_at: datetime | None,
    since: datetime,
) -> dict[str, Any]:
    if channel not in CommChannel.values:
        raise invalid("/channel", f"one of {', '.join(CommChannel.values)} is expected")
    if (channel == CommChannel.STATEMENT) != (audience == CommAudience.PUBLIC):
        raise invalid("/channel", "a statement is for everybody, and for everybody there is only a statement")
    if next_update_due_at is not None and next_update_due_at < since:
        raise invalid("/next_update_due_at", "a time that is still to come is expected, or none")
    return {
        "channel": channel,
        "subject": inputs.line("/subject", subject, 200, is_needed=channel == CommChannel.MAIL),
        "body": inputs.text("/body", body, BODY_MOST),
        "recipients": _recipients(channel, recipients),
        "next_update_due_at": next_update_due_at,
    }


def _recipients(channel: str, recipients: Sequence[str]) -> list[str]:
    """Each once, in the order they were given."""
    found = list(
        dict.fromkeys(
            cleaned
            for one in recipients
            if (cleaned := inputs.line("/recipients", one, RECIPIENT_MOST, is_needed=False))
        )
    )
    if len(found) > RECIPIENTS_MOST:
        raise invalid("/recipients", f"at most {RECIPIENTS_MOST} are taken; tell the admins, or a group address")
    if channel == CommChannel.MAIL:
        for one in found:
            try:
                validate_email(one)
            except ValidationError:
                raise invalid(
                    "/recipients", f"“{one[:60]}” is no mail address; one address a line is expected"
                ) from None
    return found
