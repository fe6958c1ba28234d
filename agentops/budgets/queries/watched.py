"""Reads of what is watched beyond one budget: minutes, findings, plans and revenue. Without a tenant: in staff's scope."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Sum

from agentops.budgets.models import Finding, ProductFinding, ProductPlan, Revenue
from agentops.budgets.types import MINUTE_SPIKE

LOOK = timedelta(minutes=10)  # how far back spend makes an organisation one to look at
_MINUTE = timedelta(minutes=1)
_WITH_SPEND = """
SELECT t.id FROM unnest(%(tenants)s::uuid[]) AS t (id) WHERE
    EXISTS (SELECT 1 FROM budgets_ledgerentry l WHERE l.tenant_id = t.id AND l.occurred_at >= %(since)s
        AND l.occurred_at < %(until)s)
    OR EXISTS (SELECT 1 FROM budgets_finding f WHERE f.tenant_id = t.id AND f.kind = %(kind)s AND f.ended_at IS NULL)
    OR EXISTS (SELECT 1 FROM budgets_reservation r WHERE r.tenant_id = t.id AND r.state = 'held'
        AND r.reserved_at >= %(since)s)
"""


def tenants_with_spend(*, tenants: Sequence[uuid.UUID], at: datetime) -> list[uuid.UUID]:
    """Which organisations to look at now, of these. Needs staff's scope."""
    params: dict[str, Any] = {
        "tenants": list(tenants),
        "since": at - LOOK,
        "until": at + _MINUTE,
        "kind": MINUTE_SPIKE,
    }
    with connection.cursor() as cursor:
        cursor.execute(_WITH_SPEND, params)
        return [row[0] for row in cursor.fetchall()]


def product_minutes(*, since: datetime, without: Iterable[uuid.UUID] = ()) -> dict[datetime, int]:
    """The minutes of all organisations but those `without`. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT minute, sum(amount_nano_usd)::int8 FROM budgets_spendminute WHERE minute >= %s AND tenant_id <> ALL(%s)"
            " GROUP BY minute",
            [since, list(without)],
        )
        return dict(cursor.fetchall())


def findings(*, tenant: uuid.UUID | None = None, only_open: bool = False, most: int = 100) -> list[Finding]:
    """Findings of one organisation, or of all: the open ones first, then the newest."""
    rows = Finding.objects.filter(ended_at__isnull=True) if only_open else Finding.objects.all()
    if tenant is not None:
        rows = rows.filter(tenant_id=tenant)
    return sorted(rows.order_by("-found_at", "-id")[:most], key=lambda found: found.ended_at is not None)


def spikes_between(*, since: datetime, until: datetime, most: int) -> list[Finding | ProductFinding]:
    """Minutes far above their hour that were found in a time, of all organisations and of the whole product."""
    found: list[Finding | ProductFinding] = []
    for model in (ProductFinding, Finding):
        rows = model.objects.filter(kind=MINUTE_SPIKE, found_at__gte=since, found_at__lt=until)
        found += rows.order_by("-found_at", "-id")[:most]
    return found[:most]


def product_findings(*, only_open: bool = False, most: int = 100) -> list[ProductFinding]:
    """The same of the whole product; for everybody."""
    rows = ProductFinding.objects.filter(ended_at__isnull=True) if only_open else ProductFinding.objects.all()
    return sorted(rows.order_by("-found_at", "-id")[:most], key=lambda found: found.ended_at is not None)


def week_plans() -> list[ProductPlan]:
    """What weeks were planned to cost, the latest first."""
    return list(ProductPlan.objects.order_by("-starts_on"))


def planned_week(*, day: date) -> int | None:
    """What the week of a day is planned to cost, in nano-dollars; None where nobody planned."""
    plan = ProductPlan.objects.filter(starts_on__lte=day).order_by("-starts_on").first()
    return plan.weekly_nano_usd if plan else None


def revenue_by_month(*, since: date, until: date) -> dict[tuple[uuid.UUID, date], int]:
    """What each organisation paid in each month, of all sources."""
    rows = Revenue.objects.filter(month__gte=since, month__lt=until).values("tenant_id", "month")
    found = rows.annotate(amount=Sum("amount_nano_usd")).order_by("tenant_id", "month")
    return {(row["tenant_id"], row["month"]): int(row["amount"]) for row in found}


def revenue_lines(*, tenant: uuid.UUID) -> list[Revenue]:
    """What one organisation paid, the latest month first."""
    return list(Revenue.objects.filter(tenant_id=tenant).order_by("-month", "source"))
