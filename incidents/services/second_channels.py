"""The second channel: what one pager did not deliver in two minutes, another is told."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Q

from agentops.common import scope
from incidents.models import Page, PagingTarget
from incidents.policies import pages as policy
from incidents.queries.subjects import subject_of, waiting_subjects
from incidents.services import escalating
from incidents.services.paging import page_to
from incidents.types import PageAction

_ANY_SEVERITY = 3


def use_second_channels(*, tenant: uuid.UUID, at: datetime) -> int:
    """Page elsewhere about what is undelivered and still waits for somebody; answers how many pages.

    Each target is told of one change of state once, whatever the reason: so second channels of second channels end where
    there is no further target, and then whoever is on call gets a mail.
    """
    scope.require_tenant(tenant)
    waiting = {each.id: each for each in waiting_subjects(worst_but=_ANY_SEVERITY)}
    named = PagingTarget.objects.filter(tenant_id=tenant, is_on=True, second_for__isnull=False)
    stuck = (
        Page.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("target")
        .filter(
            Q(delivered_at=None, created_at__lte=at - policy.DELIVERED_WITHIN) | Q(failed_at__isnull=False),
            Q(target__is_pager=True) | Q(target_id__in=named.values("second_for_id")),
            tenant_id=tenant,
            action=PageAction.TRIGGER,
            second_sent_at=None,
            created_at__gt=at - policy.LOOKED_BACK,
            subject_id__in=list(waiting),
        )
        .order_by("created_at")[: policy.SWEPT_MOST]
    )
    return sum(
        _page_elsewhere(page, at) for page in stuck if waiting[page.subject_id].state_number == page.state_number
    )


def _page_elsewhere(page: Page, at: datetime) -> int:
    subject = subject_of(page.subject_kind, page.subject_id)
    if subject is None:
        return 0
    second = _second(page, subject)
    page.second_sent_at = at
    page.save(update_fields=["second_sent_at"])
    if second is None:
        if page.target.is_pager and page.severity <= policy.ESCALATED_SEVERITY:
            escalating.tell_at_once(tenant=page.tenant_id, subject=subject, state_number=page.state_number, at=at)
        return 0
    page_to(
        second,
        subject,
        state_number=page.state_number,
        action=PageAction.TRIGGER,
        severity=page.severity,
        because="second_channel",
        at=at,
    )
    return 1


def _second(page: Page, subject: policy.Subject) -> PagingTarget | None:
    """The one that was named for it, else for a pager any other one, that was not told of this state yet."""
    told = Page.objects.filter(
        tenant_id=page.tenant_id,
        subject_id=page.subject_id,
        action=PageAction.TRIGGER,
        state_number=page.state_number,
    )
    heard = policy.heard_by(is_drill=subject.is_drill)
    rows = PagingTarget.objects.filter(tenant_id=page.tenant_id, is_on=True, hears__in=heard)
    free = rows.exclude(id__in=told.values("target_id"))
    named = free.filter(second_for=page.target_id).order_by("name").first()
    if named is not None or not page.target.is_pager:
        return named
    others = list(free.filter(is_pager=True).order_by("name"))
    return min(others, key=lambda each: page.severity not in each.severities, default=None)
