"""Waiting for what the product makes of a drill: the alert about its agent, and the page."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from agentops.portal.drills.pager import Pager, Ring
from incidents.queries import played
from incidents.types import AlertClass
from tenants.house import house_scope

if TYPE_CHECKING:
    from incidents.models import Alert

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
    with house_scope():
        return played.alert_of_agent(about_tenant=ground, agent=agent, alert_class=alert_class)


def ring_about(pager: Pager, subject: uuid.UUID, *, since: datetime, seconds: float) -> Ring | None:
    return until(lambda: pager.rung_about(str(subject), since=since.timestamp()), seconds=seconds)


def why_no_page(subject: uuid.UUID, target: uuid.UUID) -> str:
    """What became of the page that did not arrive."""
    with house_scope():
        return played.why_no_page(subject=subject, target=target)
