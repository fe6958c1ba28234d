"""Spend by the minute, and the minutes that are far above the hour before them: in an organisation's agent, and in all.

A minute is what its calls cost by the ledger, and what those hold that were reserved in it and are not settled. So a
spike is seen while its calls are under way.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.budgets import alarms
from agentops.budgets.models import Finding, ProductFinding, SpendMinute
from agentops.budgets.services import findings
from agentops.budgets.types import MINUTE_SPIKE, MINUTES_KEPT
from agentops.common import scope
from agentops.common.money import NANO, dollars_text

LOOK_BACK = 2  # whole minutes before the present one that are looked at: observed spans come late
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_ADD_UP = """
WITH calls AS (
    SELECT date_trunc('minute', occurred_at, 'UTC') AS minute, agent,
        CASE kind WHEN 2 THEN -1 WHEN 4 THEN 0 ELSE 1 END AS calls, amount_nano_usd AS amount
    FROM budgets_ledgerentry WHERE tenant_id = %(tenant)s AND occurred_at >= %(since)s AND occurred_at < %(until)s
    UNION ALL
    SELECT date_trunc('minute', reserved_at, 'UTC'), agent, 1, hold_nano_usd FROM budgets_reservation
    WHERE tenant_id = %(tenant)s AND state = 'held' AND reserved_at >= %(since)s AND reserved_at < %(until)s
)
INSERT INTO budgets_spendminute (tenant_id, minute, agent, calls, amount_nano_usd)
SELECT %(tenant)s, minute, agent, sum(calls), sum(amount) FROM calls GROUP BY minute, agent
ON CONFLICT (tenant_id, minute, agent) DO UPDATE
SET calls = excluded.calls, amount_nano_usd = excluded.amount_nano_usd
"""
# A minute whose only calls were held, and were released, has none any more.
_EMPTY = """
DELETE FROM budgets_spendminute WHERE tenant_id = %(tenant)s AND (minute < %(forget)s OR (minute >= %(since)s AND minute < %(until)s))
"""


@dataclass(frozen=True, slots=True)
class Hour:
    """The minutes of one agent, or of all, before a moment: the latest few, and what there was before them."""

    latest: list[int]  # the present minute, then those before it
    before_nano_usd: int  # of the 60 minutes before those
    known_for: timedelta  # since the first minute that is kept


def add_up_minutes(*, tenant: uuid.UUID, minutes: int, at: datetime) -> None:
    """Add the present minute and some before it up anew, from the ledger and what is held; forget what is old."""
    scope.require_tenant(tenant)
    now = _minute(at)
    params: dict[str, Any] = {
        "tenant": tenant,
        "since": now - minutes * _MINUTE,
        "until": now + _MINUTE,
        "forget": now - MINUTES_KEPT,
    }
    with connection.cursor() as cursor:
        cursor.execute(_EMPTY, params)
        cursor.execute(_ADD_UP, params)


def watch_minutes(*, tenant: uuid.UUID, at: datetime) -> list[str]:
    """Find the agents whose minute is far above their hour before; answers those that were not known yet."""
    scope.require_tenant(tenant)
    rows = SpendMinute.objects.filter(tenant_id=tenant, minute__gte=_minute(at) - MINUTES_KEPT)
    by_agent: dict[str, dict[datetime, int]] = defaultdict(dict)
    for agent, minute, amount in rows.values_list("agent", "minute", "amount_nano_usd"):
        by_agent[agent][minute] = amount
    found = {
        each.fingerprint: each
        for each in Finding.objects.filter(tenant_id=tenant, kind=MINUTE_SPIKE, ended_at__isnull=True)
    }
    new = []
    for agent in sorted({*by_agent, *found}):
        is_open = found.get(agent[:200])
        detail, data = _look(by_agent.get(agent, {}), is_open, at, f"{agent or 'An unnamed agent'} costs")
        if detail and findings.note_finding(
            tenant=tenant, kind=MINUTE_SPIKE, fingerprint=agent, detail=detail, data=data, at=at
        ):
            new.append(agent)
        elif is_open and not detail and _is_calm(by_agent.get(agent, {}), is_open, at):
            findings.end_finding(tenant=tenant, kind=MINUTE_SPIKE, fingerprint=agent, at=at)
    return new


def watch_product_minutes(*, minutes: Mapping[datetime, int], at: datetime) -> bool:
    """The same over all organisations; True where a spike was not known yet."""
    is_open = ProductFinding.objects.filter(kind=MINUTE_SPIKE, fingerprint="", ended_at__isnull=True).first()
    detail, data = _look(minutes, is_open, at, "All organisations together cost")
    if detail:
        return findings.note_product_finding(kind=MINUTE_SPIKE, fingerprint="", detail=detail, data=data, at=at)
    if is_open and _is_calm(minutes, is_open, at):
        findings.end_product_finding(kind=MINUTE_SPIKE, fingerprint="", at=at)
    return False


# -- what is usual ----------------------------------------------------------------------------------------------------


def _look(
    minutes: Mapping[datetime, int], is_open: Finding | ProductFinding | None, at: datetime, subject: str
) -> tuple[str, dict[str, Any]]:
    """The sentence and the figures of a spike; "" where there is none."""
    hour = hour_before(minutes, at)
    bound, baseline = _bound(hour, is_open, at)
    excess = alarms.spike(hour.latest, bound=bound, hour_nano_usd=baseline)
    if excess is None:
        return "", {}
    usual = "less than a cent"
    if excess.baseline_nano_usd >= NANO // 100:
        usual = dollars_text(excess.baseline_nano_usd)
    detail = f"{subject} {dollars_text(excess.amount_nano_usd)} in a minute; usual is {usual}, and {dollars_text(bound)} is the bound"
    spent = sum(hour.latest) if is_open is None else _since(minutes, is_open.found_at - LOOK_BACK * _MINUTE)
    data = {"amount_nano_usd": excess.amount_nano_usd, "spent_nano_usd": spent}
    if is_open is None:
        data |= {"bound_nano_usd": bound, "hour_nano_usd": baseline}
    elif at - is_open.found_at >= alarms.NEW_USUAL:
        data |= {"bound_nano_usd": bound}
    return detail, data


def _bound(hour: Hour, is_open: Finding | ProductFinding | None, at: datetime) -> tuple[int, int]:
    """While a spike is open, its bound stays that of the hour before it: else it would become what is usual."""
    if is_open is not None and at - is_open.found_at < alarms.NEW_USUAL:
        return int(is_open.data["bound_nano_usd"]), int(is_open.data["hour_nano_usd"])
    return alarms.spike_bound(hour.before_nano_usd, known_for=hour.known_for), hour.before_nano_usd


def hour_before(minutes: Mapping[datetime, int], at: datetime) -> Hour:
    """The latest minutes, and the hour before them, of amounts by minute."""
    now = _minute(at)
    oldest = now - LOOK_BACK * _MINUTE
    return Hour(
        latest=[minutes.get(now - back * _MINUTE, 0) for back in range(LOOK_BACK + 1)],
        before_nano_usd=sum(amount for minute, amount in minutes.items() if oldest - _HOUR <= minute < oldest),
        known_for=oldest - min(minutes, default=oldest),
    )


def _is_calm(minutes: Mapping[datetime, int], is_open: Finding | ProductFinding, at: datetime) -> bool:
    """Were the last whole minutes all below the bound?"""
    now, bound = _minute(at), int(is_open.data["bound_nano_usd"])
    return all(minutes.get(now - back * _MINUTE, 0) <= bound for back in range(alarms.CALM_MINUTES + 1))


def _since(minutes: Mapping[datetime, int], since: datetime) -> int:
    return sum(amount for minute, amount in minutes.items() if minute >= _minute(since))


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
