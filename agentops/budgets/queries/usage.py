"""Reads of the ledger's sums. Names are those of the table, kept by the ledger's writers."""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import orjson
from django.db import connection
from django.db.models import Max, Sum

from agentops.budgets.models import UsageHour
from agentops.budgets.queries.sums import ADDED, Only, SumRow, source
from agentops.budgets.types import SUMS
from agentops.common.errors import InputProblem, InvalidInput


@dataclass(frozen=True, slots=True)
class UnpricedModel:
    """A model that was called without a price: its spend is unknown, not zero."""

    provider: str
    model: str
    calls: int
    last_hour: datetime


@dataclass(frozen=True, slots=True)
class Spend:
    """Sums over a time; `amount_nano_usd` leaves out the unpriced calls."""

    calls: int
    unpriced_calls: int
    amount_nano_usd: int


def unpriced_models(*, tenant: uuid.UUID, since: datetime) -> list[UnpricedModel]:
    """Models without a price, the most called first."""
    rows = (
        UsageHour.objects.filter(tenant_id=tenant, hour__gte=since, unpriced_calls__gt=0)
        .values("provider", "model")
        .annotate(sum_calls=Sum("unpriced_calls"), last=Max("hour"))
        .order_by("-sum_calls", "provider", "model")
    )
    return [UnpricedModel(row["provider"], row["model"], row["sum_calls"], row["last"]) for row in rows]


def spend(*, tenant: uuid.UUID, since: datetime, user_id: str | None = None) -> Spend:
    """What model calls cost since a time (cut to the hour), for one end user or all."""
    rows = UsageHour.objects.filter(tenant_id=tenant, hour__gt=since - timedelta(hours=1))
    if user_id is not None:
        rows = rows.filter(user_id=user_id)
    found = rows.aggregate(calls=Sum("calls"), unpriced=Sum("unpriced_calls"), amount=Sum("amount_nano_usd"))
    return Spend(found["calls"] or 0, found["unpriced"] or 0, int(found["amount"] or 0))


# -- rows ------------------------------------------------------------------------------------------------------------

_NOT_OURS = InputProblem("/cursor", "cursor_invalid", "use the 'next' address as it was given")
_KEY = ("hour", "agent", "user_id", "provider", "model")
_SUMS = (
    "calls", "unpriced_calls", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "amount_nano_usd",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageFilter:
    """Which hours, users, agents and models; "" is any. Times are cut to the hour."""

    since: datetime | None = None
    until: datetime | None = None
    agent: str = ""
    user: str = ""
    provider: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """The model calls of one hour by one agent for one user with one model."""

    hour: datetime
    agent: str
    user_id: str
    provider: str
    model: str
    calls: int
    unpriced_calls: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    amount_nano_usd: int


@dataclass(frozen=True, slots=True)
class UsageCursor:
    """A place in the list: the key of its last row."""

    hour: datetime
    names: tuple[str, str, str, str]

    def encode(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([int(self.hour.timestamp()), *self.names])).decode()

    @classmethod
    def decode(cls, text: str) -> UsageCursor:
        """Raises InvalidInput for what is no cursor of ours."""
        try:
            seconds, *names = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
            agent, user, provider, model = names
            if not all(isinstance(name, str) and "\0" not in name for name in names) or type(seconds) is not int:
                raise ValueError
            return cls(datetime.fromtimestamp(seconds, UTC), (agent, user, provider, model))
        except (ValueError, TypeError, OverflowError, OSError, binascii.Error) as error:
            raise InvalidInput("the cursor is not one that this list gave out", problems=(_NOT_OURS,)) from error


@dataclass(frozen=True, slots=True)
class UsagePage:
    rows: list[UsageRow]
    next: UsageCursor | None


@dataclass(frozen=True, slots=True)
class UsageDayCursor:
    """A place in the list by day."""

    day: date
    names: tuple[str, str, str, str]

    def encode(self) -> str:
        return base64.urlsafe_b64encode(orjson.dumps([self.day.isoformat(), *self.names])).decode()

    @classmethod
    def decode(cls, text: str) -> UsageDayCursor:
        """Raises InvalidInput for what is no cursor of ours."""
        try:
            day, *names = orjson.loads(base64.b64decode(text, altchars=b"-_", validate=True))
            agent, user, provider, model = names
            if not all(isinstance(name, str) and "\0" not in name for name in names):
                raise ValueError
            return cls(date.fromisoformat(day), (agent, user, provider, model))
        except (ValueError, TypeError, binascii.Error) as error:
            raise InvalidInput("the cursor is not one that this list gave out", problems=(_NOT_OURS,)) from error


@dataclass(frozen=True, slots=True)
class UsageDayPage:
    rows: list[SumRow]
    next: UsageDayCursor | None


def usage_day_page(
    *, tenant: uuid.UUID, only: UsageFilter, since: datetime, until: datetime, cursor: UsageDayCursor | None, limit: int
) -> UsageDayPage:
    """The same by day of the organisation's calendar, the newest day first; the same numbers as `sums` gives."""
    by = ("day", *_KEY[1:])
    wanted = Only(
        agent=only.agent or None,
        users=[only.user] if only.user else None,
        provider=only.provider or None,
        model=only.model or None,
    )
    rows = source(tenant=tenant, since=since, until=until, by=by, only=wanted)
    where, params = "", list(rows.params)
    if cursor is not None:
        where = "WHERE day < %s OR (day = %s AND (agent, user_id, provider, model) > (%s, %s, %s, %s))"
        params += [cursor.day, cursor.day, *cursor.names]
    names = ", ".join(by)
    with connection.cursor() as db:
        db.execute(
            f"SELECT {names}, {ADDED} FROM ({rows.sql}) s {where} GROUP BY {names} "  # noqa: S608
            "ORDER BY day DESC, agent, user_id, provider, model LIMIT %s",
            [*params, limit + 1],
        )
        found = [SumRow(**dict(zip((*by, *SUMS), row, strict=True))) for row in db.fetchall()]
    if len(found) <= limit:
        return UsageDayPage(found, None)
    last = found[limit - 1]
    assert last.day
    return UsageDayPage(found[:limit], UsageDayCursor(last.day, (last.agent, last.user_id, last.provider, last.model)))


def usage_page(*, tenant: uuid.UUID, only: UsageFilter, cursor: UsageCursor | None, limit: int) -> UsagePage:
    """Hourly sums, the newest hour first, then by agent, user, provider and model."""
    wheres: list[str] = ["tenant_id = %s"]
    params: list[Any] = [tenant]
    bounds: list[tuple[str, Any]] = [
        ("hour > %s::timestamptz - interval '1 hour'", only.since),
        ("hour < %s", only.until),
        ("agent = %s", only.agent),
        ("user_id = %s", only.user),
        ("provider = %s", only.provider),
        ("model = %s", only.model),
    ]
    for where, value in bounds:
        if value:
            wheres.append(where)
            params.append(value)
    if cursor is not None:
        wheres.append("(hour < %s OR (hour = %s AND (agent, user_id, provider, model) > (%s, %s, %s, %s)))")
        params += [cursor.hour, cursor.hour, *cursor.names]
    with connection.cursor() as db:
        db.execute(
            f"SELECT {', '.join((*_KEY, *_SUMS))} FROM budgets_usagehour WHERE {' AND '.join(wheres)} "  # noqa: S608
            "ORDER BY hour DESC, agent, user_id, provider, model LIMIT %s",
            [*params, limit + 1],
        )
        rows = [UsageRow(**dict(zip((*_KEY, *_SUMS), row, strict=True))) for row in db.fetchall()]
    if len(rows) <= limit:
        return UsagePage(rows, None)
    last = rows[limit - 1]
    return UsagePage(rows[:limit], UsageCursor(last.hour, (last.agent, last.user_id, last.provider, last.model)))
