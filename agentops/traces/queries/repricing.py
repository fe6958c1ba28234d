"""What pricing a period anew would do, before anybody asks for it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from agentops.budgets import queries as money
from agentops.budgets.types import CallKey
from agentops.traces import anew

LOOKED_AT_MOST = 10_000  # calls; a page waits for it
_CHUNK = 1_000


@dataclass(slots=True)
class ModelPreview:
    """The calls of one model that would change."""

    provider: str
    model: str
    calls: int = 0
    was_nano_usd: int = 0
    will_be_nano_usd: int = 0
    get_a_price: int = 0
    lose_their_price: int = 0

    @property
    def dearer_nano_usd(self) -> int:
        return self.will_be_nano_usd - self.was_nano_usd


@dataclass(frozen=True, slots=True)
class Preview:
    """What would change of the calls that were looked at: all of the period, or its first LOOKED_AT_MOST."""

    looked_at: int
    is_all: bool
    models: Sequence[ModelPreview]  # those with the largest change first

    @property
    def calls(self) -> int:
        return sum(one.calls for one in self.models)

    @property
    def dearer_nano_usd(self) -> int:
        return sum(one.dearer_nano_usd for one in self.models)

    @property
    def is_worth_it(self) -> bool:
        """May anything change? Of calls that were not looked at, nobody knows."""
        return bool(self.models) or not self.is_all

    @property
    def cheaper_nano_usd(self) -> int:
        return -self.dearer_nano_usd


def preview_repricing(*, tenant: uuid.UUID, since: datetime, until: datetime) -> Preview:
    """Price the calls of a period by the book of now, and change nothing."""
    book = money.overrides(tenant=tenant, since=since)
    models: dict[tuple[str, str], ModelPreview] = {}
    looked_at, after = 0, None
    while True:
        keys = money.next_calls(tenant=tenant, since=since, until=until, after=after, most=_CHUNK)
        calls = money.charged_calls(tenant=tenant, keys=keys)
        for one in anew.changes(tenant=tenant, calls=calls, days=_days(tenant, keys), book=book):
            named = (one.call.provider, one.call.model)
            of = models.setdefault(named, ModelPreview(*named))
            of.calls += 1
            of.was_nano_usd += one.call.amount_nano_usd or 0
            of.will_be_nano_usd += one.amount_nano_usd or 0
            of.get_a_price += one.call.amount_nano_usd is None
            of.lose_their_price += one.amount_nano_usd is None
        looked_at += len(calls)
        if len(keys) < _CHUNK or looked_at >= LOOKED_AT_MOST:
            ordered = sorted(models.values(), key=lambda of: (-abs(of.dearer_nano_usd), of.model, of.provider))
            return Preview(looked_at, len(keys) < _CHUNK, ordered)
        after = keys[-1]


def _days(tenant: uuid.UUID, keys: Sequence[CallKey]) -> dict[uuid.UUID, date]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT run_id, day FROM traces_run WHERE tenant_id = %s AND run_id = ANY(%s)",
            [tenant, list({key.run_id for key in keys})],
        )
        return dict(cursor.fetchall())
