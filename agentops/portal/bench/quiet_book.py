"""Alerts as a list in memory, by the policy that the service goes by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from incidents.detecting import policy
from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.policy import Joins, Paged
from incidents.detecting.seen import Seen


@dataclass(slots=True)
class Kept:
    """An alert, as far as the policy looks at it."""

    severity: int
    last_seen_at: datetime
    value: float = 0.0
    reopened: int = 0
    paged: Paged = field(default_factory=Paged)


class Book:
    """`pages` counts what people would be told, by class."""

    def __init__(self) -> None:
        self.pages: Counter[str] = Counter()
        self._kept: dict[str, Kept] = {}

    def look(self, seen: Seen | None, fingerprint: str, at: datetime) -> None:
        """One look that found it, or (without `seen`) one in which it goes on."""
        kept = self._kept.get(fingerprint)
        if seen is None:
            if kept is not None:
                kept.last_seen_at = at
            return
        default = DEFAULTS[seen.alert_class]
        over_at = self._over_at(kept, default.every_seconds, default.calm_periods, at) if kept else None
        if kept is not None and kept.paged.severity is None and kept.paged.at is not None:
            told_at = kept.paged.at + timedelta(seconds=default.cooldown_seconds)
            if told_at < (over_at or at):  # told when its cooldown was over, though nothing was seen then
                self.pages[seen.alert_class.value] += 1
                kept.paged = Paged(severity=kept.severity, value=kept.value, tenants=1, at=told_at)
        joins = policy.joins(is_open=None if kept is None else over_at is None, resolved_at=over_at, at=at)
        if kept is None or joins is Joins.NEW:
            kept = self._kept[fingerprint] = Kept(severity=seen.severity, last_seen_at=at)
        elif joins is Joins.REOPENS:
            kept.severity, kept.reopened, kept.paged = seen.severity, kept.reopened + 1, Paged(at=kept.paged.at)
        kept.severity, kept.last_seen_at, kept.value = min(kept.severity, seen.severity), at, seen.value
        because = policy.worth_a_page(
            kept.paged,
            severity=kept.severity,
            value=seen.value,
            tenants=1,
            reopened=kept.reopened,
            cooldown_seconds=default.cooldown_seconds,
            at=at,
        )
        if because is not None:
            self.pages[seen.alert_class.value] += 1
            kept.paged = Paged(severity=kept.severity, value=seen.value, tenants=1, at=at)

    @staticmethod
    def _over_at(kept: Kept, every_seconds: int, needed: int, at: datetime) -> datetime | None:
        """When it ended by calm periods, if it had by now."""
        calm = int((at - kept.last_seen_at).total_seconds()) // every_seconds - 1  # this one is not calm
        ended = kept.last_seen_at + timedelta(seconds=every_seconds * needed)
        return ended if policy.is_over(calm, needed=needed) else None
