"""What a page says, through which channel it goes, and whom it is about. Pure: no rows, no clock.

The same key is given to a pager for every change of one alert or incident, so that it makes one alert of them all; the
id is read out of it again when the pager answers.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from incidents.types import Hears, PageAction, TargetKind

DELIVERED_WITHIN = timedelta(minutes=2)  # then the second channel is used
TAKEN_WITHIN = timedelta(seconds=30)  # two attempts; a page that no pager took by then is told to whoever is on call
CONFIRMED_WITHIN = timedelta(minutes=3)  # a pager that took a page and does not know it after this has lost it
ESCALATED_AFTER_SECONDS = 300  # where the chain does not say
LOOKED_BACK = timedelta(days=1)  # an older page is no page any more
SWEPT_MOST = 500  # in one round; the next follows in seconds
MAILED_AGAIN_AFTER = timedelta(minutes=5)  # one person gets one mail of escalation in this time, about everything
ESCALATED_SEVERITY = 2  # and worse
MAIL_ITEMS_MOST = 20
SUBJECT_KINDS = ("alert", "incident", "test")
PAGE_MAIL, ESCALATION_MAIL = "incidents/mail/page.txt", "incidents/mail/escalation.txt"
_KEY = "agentops"
_HOSTS = {
    TargetKind.PAGERDUTY: "https://events.pagerduty.com",
    TargetKind.OPSGENIE: "https://api.atlassian.com/jsm/ops/integration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An alert, incident or test, as pages tell of it. Nothing in it is secret, and no user is named."""

    kind: str
    id: uuid.UUID
    state_number: int
    severity: int
    summary: str
    source: str
    component: str = ""
    group: str = ""
    alert_class: str = ""
    url: str = ""
    links: list[dict[str, str]] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)
    is_drill: bool = False


def heard_by(*, is_drill: bool) -> tuple[Hears, ...]:
    """Which targets are told of it."""
    return (Hears.ALL, Hears.DRILLS) if is_drill else (Hears.REAL, Hears.ALL)


def dedup_key(kind: str, subject_id: uuid.UUID) -> str:
    return f"{_KEY}/{kind}/{subject_id}"


def subject_in(key: object) -> tuple[str, uuid.UUID] | None:
    """Kind and id of a key that was given to a pager; None for one that is not ours."""
    parts = key.split("/") if isinstance(key, str) else []
    if len(parts) != 3 or parts[0] != _KEY or parts[1] not in SUBJECT_KINDS:
        return None
    try:
        return parts[1], uuid.UUID(parts[2])
    except ValueError:
        return None


def document(subject: Subject, *, action: PageAction, severity: int, because: str, at: str) -> dict[str, Any]:
    """What every channel gets (agentops/outbox/pagers/document.py); mail shows it by a template."""
    return {
        "action": action.value,
        "dedup_key": dedup_key(subject.kind, subject.id),
        "severity": severity,
        "severity_label": f"SEV-{severity}",
        "summary": _summary(subject, severity, because),
        "source": subject.source,
        "component": subject.component,
        "group": subject.group,
        "kind": subject.alert_class or subject.kind,
        "because": because,
        "at": at,
        "url": subject.url,
        "links": subject.links,
        "details": subject.details,
    }


def _summary(subject: Subject, severity: int, because: str) -> str:
    mark = "Test page" if subject.kind == "test" else f"SEV-{severity}"
    told = {"second_channel": " (second channel: the first did not deliver)", "reopened": " (again)"}.get(because, "")
    return f"{mark}{told} {subject.summary}"


def channel_of(kind: TargetKind) -> str:
    """The outbox's channel; their words are the same."""
    return kind.value


def is_poll_due(*, age: timedelta, since_poll: timedelta | None) -> bool:
    """Twice a minute in the first ten, then every five: people answer soon or late."""
    return since_poll is None or since_poll >= (
        timedelta(seconds=30) if age < timedelta(minutes=10) else timedelta(minutes=5)
    )


def destination(kind: TargetKind, *, name: str, base_url: str, address: str) -> str:
    """What the outbox shows and counts as one destination: for mail and webhooks where they go, else name and host."""
    if kind is TargetKind.MAIL:
        return address
    if kind is TargetKind.WEBHOOK:
        return base_url
    host = address if kind is TargetKind.CHAT else urlsplit(base_url or _HOSTS.get(kind, "")).hostname
    return f"{name} ({host})" if host else name


def is_in_order(kind: TargetKind) -> bool:
    """A pager must not hear of an end before the beginning, or it rings for ever. A chat that fails for hours must not keep
    the next message waiting behind the first."""
    return kind in (TargetKind.PAGERDUTY, TargetKind.OPSGENIE)


def is_told(kind: TargetKind, action: PageAction) -> bool:
    """That somebody has it is told to pagers, which stop to ring; people who read chat and mail have read enough."""
    return action is not PageAction.ACKNOWLEDGE or kind not in (TargetKind.CHAT, TargetKind.MAIL)
