"""Pages: one change of state, told once to each target that is to hear of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from agentops.common import clock, scope
from agentops.outbox import queries as outbox_rows
from agentops.outbox import services as outbox
from audit.types import SYSTEM
from incidents.models import Page, PagingTarget
from incidents.policies import pages as policy
from incidents.policies.pages import Subject
from incidents.queries.subjects import subject_of
from incidents.queries.targets import first_hand, targets_on
from incidents.services import escalating
from incidents.services.timeline import note
from incidents.types import PageAction, TargetKind, TimelineKind


def plan_pages(
    *,
    tenant: uuid.UUID,
    subject_kind: str,
    subject_id: uuid.UUID,
    state_number: int,
    action: PageAction,
    severity: int,
    because: str,
    at: datetime,
) -> list[Page]:
    """Page about a change of an alert or incident, in the transaction of that change; the same change pages once.

    Who is to hear of it: of something new or worse, the targets of its severity; of what is acknowledged or over, those
    that heard of it before. Where no pager takes a SEV-1 or SEV-2, whoever is on call gets a mail at once.
    """
    scope.require_tenant(tenant)
    subject = subject_of(subject_kind, subject_id)
    if subject is None:
        return []
    is_new = action is PageAction.TRIGGER
    targets = first_hand(targets_on(), severity, is_drill=subject.is_drill) if is_new else _told_before(tenant, subject)
    planned = [
        page_to(target, subject, state_number=state_number, action=action, severity=severity, because=because, at=at)
        for target in targets
        if policy.is_told(TargetKind(target.kind), action)
    ]
    if is_new and not any(target.is_pager for target in targets) and severity <= policy.ESCALATED_SEVERITY:
        escalating.tell_at_once(tenant=tenant, subject=subject, state_number=state_number, at=at)
    if action is PageAction.RESOLVE:
        _withdraw(tenant, subject, at)
    if action is PageAction.ACKNOWLEDGE:
        Page.objects.filter(
            tenant_id=tenant, subject_id=subject.id, action=PageAction.TRIGGER, acknowledged_at=None
        ).update(acknowledged_at=at)
    _note(tenant, subject, planned, because, at)
    return planned


def page_to(
    target: PagingTarget,
    subject: Subject,
    *,
    state_number: int,
    action: PageAction,
    severity: int,
    because: str,
    at: datetime,
) -> Page:
    """The row and its message, once for each change of state, whoever asks and how often.

    Of one subject, a pager gets the messages in the order in which they were written: what is over is not told before what
    began, so that none is left ringing about something that ended.
    """
    kind, key = TargetKind(target.kind), policy.dedup_key(subject.kind, subject.id)
    said = policy.document(subject, action=action, severity=severity, because=because, at=clock.rfc3339(at))
    is_mail = kind is TargetKind.MAIL
    message = outbox.send(
        tenant=target.tenant_id,
        channel=policy.channel_of(kind),
        destination=policy.destination(kind, name=target.name, base_url=target.base_url, address=target.address),
        template=policy.PAGE_MAIL if is_mail else f"page.{action.value}",
        context=said if kind in (TargetKind.MAIL, TargetKind.WEBHOOK) else {**said, "target": str(target.id)},
        dedup_key=f"page:{target.id}:{subject.id}:{action.value}:{state_number}",
        order_key=f"page:{target.id}:{subject.id}" if policy.is_in_order(kind) else "",
    )
    page, _ = Page.objects.get_or_create(
        tenant_id=target.tenant_id,
        target=target,
        subject_id=subject.id,
        action=action.value,
        state_number=state_number,
        defaults={
            "subject_kind": subject.kind,
            "dedup_key": key,
            "severity": severity,
            "because": because[:40],
            "message_id": message,
            "created_at": max(at, clock.now()),  # what is caught up with is not undelivered for long already
        },
    )
    return page


def _told_before(tenant: uuid.UUID, subject: Subject) -> list[PagingTarget]:
    told = Page.objects.filter(tenant_id=tenant, subject_id=subject.id, action=PageAction.TRIGGER)
    rows = PagingTarget.objects.filter(tenant_id=tenant, is_on=True, id__in=told.values("target_id"))
    return list(rows.order_by("name", "id"))


def _withdraw(tenant: uuid.UUID, subject: Subject, at: datetime) -> None:
    """Nobody is woken for what is over before the page could be delivered."""
    waiting = Page.objects.filter(
        tenant_id=tenant, subject_id=subject.id, action=PageAction.TRIGGER, delivered_at=None, failed_at=None
    )
    for page in waiting:
        outbox.withdraw(
            tenant=tenant, message=page.message_id, because="Not sent any more: what it tells of is over.", at=at
        )


def _note(tenant: uuid.UUID, subject: Subject, planned: Iterable[Page], because: str, at: datetime) -> None:
    names = ", ".join(page.target.name for page in planned)
    if subject.kind == "incident" and names:
        text = f"Paged ({because.replace('_', ' ')}): {names}."
        note(tenant=tenant, incident_id=subject.id, kind=TimelineKind.PAGE, text=text, by=SYSTEM, at=at)


def note_deliveries(*, tenant: uuid.UUID, at: datetime) -> int:
    """Take over from the outbox which pages were delivered or given up; answers how many."""
    scope.require_tenant(tenant)
    open_pages = list(
        Page.objects.filter(
            tenant_id=tenant, delivered_at=None, failed_at=None, created_at__gt=at - policy.LOOKED_BACK
        ).order_by("created_at")[: policy.SWEPT_MOST]
    )
    messages = outbox_rows.messages_by_id(tenant=tenant, ids=[page.message_id for page in open_pages])
    changed = []
    for page in open_pages:
        message = messages.get(page.message_id)
        before = (page.delivered_at, page.failed_at)
        if message is not None:
            page.delivered_at, page.failed_at = message.sent_at, message.given_up_at
        if (page.delivered_at, page.failed_at) != before:
            changed.append(page)
    Page.objects.bulk_update(changed, ["delivered_at", "failed_at"])
    return len(changed)
