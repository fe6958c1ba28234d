"""What pagers tell back: somebody has it. By a webhook, or asked for, as webhooks get lost."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from agentops.common import scope, secrets
from agentops.outbox.pagers.document import Standing
from audit.types import Actor
from incidents.models import BackEvent, Page, PagingTarget
from incidents.policies import pages as policy
from incidents.queries.subjects import waiting_subjects
from incidents.services import alerts, severities
from incidents.services.paging import plan_pages
from incidents.types import PageAction, Severity, TargetKind

POLLS_MOST = 30
KEPT = timedelta(days=30)  # longer than any pager repeats a webhook
_WHO_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Poll:
    """One question to a pager: what became of the alert with this key?"""

    page_id: uuid.UUID
    kind: TargetKind
    base_url: str
    token: str = field(repr=False)
    dedup_key: str


def take_back_event(
    *,
    tenant: uuid.UUID,
    target_id: uuid.UUID,
    event_id: str,
    dedup_key: object,
    is_acknowledged: bool,
    who: str,
    occurred_at: datetime | None,
    at: datetime,
) -> bool:
    """A webhook of a pager, whose signature was checked; True where it acknowledged something. The same one twice changes
    nothing, and neither does one that happened before the latest page: it is about what was before.

    Somebody who closes it at the pager has it, as far as we know, until our own row is over.
    """
    scope.require_tenant(tenant)
    _, is_new = BackEvent.objects.get_or_create(
        tenant_id=tenant, target_id=target_id, event_id=event_id[:200], defaults={"received_at": at}
    )
    named = policy.subject_in(dedup_key)
    if not is_new or named is None or not is_acknowledged:
        return False
    page = _latest(tenant, target_id, named[1])
    if page is None or (occurred_at is not None and occurred_at < page.created_at):
        return False
    return _acknowledge(page, who, at)


def claim_polls(*, tenant: uuid.UUID, at: datetime) -> list[Poll]:
    """Which pages to ask pagers about now, with the keys to ask with; whoever else looks meanwhile gets others."""
    scope.require_tenant(tenant)
    waiting = {(each.id, each.state_number) for each in waiting_subjects(worst_but=Severity.SEV3)}
    rows = (
        Page.objects.select_for_update(skip_locked=True, of=("self",))
        .select_related("target")
        .filter(
            tenant_id=tenant,
            action=PageAction.TRIGGER,
            delivered_at__isnull=False,
            acknowledged_at=None,
            created_at__gt=at - policy.LOOKED_BACK,
            target__is_on=True,
            target__kind__in=(TargetKind.PAGERDUTY, TargetKind.OPSGENIE),
        )
        .exclude(target__api_token=b"")
        .order_by("-created_at")[: policy.SWEPT_MOST]
    )
    found: list[Poll] = []
    for page in rows:
        is_waiting = page.subject_kind == "test" or (page.subject_id, page.state_number) in waiting
        since_poll = at - page.polled_at if page.polled_at else None
        if not is_waiting or not policy.is_poll_due(age=at - page.created_at, since_poll=since_poll):
            continue
        try:
            token = secrets.open_(page.target.api_token)
        except secrets.SecretLost:
            continue  # the page of targets says that it is to be given again
        found.append(Poll(page.id, TargetKind(page.target.kind), page.target.base_url, token, page.dedup_key))
        if len(found) == POLLS_MOST:
            break
    Page.objects.filter(tenant_id=tenant, id__in=[each.page_id for each in found]).update(polled_at=at)
    return found


def take_poll(*, tenant: uuid.UUID, page_id: uuid.UUID, standing: Standing, at: datetime) -> bool:
    """What a pager said when it was asked; True where that was an acknowledgement.

    It took the page and does not know it minutes later: the page is lost, and the second channel is used.
    """
    scope.require_tenant(tenant)
    page = Page.objects.select_for_update().get(tenant_id=tenant, id=page_id)
    # What ended before this page was written is the alert of before: of the new one, the pager knows nothing yet.
    is_over = standing.is_ended and standing.changed_at is not None
    is_before = is_over and standing.changed_at is not None and standing.changed_at < page.created_at
    if standing.is_known and not is_before:
        if page.confirmed_by_poll_at is None:
            page.confirmed_by_poll_at = at
            page.save(update_fields=["confirmed_by_poll_at"])
        has_it = standing.is_acknowledged or (is_over and standing.is_by_person)
        return has_it and _acknowledge(page, standing.who, at)
    is_lost = page.confirmed_by_poll_at is None and page.failed_at is None and page.delivered_at is not None
    if is_lost and page.delivered_at is not None and at - page.delivered_at >= policy.CONFIRMED_WITHIN:
        page.failed_at = at
        page.save(update_fields=["failed_at"])
    return False


def forget_back_events(*, tenant: uuid.UUID, at: datetime) -> int:
    """Answers how many."""
    scope.require_tenant(tenant)
    count, _ = BackEvent.objects.filter(tenant_id=tenant, received_at__lt=at - KEPT).delete()
    return count


def _latest(tenant: uuid.UUID, target_id: uuid.UUID, subject_id: uuid.UUID) -> Page | None:
    rows = Page.objects.select_for_update().filter(
        tenant_id=tenant, target_id=target_id, subject_id=subject_id, action=PageAction.TRIGGER
    )
    return rows.order_by("-state_number").first()


def _acknowledge(page: Page, who: str, at: datetime) -> bool:
    target: PagingTarget = page.target
    who = "".join(letter for letter in who if letter.isprintable()).strip()[:_WHO_CHARACTERS] or "somebody"
    by = Actor(type="service", id=f"pager:{target.id}", label=f"{who} at {target.name}")
    is_first = Page.objects.filter(tenant_id=page.tenant_id, id=page.id, acknowledged_at=None).update(
        acknowledged_at=at, acknowledged_by=by.label[:200]
    )
    if not is_first:
        return False
    tenant = page.tenant_id
    match page.subject_kind:
        case "alert":
            alert = alerts.acknowledge_alert(tenant=tenant, alert_id=page.subject_id, by=by, at=at, via=target.kind)
            if alert.acknowledged_at == at:  # by us: the other pagers stop to ring, too
                _tell(page, PageAction.ACKNOWLEDGE, at)
        case "incident":
            severities.acknowledge_incident(tenant=tenant, incident_id=page.subject_id, by=by, at=at, via=target.kind)
        case "test":
            _tell(page, PageAction.RESOLVE, at)
    return True


def _tell(page: Page, action: PageAction, at: datetime) -> None:
    plan_pages(
        tenant=page.tenant_id,
        subject_kind=page.subject_kind,
        subject_id=page.subject_id,
        state_number=page.state_number,
        action=action,
        severity=page.severity,
        because="acknowledged",
        at=at,
    )
