"""Waiting for what the product makes of a drill: the alert about its agent, and the page."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from django.db.models import Q

from agentops.portal.drills.pager import Pager, Ring
from incidents.models import Alert, Page
from incidents.types import AlertClass, PageAction
from tenants.house import house_scope

_LOOK_SECONDS = 0.1
T = TypeVar("T")


def until(look: Callable[[], T | None], *, seconds: float) -> T | None:
    """The first answer, or None after so long."""
    ends = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None or time.monotonic() >= ends:
            return found
        time.sleep(_LOOK_SECONDS)


def alert_about(*, ground: uuid.UUID, agent: str, alert_class: AlertClass) -> Alert | None:
    """The alert of a drill's agent: no other drill's, as each has an agent of its own."""
    with house_scope() as house:
        rows = Alert.objects.filter(tenant_id=house, alert_class=alert_class)
        return (
            rows.filter(Q(about_tenant=ground) | Q(tenants__contains=[ground]), Q(agent=agent) | Q(scope_id=agent))
            .order_by("opened_at")
            .first()
        )


def ring_about(pager: Pager, subject: uuid.UUID, *, since: datetime, seconds: float) -> Ring | None:
    return until(lambda: pager.rung_about(str(subject), since=since.timestamp()), seconds=seconds)


def why_no_page(subject: uuid.UUID, target: uuid.UUID) -> str:
    """What became of the page that did not arrive."""
    with house_scope() as house:
        page = (
            Page.objects.filter(tenant_id=house, subject_id=subject, target=target, action=PageAction.TRIGGER)
            .order_by("created_at")
            .first()
        )
    if page is None:
        return "no page was planned"
    if page.failed_at:
        return "the page was given up: its record stands on the page of paging targets"
    return "the page was planned and is not delivered"
