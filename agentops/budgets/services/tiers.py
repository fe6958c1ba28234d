"""Organisations that are about to outgrow their plan: their success manager is told before they do."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.conf import settings

from agentops.budgets import alarms
from agentops.budgets.models import Finding
from agentops.budgets.plans import PLAN_LIMITS
from agentops.budgets.policies import bounds, start_of
from agentops.budgets.queries.calendar import calendar
from agentops.budgets.queries.sums import sums, total
from agentops.budgets.services.findings import end_finding, note_finding
from agentops.budgets.types import PLAN_FORECAST, PLAN_NEAR, Period, Scope
from agentops.common import scope
from agentops.common.money import dollars_text
from agentops.outbox import services as outbox
from tenants import queries as tenants

TEMPLATE = "budgets/mail/tier.txt"
_NEXT_PLAN = {"free": "pro", "pro": "enterprise"}


@dataclass(frozen=True, slots=True)
class MonthSoFar:
    """An organisation's month by its own calendar."""

    start: date
    spent_nano_usd: int
    before: list[int]  # the whole days before today, the latest first
    day: int  # of the month
    days_left: int  # after today


def watch_tier(*, tenant: uuid.UUID, plan: str, at: datetime) -> list[str]:
    """Note what is near, or will be passed, and tell the success manager once a month of each; answers what is new."""
    scope.require_tenant(tenant)
    tier, month = PLAN_LIMITS[plan][Scope.TENANT], month_so_far(tenant=tenant, at=at)
    near = alarms.plan_is_near(month.spent_nano_usd, tier)
    passes = alarms.plan_will_pass(
        month.spent_nano_usd, tier, before=month.before, day_of_month=month.day, days_left=month.days_left
    )
    found = []
    for kind, excess in ((PLAN_NEAR, near), (PLAN_FORECAST, passes)):
        if _note(tenant, kind, plan, month, excess, at):
            found.append(kind)
    return found


def month_so_far(*, tenant: uuid.UUID, at: datetime) -> MonthSoFar:
    """What the organisation spent this month, and on the days before today."""
    zone = calendar(tenant=tenant)
    start, end = bounds(Period.MONTH, at, zone)
    today, last = at.astimezone(zone).date(), end.astimezone(zone).date() - timedelta(days=1)
    first = today - timedelta(days=alarms.DAYS_LOOKED_AT)
    by_day = {
        row.day: row.amount_nano_usd
        for row in sums(tenant=tenant, since=start_of(first, zone), until=start_of(today, zone), by=("day",))
    }
    return MonthSoFar(
        start=start.astimezone(zone).date(),
        spent_nano_usd=total(tenant=tenant, since=start, until=end).amount_nano_usd,
        before=[by_day.get(today - timedelta(days=ago), 0) for ago in range(1, alarms.DAYS_LOOKED_AT + 1)],
        day=today.day,
        days_left=(last - today).days,
    )


def _note(
    tenant: uuid.UUID, kind: str, plan: str, month: MonthSoFar, excess: alarms.Excess | None, at: datetime
) -> bool:
    fingerprint = f"{month.start:%Y-%m}"
    for found in Finding.objects.filter(tenant_id=tenant, kind=kind, ended_at__isnull=True):
        if excess is None or found.fingerprint != fingerprint:
            end_finding(tenant=tenant, kind=kind, fingerprint=found.fingerprint, at=at)
    if excess is None:
        return False
    detail = _sentence(kind, plan, month, excess)
    data = {"amount_nano_usd": excess.amount_nano_usd, "bound_nano_usd": excess.bound_nano_usd, "plan": plan}
    is_new = note_finding(tenant=tenant, kind=kind, fingerprint=fingerprint, detail=detail, data=data, at=at)
    _tell(tenant, kind, plan, fingerprint, detail)
    return is_new


def _sentence(kind: str, plan: str, month: MonthSoFar, excess: alarms.Excess) -> str:
    tier = dollars_text(excess.baseline_nano_usd)
    if kind == PLAN_NEAR:
        percent = excess.amount_nano_usd * 100 // excess.baseline_nano_usd
        return f"{dollars_text(excess.amount_nano_usd)} of the {tier} that the {plan} plan gives for {month.start:%B} are used: {percent} %"
    return (
        f"At the pace of the last {alarms.baseline_days(month.before)} days, {month.start:%B} ends at {dollars_text(excess.amount_nano_usd)}; "
        f"the {plan} plan gives {tier}"
    )


def _tell(tenant: uuid.UUID, kind: str, plan: str, fingerprint: str, detail: str) -> None:
    """Once a month for each kind; where nobody looks after the organisation yet, as soon as somebody does."""
    manager = tenants.success_manager_of(tenant)
    if manager is None:
        return
    organisation = tenants.tenants_by_id([tenant])[tenant]
    outbox.send(
        tenant=tenant,
        channel="mail",
        destination=manager.email,
        template=TEMPLATE,
        context={
            "organisation": organisation.name,
            "detail": detail,
            "is_forecast": kind == PLAN_FORECAST,
            "next_plan": _NEXT_PLAN.get(plan, ""),
            "link": f"{settings.PUBLIC_URL}/staff/t/{organisation.slug}/spend/",
        },
        dedup_key=f"budgets-tier:{kind}:{fingerprint}",
    )
