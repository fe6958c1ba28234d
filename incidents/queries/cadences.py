"""Looks at days, weeks, months and quarters: what is due, what was signed, what one has to open."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from django.db.models import Count, F, Q

from agentops.common.errors import NotFound
from incidents.cadence_item import ItemKind, NewItem
from incidents.models import CadenceItem, CadenceReview
from incidents.policies import cadences as policy
from incidents.queries import cadence_items, cadence_items_long
from incidents.types import Cadence
from tenants.house import HOUSE_ID

_HISTORY = 6
_GATHER: dict[Cadence, Callable[[datetime, datetime], Iterator[NewItem]]] = {
    Cadence.DAILY: cadence_items.daily,
    Cadence.WEEKLY: cadence_items.weekly,
    Cadence.MONTHLY: cadence_items_long.monthly,
    Cadence.QUARTERLY: cadence_items_long.quarterly,
}


@dataclass(frozen=True, slots=True)
class Period:
    """A period, with its look if somebody opened one, and how far it is."""

    cadence: Cadence
    first: date
    last: date
    review: CadenceReview | None
    items: int = 0
    opened: int = 0
    is_missed: bool = False  # nobody began it, though one before it was

    @property
    def words(self) -> str:
        return policy.words(self.cadence, self.first)

    @property
    def is_signed(self) -> bool:
        return self.review is not None and self.review.signed_at is not None


def gather(cadence: Cadence, first: date, last: date) -> list[NewItem]:
    """What is to be looked at. In the staff scope; each once."""
    since, until = policy.moments(first, last)
    return list({(one.kind, one.subject): one for one in _GATHER[cadence](since, until)}.values())


def standing(*, at: datetime) -> dict[Cadence, list[Period]]:
    """For each cadence the period that is due and those before it, the latest first. In the house's scope, or staff's."""
    rows = CadenceReview.objects.filter(tenant_id=HOUSE_ID).annotate(
        item_count=Count("items"), opened_count=Count("items", filter=Q(items__opened_at__isnull=False))
    )
    found = {(one.cadence, one.period_start): one for one in rows.order_by("-period_start")[:200]}
    every: dict[Cadence, list[Period]] = {}
    for cadence in Cadence:
        due = policy.period_due(cadence, at.date())
        begun = min((start for of, start in found if of == cadence), default=due[0])
        every[cadence] = []
        for first, last in [due, *policy.periods_before(cadence, due[0], _HISTORY)]:
            row = found.get((cadence, first))
            items, opened = (row.item_count, row.opened_count) if row else (0, 0)
            is_missed = row is None and first > begun
            every[cadence].append(Period(cadence, first, last, row, items, opened, is_missed))
    return every


def overdue(*, at: datetime) -> list[Period]:
    """Periods that are due and not signed, for the dashboard."""
    return [periods[0] for periods in standing(at=at).values() if not periods[0].is_signed]


def review_of(review: uuid.UUID) -> CadenceReview:
    """Raises NotFound."""
    found = CadenceReview.objects.filter(tenant_id=HOUSE_ID, id=review).first()
    if found is None:
        raise NotFound("There is no such look.")
    return found


def item_of(item: uuid.UUID) -> CadenceItem:
    """Raises NotFound."""
    found = CadenceItem.objects.filter(tenant_id=HOUSE_ID, id=item).select_related("review").first()
    if found is None:
        raise NotFound("There is no such item.")
    return found


def items_of(review: uuid.UUID) -> list[tuple[str, list[CadenceItem]]]:
    """By kind, in the order in which they were frozen."""
    rows = CadenceItem.objects.filter(tenant_id=HOUSE_ID, review_id=review).order_by(F("position"), "id")
    groups: dict[str, list[CadenceItem]] = {}
    for row in rows:
        groups.setdefault(row.kind, []).append(row)
    labels = dict(ItemKind.choices)
    return [(str(labels.get(kind, kind)), items) for kind, items in groups.items()]
