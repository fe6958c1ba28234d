"""A look of a detector opens an alert, is one more look at it, or opens it anew; calm periods end it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F

from agentops.common import scope
from audit.types import SYSTEM
from incidents.detecting import policy
from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.policy import Because, Joins, Paged
from incidents.detecting.seen import SampleRun, Seen
from incidents.models import Alert, AlertOccurrence
from incidents.services.alerts import changes
from incidents.types import OPEN_ALERT, AlertClass, AlertStatus, PageAction

_TRIES = 8
_SUMMARY = 500
_LOOKS_KEPT = timedelta(days=90)
_WORSE = (Because.SEVERITY, Because.TENANT, Because.RATE)


def raise_alert(*, tenant: uuid.UUID, seen: Seen, at: datetime, cooldown_seconds: int | None = None) -> Alert:
    """Make what a detector saw an alert, or one more look at the one that is open; page where that is worth a page.

    One is open per fingerprint, however many look at once: whoever comes second finds the other's row and joins it.
    `cooldown_seconds` is that of a rule, else the class's own.
    """
    scope.require_tenant(tenant)
    for _ in range(_TRIES):
        latest = (
            Alert.objects.select_for_update()
            .filter(tenant_id=tenant, fingerprint=seen.fingerprint)
            .order_by("-opened_at", "-id")
            .first()
        )
        joins = policy.joins(
            is_open=None if latest is None else latest.status in OPEN_ALERT,
            resolved_at=latest.resolved_at if latest else None,
            at=at,
        )
        try:
            with transaction.atomic():
                if latest is None or joins is Joins.NEW:
                    alert = _opened(tenant, seen, at, latest)
                else:
                    alert = _looked_again(latest, seen, at, reopens=joins is Joins.REOPENS)
        except IntegrityError:
            continue  # between the look for it and its row, another look opened one: join that
        _note_look(alert, seen, at)
        if joins is not Joins.SAME:
            changes.record(f"alert.{'reopened' if joins is Joins.REOPENS else 'opened'}", alert, by=SYSTEM, at=at)
        default = DEFAULTS[seen.alert_class].cooldown_seconds
        _page_if_worth(alert, at, default if cooldown_seconds is None else cooldown_seconds)
        return alert
    raise RuntimeError("others opened and closed this alert again and again")


def calm_alerts(
    *, tenant: uuid.UUID, alert_class: AlertClass, still: set[str], period: datetime, at: datetime
) -> list[Alert]:
    """Count a period as calm for the open alerts of a class that were not seen in it; end those that were calm long
    enough, and answer them.

    `still` are the fingerprints that were seen; `period` is when it ended. An alert that was looked at after that is left
    alone: the period is older than what is known.
    """
    scope.require_tenant(tenant)
    unseen = Alert.objects.filter(
        tenant_id=tenant, alert_class=alert_class, status__in=OPEN_ALERT, last_seen_at__lte=period
    ).exclude(fingerprint__in=still)
    unseen.update(calm_periods=F("calm_periods") + 1)
    needed = DEFAULTS[alert_class].calm_periods
    over = [
        alert
        for alert in unseen.select_for_update().order_by("id")
        if policy.is_over(alert.calm_periods, needed=needed)
    ]
    for alert in over:
        changes.end(alert, by=SYSTEM, at=at)
    return over


def tell_cooled(
    *, tenant: uuid.UUID, alert_class: AlertClass, cooldown: Callable[[Alert], int | None], at: datetime
) -> int:
    """Page what came back within its cooldown and is still open after it, also where nothing was seen of it since: a run
    that ran away is seen once. `cooldown` is None where nobody is to be told. Answers how many were told.
    """
    scope.require_tenant(tenant)
    untold = Alert.objects.select_for_update().filter(
        tenant_id=tenant,
        alert_class=alert_class,
        status=AlertStatus.OPEN,
        paged_severity=None,
        paged_at__isnull=False,
    )
    told = 0
    for alert in untold.order_by("id"):
        seconds = cooldown(alert)
        told += seconds is not None and _page_if_worth(alert, at, seconds)
    return told


def forget_looks(*, tenant: uuid.UUID, at: datetime) -> int:
    """Delete looks that are too old to be shown; the alert keeps its count, peak and samples. Answers how many."""
    scope.require_tenant(tenant)
    deleted, _ = AlertOccurrence.objects.filter(tenant_id=tenant, at__lt=at - _LOOKS_KEPT).delete()
    return deleted


def _opened(tenant: uuid.UUID, seen: Seen, at: datetime, previous: Alert | None) -> Alert:
    return Alert.objects.create(
        tenant_id=tenant,
        fingerprint=seen.fingerprint,
        alert_class=seen.alert_class,
        scope_type=seen.scope_type,
        scope_id=seen.scope_id,
        about_tenant=seen.about_tenant,
        tenants=policy.joined([], _tenants(seen)),
        agent=seen.agent,
        agent_version=seen.agent_version,
        tool=seen.tool,
        model_route=seen.model_route,
        detector_major=seen.detector_major,
        severity=seen.severity,
        summary=seen.summary[:_SUMMARY],
        value=seen.value,
        threshold=seen.threshold,
        peak=seen.value,
        unit=seen.unit,
        data=seen.data,
        source=seen.source,
        sample_runs=policy.with_samples([], _samples(seen.runs)),
        first_seen_at=min(seen.since, at),
        opened_at=at,
        last_seen_at=at,
        previous=previous,
    )


def _looked_again(alert: Alert, seen: Seen, at: datetime, *, reopens: bool) -> Alert:
    if reopens:
        alert.status, alert.resolved_at, alert.resolved_by = AlertStatus.OPEN, None, ""
        alert.acknowledged_at, alert.acknowledged_by, alert.acknowledged_via = None, "", ""
        alert.verdict, alert.verdict_at, alert.verdict_by, alert.verdict_note = "", None, "", ""
        alert.reopened += 1
        alert.severity = seen.severity
    if reopens or seen.severity < alert.severity or seen.value >= alert.value:
        # The sentence tells of the worst, not of the way down.
        alert.summary, alert.data, alert.source = seen.summary[:_SUMMARY], seen.data, seen.source
    alert.severity = min(alert.severity, seen.severity)
    alert.value, alert.threshold, alert.peak = seen.value, seen.threshold, max(alert.peak, seen.value)
    alert.agent_version = seen.agent_version or alert.agent_version
    alert.tool = seen.tool or alert.tool
    alert.model_route = seen.model_route or alert.model_route
    alert.tenants = policy.joined(alert.tenants, _tenants(seen))
    alert.sample_runs = policy.with_samples(alert.sample_runs, _samples(seen.runs))
    alert.first_seen_at = min(alert.first_seen_at, seen.since)
    alert.last_seen_at = max(alert.last_seen_at, at)
    alert.repeats += 1
    alert.calm_periods = 0
    alert.save()
    return alert


def _note_look(alert: Alert, seen: Seen, at: datetime) -> None:
    if alert.repeats <= policy.MOST_OCCURRENCES:
        AlertOccurrence.objects.create(
            tenant_id=alert.tenant_id,
            alert=alert,
            at=at,
            value=seen.value,
            threshold=seen.threshold,
            detail=seen.summary[:_SUMMARY],
        )


def _page_if_worth(alert: Alert, at: datetime, cooldown_seconds: int) -> bool:
    """The number of the state, the page and what people were told are of one transaction."""
    because = policy.worth_a_page(
        Paged(severity=alert.paged_severity, value=alert.paged_value, tenants=alert.paged_tenants, at=alert.paged_at),
        severity=alert.severity,
        value=alert.value,
        tenants=len(alert.tenants),
        reopened=alert.reopened,
        cooldown_seconds=cooldown_seconds,
        at=at,
    )
    if because is None:
        return False
    if alert.paged_at is not None:  # the first page is of state 1
        alert.state_number += 1
    alert.paged_at, alert.paged_severity = at, alert.severity
    alert.paged_value, alert.paged_tenants = alert.value, len(alert.tenants)
    alert.save(update_fields=["state_number", "paged_at", "paged_severity", "paged_value", "paged_tenants"])
    if because in _WORSE:
        changes.record("alert.worsened", alert, by=SYSTEM, at=at, because=because.value)
    changes.page(alert, PageAction.TRIGGER, because, at=at)
    return True


def _tenants(seen: Seen) -> list[uuid.UUID]:
    return [*([seen.about_tenant] if seen.about_tenant else []), *(run.tenant for run in seen.runs)]


def _samples(runs: Sequence[SampleRun]) -> list[dict[str, object]]:
    return [
        {
            "tenant": str(each.tenant),
            "run": str(each.run),
            "step": each.step,
            "value": each.value,
            "at": each.at.astimezone(UTC).isoformat(timespec="microseconds"),  # one form, so that it sorts as the times
        }
        for each in runs
    ]
