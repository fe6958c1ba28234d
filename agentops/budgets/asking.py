"""What an address of the spend page asks for: which period, and broken down by what. Nonsense is as if not said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from urllib.parse import urlencode

from agentops.budgets.policies import bounds, start_of
from agentops.budgets.types import Period

BREAKDOWNS = ("user", "agent", "model", "tool", "day")
PAGE_ROWS = 20
MOST_PAGES = 10_000
OLDEST = date(2020, 1, 1)


@dataclass(frozen=True, slots=True)
class Asked:
    """One look at the spend of a period."""

    period: Period
    at: datetime  # a moment within the period
    start: datetime
    end: datetime
    first_day: date
    by: str
    page: int
    is_present: bool

    @classmethod
    def of(cls, params: Mapping[str, str], *, now: datetime, zone: tzinfo) -> Asked:
        """From `?period=month&of=2026-11-01&by=user&page=2`."""
        period = Period(text) if (text := params.get("period", "")) in Period.values else Period.MONTH
        at = _moment(params.get("of", ""), now, zone)
        start, end = bounds(period, at, zone)
        by = text if (text := params.get("by", "")) in BREAKDOWNS else BREAKDOWNS[0]
        first = start.astimezone(zone).date()
        return cls(period, at, start, end, first, by, page_of(params.get("page", "")), start <= now < end)

    @property
    def skip(self) -> int:
        return (self.page - 1) * PAGE_ROWS

    def query(self, **changes: str | int) -> str:
        """The address of this look with something else in it; what is as by default is left out."""
        said: dict[str, str | int] = {
            "period": self.period.value, "of": "" if self.is_present else self.first_day.isoformat(), "by": self.by, "page": 1,
        }  # fmt: skip
        said |= changes
        usual = {"period": Period.MONTH.value, "of": "", "by": BREAKDOWNS[0], "page": 1}
        return "?" + urlencode({name: value for name, value in said.items() if value != usual[name]})

    def earlier(self, zone: tzinfo) -> str:
        """The address of the period before; "" where nothing can be."""
        start = bounds(self.period, self.start - timedelta(hours=1), zone)[0].astimezone(zone).date()
        return self.query(of=start.isoformat()) if start >= OLDEST else ""

    def later(self, zone: tzinfo, now: datetime) -> str:
        """The address of the period after; "" where it has not begun."""
        if self.end > now:
            return ""
        is_present = bounds(self.period, now, zone)[0] == self.end
        return self.query(of="" if is_present else self.end.astimezone(zone).date().isoformat())


def _moment(text: str, now: datetime, zone: tzinfo) -> datetime:
    """The noon of a day that was named, where it is not to come; else now."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return now
    moment = start_of(day, zone) + timedelta(hours=12) if OLDEST <= day <= now.astimezone(zone).date() else now
    return min(moment, now.astimezone(UTC))


def page_of(text: str) -> int:
    """Which page an address asks for, from 1 on."""
    return min(max(int(text), 1), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 9 else 1
