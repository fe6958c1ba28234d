"""How far sweeps have read, row by row, in the order in which rows were written.

A sweep that has read all begins some time before that the next time: rows carry the time their transaction began with,
and commit later, so behind the mark there can be some that nobody has read. All that sweeps write is unique, so reading
twice changes nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from evals.models import Mark

OVERLAP = timedelta(minutes=2)
FIRST_LOOK_BACK = timedelta(days=7)  # of an organisation that no sweep has seen yet
M = TypeVar("M", bound=Model)


def since(tenant: uuid.UUID, sweep: str, at: datetime) -> tuple[datetime, uuid.UUID | None]:
    """From when on to read, and after which row of that time."""
    found = Mark.objects.filter(tenant_id=tenant, sweep=sweep).first()
    if found is None:
        return at - FIRST_LOOK_BACK, None
    return (found.at, found.last) if found.last else (found.at - OVERLAP, None)


def move(tenant: uuid.UUID, sweep: str, to: datetime, *, last: uuid.UUID | None = None) -> None:
    """Say how far it came: with `last` in the middle of a backlog, without it to the end."""
    Mark.objects.update_or_create(tenant_id=tenant, sweep=sweep, defaults={"at": to, "last": last})


def unread(
    rows: QuerySet[M], *, tenant: uuid.UUID, sweep: str, at: datetime, written: str, key: str, most: int
) -> tuple[Sequence[M], bool]:
    """The next rows of a queryset that a sweep has not read, by the time in `written` and the id in `key`; and whether more
    follow. The mark moves with them, in the same transaction as what comes of them."""
    begin, last = since(tenant, sweep, at)
    if last is None:
        rows = rows.filter(**{f"{written}__gte": begin})
    else:
        rows = rows.filter(Q(**{f"{written}__gt": begin}) | Q(**{written: begin, f"{key}__gt": last}))
    found = list(rows.order_by(written, key)[:most])
    if len(found) == most:
        move(tenant, sweep, getattr(found[-1], written), last=getattr(found[-1], key))
        return found, True
    move(tenant, sweep, at)
    return found, False
