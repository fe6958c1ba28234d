"""The dashboard's one snapshot: measured by beat, read by everybody who looks, however many they are.

It lies in the cache as one row of plain values. Losing it loses nothing: the next round measures anew.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache

from agentops.common.scope import staff_scope
from incidents.queries import dashboard
from incidents.queries import needs as needed
from incidents.queries.dashboard import HourFigures, Present
from incidents.queries.needs import Need, Needs

EVERY_SECONDS = 10
HOURS_EVERY = timedelta(seconds=55)  # sixty minutes change slowly; they are added up once a minute
STALE = timedelta(seconds=60)
_KEY, _FORM = "operations-dashboard", 1
_WEEK = timedelta(days=7)
_KEPT_SECONDS = 7 * 86_400


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`now` and `week_ago` are the sixty minutes before `hours_at`, and the same ones a week before."""

    at: datetime
    hours_at: datetime
    now: HourFigures
    week_ago: HourFigures
    present: Present
    needs: Needs

    def is_stale(self, at: datetime) -> bool:
        return at - self.at > STALE


def take(*, at: datetime) -> Snapshot:
    """Measure and keep. Two at once only measure twice."""
    before = latest()
    with staff_scope():
        tenants = dashboard.customers()
        if before is not None and timedelta(0) <= at - before.hours_at < HOURS_EVERY:
            hours_at, now, week_ago = before.hours_at, before.now, before.week_ago
        else:
            hours_at = at
            now = dashboard.hour_before(tenants=tenants, until=at)
            week_ago = dashboard.hour_before(tenants=tenants, until=at - _WEEK)
        taken = Snapshot(
            at=at,
            hours_at=hours_at,
            now=now,
            week_ago=week_ago,
            present=dashboard.present(tenants=tenants, at=at),
            needs=needed.needs(at=at),
        )
    cache.set(_KEY, _written(taken), _KEPT_SECONDS)
    return taken


def latest() -> Snapshot | None:
    """What was measured last; None where nothing was, or in a form of an earlier release."""
    kept = cache.get(_KEY)
    return _read(kept) if isinstance(kept, dict) and kept.get("form") == _FORM else None


def _written(taken: Snapshot) -> dict[str, Any]:
    return {"form": _FORM, **dataclasses.asdict(taken)}


def _read(kept: dict[str, Any]) -> Snapshot:
    found = kept["needs"]
    return Snapshot(
        at=kept["at"],
        hours_at=kept["hours_at"],
        now=HourFigures(**kept["now"]),
        week_ago=HourFigures(**kept["week_ago"]),
        present=Present(**kept["present"]),
        needs=Needs(**{**found, "needs": [Need(**each) for each in found["needs"]]}),
    )
