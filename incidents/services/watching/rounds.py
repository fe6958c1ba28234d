"""One round of a detector: its mark says from when on, staff's scope reads, our own organisation's scope writes.

Alerts, calm periods and the mark are of one transaction, so a round that dies is done again as if it had not been, and of
two at once the second finds the mark moved and leaves. Nothing is missed: a look that comes late covers what it missed.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from agentops.common.scope import staff_scope
from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.looking import Around, Look
from incidents.detecting.rulebook import RuleBook
from incidents.detecting.seen import Seen
from incidents.models import AgentUsual, Alert, DetectorMark
from incidents.queries.rules import rule_book
from incidents.queries.watching.runs import Usual
from incidents.services import alerts
from incidents.services.watching.detectors import DETECTORS, Detector, Stretch
from incidents.types import AlertClass
from tenants import queries as tenants
from tenants.house import house_scope

MOST_MISSED = 60  # periods or half windows that one round catches up with: hours; before them, nobody is woken any more


def look(*, alert_class: AlertClass, at: datetime) -> int:
    """Look up to `at`; answers how many looks found something. Opens its scopes itself, one after the other."""
    detector = DETECTORS[alert_class]
    with house_scope() as house:
        mark = DetectorMark.objects.filter(tenant_id=house, detector=alert_class).first()
        book = rule_book()
        usual = _usual(house) if detector.needs_usual else {}
    names = {tenant.id: tenant.name for tenant in tenants.active_tenants()}
    stretch = Stretch(tenants=list(names), since=at, at=at, book=book, usual=usual)
    if detector.before is not None:
        stretch = replace(stretch, outside=detector.before())
    since, found = mark.looked_until if mark else None, 0
    for until in _ends(detector, since, at):
        first = since if since is not None else until - timedelta(seconds=DEFAULTS[alert_class].every_seconds)
        told = _one(detector, replace(stretch, since=first, at=until), since, names)
        if told is None:
            break  # another worker looks
        found, since = found + told, until
    return found


def _ends(detector: Detector, since: datetime | None, at: datetime) -> list[datetime]:
    """When the looks of this round end: now, with as many before as a pause makes needed, or at the end of each period that
    is over."""
    if since is not None and at <= since:
        return []
    if not detector.is_periodic:
        return [*_before(detector, since, at), at]
    every = DEFAULTS[detector.alert_class].every_seconds
    last = int(at.timestamp()) // every
    first = last if since is None else max(int(since.timestamp()) // every + 1, last - MOST_MISSED + 1)
    return [datetime.fromtimestamp(number * every, UTC) for number in range(first, last + 1)]


def _before(detector: Detector, since: datetime | None, at: datetime) -> list[datetime]:
    """Windows that nobody looked into; they overlap by half, as rows are seen when their transaction has committed."""
    if since is None or detector.window is None or at - since <= detector.window:
        return []
    step = detector.window / 2
    last = (at - since) // step
    ends = [since + number * step for number in range(max(1, last - MOST_MISSED + 1), last + 1)]
    return [end for end in ends if end < at]


def _one(detector: Detector, stretch: Stretch, since: datetime | None, names: Mapping[uuid.UUID, str]) -> int | None:
    """One look; None where another was faster."""
    with staff_scope():
        rows = detector.read(stretch)
    with house_scope() as house:
        mark = _locked(house, detector.alert_class, stretch, since)
        if mark is None:
            return None
        around = Around(since=stretch.since, at=stretch.at, book=stretch.book, names=names, known=mark.known)
        seen = detector.see(rows, around)
        _write(house, detector, seen, stretch.book, stretch.at)
        mark.looked_until, mark.known = stretch.at, seen.known
        mark.save(update_fields=["looked_until", "known"])
        return len(seen.seen)


def _locked(house: uuid.UUID, alert_class: AlertClass, stretch: Stretch, since: datetime | None) -> DetectorMark | None:
    """The mark, if it is still where this round found it."""
    if since is None:
        DetectorMark.objects.bulk_create(
            [DetectorMark(tenant_id=house, detector=alert_class, looked_until=stretch.since)], ignore_conflicts=True
        )
        since = stretch.since
    mark = DetectorMark.objects.select_for_update().get(tenant_id=house, detector=alert_class)
    return mark if mark.looked_until == since else None


def _write(house: uuid.UUID, detector: Detector, looked: Look, book: RuleBook, at: datetime) -> None:
    still = set(looked.still)
    for seen in looked.seen:
        setting = book.setting(detector.alert_class, seen.about_tenant, seen.agent)
        if not setting.is_on:
            continue
        told: Seen = seen if setting.severity is None else replace(seen, severity=setting.severity)
        alerts.raise_alert(tenant=house, seen=told, at=at, cooldown_seconds=setting.cooldown_seconds)
        still.add(told.fingerprint)
    alerts.calm_alerts(tenant=house, alert_class=detector.alert_class, still=still, period=at, at=at)

    def cooldown(alert: Alert) -> int | None:
        setting = book.setting(detector.alert_class, alert.about_tenant, alert.agent)
        return setting.cooldown_seconds if setting.is_on else None

    alerts.tell_cooled(tenant=house, alert_class=detector.alert_class, cooldown=cooldown, at=at)


def _usual(house: uuid.UUID) -> Usual:
    rows = AgentUsual.objects.filter(tenant_id=house)
    return {
        (about, agent): (runs, steps, tokens, median)
        for about, agent, runs, steps, tokens, median in rows.values_list(
            "about_tenant", "agent", "runs", "steps_p99", "tokens_p99", "tokens_p50"
        )
    }
