"""The health of ingest: what came, how late, what was refused, and what nobody understood."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, Sum

from agentops.budgets import queries as budgets
from agentops.budgets.prices import price
from agentops.budgets.queries import UnpricedModel
from agentops.common.cursors import Cursor
from agentops.traces.models import DeadLetter, IngestMinute, Run, UnmappedKey
from agentops.traces.models.ingest import DeadLetterState

WINDOW = timedelta(hours=24)
RATE_WINDOW = timedelta(minutes=5)
LETTERS_PAGE = 25
KEYS_MOST = 100
MODELS_MOST = 20
UNPRICED_DAYS = 7


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Calls of a model that have no cost. Where it has a price now, they named no tokens, or came before the price."""

    of: UnpricedModel
    has_price: bool


@dataclass(frozen=True, slots=True)
class Health:
    """Figures of the last 24 hours, and the minutes of the last one (oldest first) for the chart."""

    spans_per_second: float
    accepted: int
    duplicates: int
    rejected: int
    lag_ms_mean: float | None
    lag_ms_max: int
    last_at: datetime | None
    minutes: list[IngestMinute]
    open_runs: int
    unmapped: list[UnmappedKey]
    unpriced: list[Unpriced]  # the most called first, at most MODELS_MOST
    unpriced_left_out: int
    new_letters: int


@dataclass(frozen=True, slots=True)
class LetterPage:
    letters: list[DeadLetter]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class TenantIngest:
    """One tenant's last 24 hours, for staff."""

    tenant_id: uuid.UUID
    accepted: int
    duplicates: int
    rejected: int
    lag_ms_max: int
    last_at: datetime


def ingest_health(*, tenant: uuid.UUID, at: datetime) -> Health:
    """Everything the page shows but the dead letters themselves."""
    unpriced = budgets.unpriced_models(tenant=tenant, since=at - timedelta(days=UNPRICED_DAYS))
    minutes = IngestMinute.objects.filter(tenant_id=tenant)
    day = minutes.filter(minute__gte=at - WINDOW).aggregate(
        accepted=Sum("accepted"),
        duplicates=Sum("duplicates"),
        rejected=Sum("rejected"),
        lag=Sum("lag_ms_sum"),
        lag_max=Max("lag_ms_max"),
    )
    lately = minutes.filter(minute__gte=at - RATE_WINDOW).aggregate(accepted=Sum("accepted"))["accepted"] or 0
    accepted = day["accepted"] or 0
    return Health(
        spans_per_second=lately / RATE_WINDOW.total_seconds(),
        accepted=accepted,
        duplicates=day["duplicates"] or 0,
        rejected=day["rejected"] or 0,
        lag_ms_mean=day["lag"] / accepted if accepted else None,
        lag_ms_max=day["lag_max"] or 0,
        last_at=minutes.aggregate(last=Max("minute"))["last"],
        minutes=list(minutes.filter(minute__gte=at - timedelta(hours=1)).order_by("minute")),
        open_runs=Run.objects.filter(tenant_id=tenant, finalised_at__isnull=True)[:1001].count(),
        unmapped=list(UnmappedKey.objects.filter(tenant_id=tenant).order_by("-last_seen_at", "name")[:KEYS_MOST]),
        unpriced=_with_reasons(tenant, unpriced[:MODELS_MOST], at),
        unpriced_left_out=len(unpriced[MODELS_MOST:]),
        new_letters=DeadLetter.objects.filter(tenant_id=tenant, state=DeadLetterState.NEW)[:1001].count(),
    )


def _with_reasons(tenant: uuid.UUID, models: list[UnpricedModel], at: datetime) -> list[Unpriced]:
    overrides = budgets.overrides(tenant=tenant)
    priced = (
        price(one.provider, one.model, input=1, output=1, cache_read=None, cache_write=None, reasoning=None, at=at,
              overrides=overrides)
        for one in models
    )  # fmt: skip
    return [Unpriced(one, found.nano_usd is not None) for one, found in zip(models, priced, strict=True)]


def dead_letters(*, tenant: uuid.UUID, cursor: Cursor | None) -> LetterPage:
    """New dead letters, the latest first."""
    rows = DeadLetter.objects.filter(tenant_id=tenant, state=DeadLetterState.NEW)
    if cursor is not None:
        rows = rows.filter(received_at__lte=cursor.at).exclude(received_at=cursor.at, id__gte=cursor.id)
    found = list(rows.order_by("-received_at", "-id")[: LETTERS_PAGE + 1])
    shown = found[:LETTERS_PAGE]
    more = Cursor(at=shown[-1].received_at, id=shown[-1].id) if len(found) > LETTERS_PAGE else None
    return LetterPage(letters=shown, next=more)


def ingest_by_tenant(*, at: datetime) -> list[TenantIngest]:
    """Each tenant's last 24 hours, the busiest first. Needs staff's scope."""
    rows = (
        IngestMinute.objects.filter(minute__gte=at - WINDOW)
        .values("tenant_id")
        .annotate(
            sum_accepted=Sum("accepted"),
            sum_duplicates=Sum("duplicates"),
            sum_rejected=Sum("rejected"),
            lag=Max("lag_ms_max"),
            last=Max("minute"),
        )
        .order_by("-sum_accepted", "tenant_id")
    )
    return [
        TenantIngest(
            tenant_id=row["tenant_id"],
            accepted=row["sum_accepted"],
            duplicates=row["sum_duplicates"],
            rejected=row["sum_rejected"],
            lag_ms_max=row["lag"],
            last_at=row["last"],
        )
        for row in rows
    ]
