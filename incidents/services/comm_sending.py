"""Telling it: mails through the outbox, calls and statements as a person says they were made; then what became of it."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import Q

from agentops.common import scope
from agentops.common.errors import Conflict
from agentops.outbox import queries as mailed
from agentops.outbox import services as outbox
from agentops.outbox.types import State
from audit.types import Actor
from incidents.errors import AlreadyDone, invalid
from incidents.models import CustomerComm, Incident
from incidents.policies import comms as policies
from incidents.services.comms import TextMoved, digest_of, locked, record, whom
from incidents.types import CommChannel, CommState

TEMPLATE = "incidents/mail/comm.txt"
_BEFORE_DECLARED = timedelta(days=30)  # how long before the declaration somebody may have been called


class NotApproved(Conflict):
    code, title = "not_approved", "A second person has not agreed yet"


def send_comm(*, tenant: uuid.UUID, comm_id: uuid.UUID, by: Actor, at: datetime) -> CustomerComm:
    """Mail it to each recipient, once, after the commit. Raises NotFound, NotApproved, AlreadyDone, TextMoved, InvalidInput."""
    scope.require_tenant(tenant)
    comm = _approved(tenant, comm_id)
    if comm.channel != CommChannel.MAIL:
        raise invalid("/channel", "this is no mail: say when it was told instead")
    comm.messages = [
        outbox.send(
            tenant=tenant,
            channel="mail",
            destination=one,
            template=TEMPLATE,
            context={"subject": comm.subject, "body": comm.body},
            dedup_key=f"incident-comm:{comm.id}:{hashlib.sha256(one.encode()).hexdigest()[:32]}",
        )
        for one in comm.recipients
    ]
    return _told(comm, CommState.SENT, told_at=at, by=by, at=at)


def note_told(*, tenant: uuid.UUID, comm_id: uuid.UUID, told_at: datetime, by: Actor, at: datetime) -> CustomerComm:
    """A call was made, or a statement published: at that time. Raises as send_comm."""
    scope.require_tenant(tenant)
    comm = _approved(tenant, comm_id)
    if comm.channel == CommChannel.MAIL:
        raise invalid("/channel", "this is a mail: send it instead")
    if not comm.incident.declared_at - _BEFORE_DECLARED <= told_at <= at:
        raise invalid("/told_at", "a time that is over is expected, at most 30 days before the incident was declared")
    comm.ended_at = at
    return _told(comm, CommState.DELIVERED, told_at=told_at, by=by, at=at)


def send_comm_again(*, tenant: uuid.UUID, comm_id: uuid.UUID, by: Actor, at: datetime) -> CustomerComm:
    """Try once more what the mail servers did not take; the others are not mailed twice. Raises NotFound, AlreadyDone."""
    scope.require_tenant(tenant)
    comm = locked(tenant, comm_id)
    if comm.state != CommState.FAILED:
        raise AlreadyDone(f"It is {comm.get_state_display().lower()}: only what failed is sent again.")
    for message in _given_up(tenant, comm):
        outbox.send_again(tenant=tenant, message=message, by=by, at=at)
    comm.state, comm.ended_at = CommState.SENT, None
    comm.save(update_fields=["state", "ended_at"])
    record(comm, "incident.comm_sent_again", f"The text for {whom(comm)} is sent again.", by, at)
    return comm


def settle_comms(*, tenant: uuid.UUID, found: Mapping[uuid.UUID, policies.Ended], at: datetime) -> int:
    """Note what became of texts that were told (queries/comm_ends.py reads it); answers how many changed."""
    scope.require_tenant(tenant)
    changed = 0
    for comm in CustomerComm.objects.select_for_update().filter(
        tenant_id=tenant, id__in=list(found), state__in=policies.TOLD
    ):
        end, fields = found[comm.id], []
        if comm.before_they_noticed is None and comm.about_tenant is not None and comm.sent_at is not None:
            comm.before_they_noticed = policies.is_first(sent_at=comm.sent_at, noticed_at=end.noticed_at)
            fields.append("before_they_noticed")
        if comm.state == CommState.SENT and end.is_delivered is not None:
            comm.state = CommState.DELIVERED if end.is_delivered else CommState.FAILED
            comm.ended_at = at
            fields += ["state", "ended_at"]
        if fields:
            comm.save(update_fields=fields)
            changed += 1
    return changed


def _approved(tenant: uuid.UUID, comm_id: uuid.UUID) -> CustomerComm:
    comm = locked(tenant, comm_id)
    if comm.state == CommState.DRAFT:
        raise NotApproved("Somebody other than its writer must read and approve it first.")
    if comm.state != CommState.APPROVED:
        raise AlreadyDone(f"It is {comm.get_state_display().lower()} already; nothing is told twice.")
    if digest_of(comm) != comm.approved_digest:
        raise TextMoved("It is not the text that was approved. Have it approved again.")
    return comm


def _told(comm: CustomerComm, state: CommState, *, told_at: datetime, by: Actor, at: datetime) -> CustomerComm:
    comm.state, comm.sent_at, comm.sent_by = state, told_at, by.label
    comm.save(update_fields=["state", "sent_at", "sent_by", "messages", "ended_at"])
    if comm.audience in policies.CUSTOMERS:
        rows = Incident.objects.filter(tenant_id=comm.tenant_id, id=comm.incident_id)
        is_first = Q(customer_told_at=None) | Q(customer_told_at__gt=told_at)
        rows.filter(is_first).update(customer_told_at=told_at)
    how = {CommChannel.MAIL: "mailed to", CommChannel.CALL: "told by call to", CommChannel.STATEMENT: "published for"}
    words = f"“{comm.subject or comm.body[:80]}” was {how[CommChannel(comm.channel)]} {whom(comm)}."
    record(comm, "incident.comm_sent", words, by, at, is_internal=comm.about_tenant is not None)
    return comm


def _given_up(tenant: uuid.UUID, comm: CustomerComm) -> list[uuid.UUID]:
    states = mailed.states_of(tenant=tenant, messages=comm.messages)
    return [one for one in comm.messages if states.get(one) == State.GIVEN_UP]
