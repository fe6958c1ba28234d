"""What holds for one provider and model, one after the other: prices and discounts are put in, ended and taken back alike.

A row holds from `valid_from` until `valid_until`; None is open. One that holds for no time (both are the same) was replaced
or taken back, and stays to be seen.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import connection
from django.db.models import F, Q, QuerySet

from agentops.budgets.models import Discount, PriceOverride, Repricing
from agentops.budgets.queries.calendar import period_around
from agentops.budgets.types import Period
from agentops.common.errors import Conflict, InputProblem, InvalidInput

Row = TypeVar("Row", PriceOverride, Discount)
MOST = 2_000  # rows that hold now or later; each guarded call reads them
_YEAR = timedelta(days=366)
_BOOK_OF = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 12))"


def lock_book(tenant: uuid.UUID) -> None:
    """One at a time changes the book, or begins to price anew by it."""
    with connection.cursor() as cursor:
        cursor.execute(_BOOK_OF, [f"prices:{tenant}"])


def open_book(tenant: uuid.UUID) -> None:
    """Lock the book to change it. Raises Conflict while calls are priced anew by it: they are by one book, all of them."""
    lock_book(tenant)
    if Repricing.objects.filter(tenant_id=tenant, state__in=("planned", "running")).exists():
        raise Conflict("Calls are being priced anew by these prices. Wait until that is done, or stop it.")


def check_room(tenant: uuid.UUID, model: type[PriceOverride] | type[Discount], at: datetime) -> None:
    """Raises InvalidInput where as many as may hold do."""
    held = model.objects.filter(tenant_id=tenant).filter(Q(valid_until=None) | Q(valid_until__gt=at))
    if held[:MOST].count() >= MOST:
        raise InvalidInput(f"At most {MOST} prices, and as many discounts, may hold. End some first.")


def beginning(tenant: uuid.UUID, asked: datetime | None, at: datetime) -> datetime:
    """When something begins: as asked, else with the day. Raises InvalidInput for times that are a slip."""
    if asked is None:
        return period_around(tenant=tenant, period=Period.DAY, at=at)[0]
    if not at - 10 * _YEAR <= asked <= at + 5 * _YEAR:
        detail = "It begins within the last ten years or the next five."
        raise InvalidInput(detail, problems=(InputProblem("/valid_from", "range", detail),))
    return asked


def make_room(rows: QuerySet[Row], begins: datetime) -> datetime | None:
    """End what holds at a time, so that something new may begin there; answers when the next one begins, if any does."""
    lives = rows.exclude(valid_until=F("valid_from"))
    following = lives.filter(valid_from__gt=begins).order_by("valid_from").first()
    lives.filter(valid_from__lte=begins).filter(Q(valid_until=None) | Q(valid_until__gt=begins)).update(
        valid_until=begins
    )
    return following.valid_from if following else None


def end(row: Row, ends: datetime) -> None:
    """Let a row hold no longer than until a time. Raises InvalidInput where it does not hold then."""
    if not row.valid_from < ends or (row.valid_until is not None and row.valid_until <= ends):
        detail = "It ends after it began, and before it would end anyway."
        raise InvalidInput(detail, problems=(InputProblem("/valid_until", "range", detail),))
    row.valid_until = row.ended_at = ends
    row.save(update_fields=["valid_until", "ended_at"])


def take_back(rows: QuerySet[Row], row: Row) -> None:
    """It never held: what it ended holds on, as long as it would have without it. (What it replaced from its very beginning
    does not come back.)"""
    before = rows.exclude(id=row.id).exclude(valid_until=F("valid_from")).filter(valid_until=row.valid_from).first()
    until, row.valid_until = row.valid_until, row.valid_from
    row.save(update_fields=["valid_until"])
    if before is not None:
        ends = [end for end in (until, before.ended_at) if end is not None]
        before.valid_until = min(ends, default=None)
        before.save(update_fields=["valid_until"])
