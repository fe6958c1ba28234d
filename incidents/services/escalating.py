"""Escalation: mails to those who are asked next, where nobody acknowledges. Mail goes past every pager, on purpose.

Nobody is mailed more often than every five minutes; what came up meanwhile stands in the next mail, so that a storm of
alerts is one mail and none of them is lost.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Min, Q

from agentops.common import scope
from agentops.outbox import services as outbox
from audit.types import SYSTEM
from incidents.models import Escalation, Page
from incidents.policies import pages as policy
from incidents.policies.pages import Subject
from incidents.queries import oncall
from incidents.queries.subjects import Waiting, subject_of, waiting_subjects
from incidents.services.timeline import note
from incidents.types import PageAction, TimelineKind

if TYPE_CHECKING:
    from tenants.models import User


@dataclass(frozen=True, slots=True)
class _Paged:
    """When the first page of a state was written, and whether a pager took one."""

    first_at: datetime | None
    is_delivered: bool

    def least(self, patience: timedelta) -> timedelta:
        """So long after it nobody is mailed: who was paged has a while to answer, and a page that was just written one to arrive."""
        if self.first_at is None:
            return timedelta(0)
        return patience if self.is_delivered else policy.TAKEN_WITHIN


def tell_at_once(*, tenant: uuid.UUID, subject: Subject, state_number: int, at: datetime) -> int:
    """No pager takes it: mail whoever is on call now. Answers how many were mailed; the sweep tells the others."""
    scope.require_tenant(tenant)
    if subject.kind == "test" or subject.is_drill:
        return 0
    waiting = Waiting(subject.kind, subject.id, state_number, at)
    now = [user for user, seconds in oncall.chain(at=at) if seconds == 0]
    return sum(_mail(tenant, user, [waiting], at) for user in now)


def escalate(*, tenant: uuid.UUID, at: datetime) -> int:
    """Mail those whose turn it is about what waits for an acknowledgement; answers how many mails.

    Who is on call is mailed as soon as it is clear that no pager took the page, else with the first who is asked after them.
    """
    scope.require_tenant(tenant)
    waiting = [each for each in waiting_subjects(worst_but=policy.ESCALATED_SEVERITY) if not each.is_drill]
    chain = oncall.chain(at=at) if waiting else []
    if not chain:
        return 0
    paged = _paged(tenant, waiting)
    told = set(
        Escalation.objects.filter(tenant_id=tenant, subject_id__in=[each.id for each in waiting]).values_list(
            "subject_id", "state_number", "to_user"
        )
    )
    patience = timedelta(
        seconds=min((seconds for _, seconds in chain if seconds), default=policy.ESCALATED_AFTER_SECONDS)
    )
    mails = 0
    for user, seconds in chain:
        due = [
            each
            for each in waiting
            if (each.id, each.state_number, user.pk) not in told
            and at - (paged[each.id].first_at or each.since)
            >= max(timedelta(seconds=seconds), paged[each.id].least(patience))
        ]
        mails += _mail(tenant, user, due, at)
    return mails


def _paged(tenant: uuid.UUID, waiting: Sequence[Waiting]) -> dict[uuid.UUID, _Paged]:
    rows = Page.objects.filter(
        tenant_id=tenant, subject_id__in=[each.id for each in waiting], action=PageAction.TRIGGER
    )
    grouped = rows.values_list("subject_id", "state_number").annotate(
        first=Min("created_at"),
        delivered=Min("delivered_at", filter=Q(target__is_pager=True, failed_at=None)),
    )
    found = {(subject, number): _Paged(first, delivered is not None) for subject, number, first, delivered in grouped}
    return {each.id: found.get((each.id, each.state_number), _Paged(None, False)) for each in waiting}


def _mail(tenant: uuid.UUID, user: User, due: Sequence[Waiting], at: datetime) -> int:
    """One mail about all of them, unless this person had one a moment ago."""
    mine = Escalation.objects.filter(tenant_id=tenant, to_user=user.pk)
    if not due or mine.filter(created_at__gt=at - policy.MAILED_AGAIN_AFTER).exists():
        return 0
    new = []
    for each in due:
        row, is_new = Escalation.objects.get_or_create(
            tenant_id=tenant,
            subject_id=each.id,
            state_number=each.state_number,
            to_user=user.pk,
            defaults={"subject_kind": each.kind, "created_at": at},
        )
        if is_new:  # else another sweep was faster, and mails
            new.append((row, each))
    subjects = [subject_of(each.kind, each.id) for _, each in new[: policy.MAIL_ITEMS_MOST]]
    known = [each for each in subjects if each is not None]
    if not known:
        return 0
    message = outbox.send(
        tenant=tenant,
        channel="mail",
        destination=user.email,
        template=policy.ESCALATION_MAIL,
        context={"items": [_item(each) for each in known], "count": len(new), "more": len(new) - len(known)},
        dedup_key=f"escalation:{new[0][0].id}",
    )
    Escalation.objects.filter(tenant_id=tenant, id__in=[row.id for row, _ in new]).update(message_id=message)
    for subject in known:
        if subject.kind == "incident":
            text = f"Nobody had acknowledged it: {user.name or user.email} was mailed."
            note(tenant=tenant, incident_id=subject.id, kind=TimelineKind.PAGE, text=text, by=SYSTEM, at=at)
    return 1


def _item(subject: Subject) -> dict[str, Any]:
    return {"severity": f"SEV-{subject.severity}", "summary": subject.summary, "links": subject.links}
