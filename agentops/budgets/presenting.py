"""How budgets and spend are shown: figures, bars, charts and sentences. No reads here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from agentops.budgets.queries import Near, Outlook, SumRow, WhatIf
from agentops.budgets.types import Action, BudgetState, BudgetTerms, Period, Scope
from agentops.common.money import usd_text
from agentops.portal.templatetags.words import money_text

NEAR_PERCENT = 75
FAR = 4  # a limit so many times as high as all else would press it flat
PERIOD_NAMES = {Period.DAY: "a day", Period.WEEK: "a week", Period.MONTH: "a month"}
AT_LIMIT = {
    Action.THROTTLE: "one run at a time",
    Action.DOWNGRADE: "the cheapest allowed model",
    Action.BLOCK: "no more calls",
}
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Use:
    """How much of a limit is used: for the bar, the mark and the words beside them."""

    used_nano_usd: int
    limit_nano_usd: int
    ceiling_nano_usd: int

    @property
    def percent(self) -> int:
        """Whole percent, cut: 100 only where the limit is reached."""
        if not self.limit_nano_usd:
            return 100
        return self.used_nano_usd * 100 // self.limit_nano_usd

    @property
    def left_nano_usd(self) -> int:
        return max(0, self.limit_nano_usd - self.used_nano_usd)

    @property
    def state(self) -> str:
        """A key of marks.BUDGET."""
        if self.used_nano_usd >= self.ceiling_nano_usd:
            return "ceiling"
        if self.used_nano_usd >= self.limit_nano_usd:
            return "limit"
        return "near" if self.percent >= NEAR_PERCENT else "room"


@dataclass(frozen=True, slots=True)
class Card:
    """One budget of the list."""

    state: BudgetState
    resets: str
    use: Use | None  # None of a budget that holds for each of many
    observed_nano_usd: int = 0  # of what was spent, what no guard could have stopped
    enforcement: str = ""  # a key of marks.SPEND
    outlook: Outlook | None = None
    near: tuple[Near, ...] = ()
    near_count: int = 0
    ahead: str = ""  # the forecast in words

    @property
    def title(self) -> str:
        return whose(self.state.terms.scope, self.state.terms.scope_id)

    @property
    def per(self) -> str:
        return PERIOD_NAMES[self.state.terms.period]

    @property
    def at_limit(self) -> str:
        return AT_LIMIT[self.state.terms.action]


def whose(scope: Scope, subject: str) -> str:
    """Of whom a budget is."""
    if scope is Scope.TENANT:
        return "The whole organisation"
    kind = "end user" if scope is Scope.USER else "agent"
    return f"{kind[0].upper()}{kind[1:]} {subject}" if subject else f"Each {kind}"


def use_of(near: Near) -> Use:
    return Use(near.spent_nano_usd, near.limit_nano_usd, near.ceiling_nano_usd)


def enforcement(row: SumRow) -> str:
    """How far spend can be stopped: a key of marks.SPEND; "" of nothing."""
    if not row.amount_nano_usd:
        return ""
    if not row.guarded_nano_usd:
        return "advisory"
    return "enforced" if row.guarded_nano_usd >= row.amount_nano_usd else "partly"


def ratio(part: int, whole: int) -> Decimal | None:
    """A share; None of nothing."""
    return Decimal(part) / Decimal(whole) if whole else None


def local(moment: datetime, zone: tzinfo) -> str:
    """An instant by the organisation's clock."""
    return f"{moment.astimezone(zone):%-d %b %Y %H:%M} {zone_name(zone)}"


def zone_name(zone: tzinfo) -> str:
    return getattr(zone, "key", None) or "UTC"


def day_text(day: date) -> str:
    return f"{day:%-d %b}"


def period_text(period: Period, first: date) -> str:
    """A period by name: 25 Nov 2026, 23–29 Nov 2026, November 2026."""
    if period is Period.DAY:
        return f"{first:%A, %-d %b %Y}"
    if period is Period.MONTH:
        return f"{first:%B %Y}"
    last = first + 6 * _DAY
    begin = f"{first:%-d}" if first.month == last.month else f"{first:%-d %b}"
    return f"{begin}–{last:%-d %b %Y}"


def ahead_text(look: Outlook, terms: BudgetTerms) -> str:
    """How a period will end, against its limit, in a sentence."""
    found = look.forecast
    if found is None:
        return "No forecast yet: it needs spend on seven days before today, or more."
    low, high = money_text(found.low_nano_usd), money_text(found.high_nano_usd)
    percent = found.expected_nano_usd * 100 // terms.limit_nano_usd if terms.limit_nano_usd else 100
    words = (
        f"Forecast {money_text(found.expected_nano_usd)}, {percent} % of the limit ({low} to {high} in 4 of 5 cases)."
    )
    if look.spent_nano_usd >= terms.limit_nano_usd:
        return words
    reached = found.reaches(terms.limit_nano_usd)
    if reached:
        when = "today" if terms.period is Period.DAY else f"about {day_text(reached)}"
        return f"{words} The limit is reached {when}."
    if found.high_nano_usd >= terms.limit_nano_usd:
        return f"{words} The limit may be reached."
    return f"{words} The limit is not reached."


# -- what a change does -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Preview:
    """What terms would have done, and what they do at once."""

    terms: BudgetTerms
    seal: str
    found: WhatIf
    before: WhatIf | None  # by the terms in force
    at_once: list[tuple[str, str]]  # tone and sentence
    ahead: str

    @property
    def days(self) -> str:
        """When the limit would have been reached, the latest first."""
        when = [day_text(hit.reached_on or hit.start) for hit in reversed(self.found.hits)]
        more = f" and {len(when) - 8} more" if len(when) > 8 else ""
        return ", ".join(when[:8]) + more


def at_once(terms: BudgetTerms, used_nano_usd: int, resets: str) -> list[tuple[str, str]]:
    """What saving a budget of one does at once, as tone and sentence."""
    use = Use(used_nano_usd, terms.limit_nano_usd, terms.ceiling_nano_usd)
    spent = f"{money_text(used_nano_usd)} is used already"
    if use.state == "ceiling":
        return [("bad", f"{spent}, which is the ceiling or more: every call is refused at once, until {resets}.")]
    if use.state == "limit":
        return [("warn", f"{spent}, which is the limit or more: at once {AT_LIMIT[terms.action]}, until {resets}.")]
    passed = [f"{percent} %" for percent in terms.thresholds if percent <= use.percent]
    told = f" The thresholds {', '.join(passed)} are passed already." if passed else ""
    return [("info", f"{spent}, {use.percent} % of the limit: nothing is refused at once.{told}")]


# -- charts -----------------------------------------------------------------------------------------------------------


def course_figure(look: Outlook, limit_nano_usd: int | None) -> dict[str, Any]:
    """Spend added up over a period, the forecast to its end with its interval, and the limit. Told apart by dashes."""
    days, total = [], 0
    for day, amount in look.days:
        total += amount
        days.append((day, total))
    data = [_line("Spent", days, "solid", mode="lines+markers")]
    if look.forecast:
        ahead = look.forecast.days
        from_today = days[-2:-1]  # the end of yesterday: today is not over
        low, high = (
            [*from_today, *((one.day, getattr(one, f"{name}_nano_usd")) for one in ahead)] for name in ("low", "high")
        )
        data += [
            {**_line("From", low, "dot"), "showlegend": False},
            {**_line("4 of 5 cases", high, "dot"), "fill": "tonexty"},
            _line("Forecast", [*from_today, *((one.day, one.expected_nano_usd) for one in ahead)], "dash"),
        ]
    highest = max(total, look.forecast.high_nano_usd if look.forecast else 0)
    if limit_nano_usd is not None and limit_nano_usd <= FAR * highest:
        last = (look.end - _DAY / 2).date()
        data.append(_line("Limit", [(look.first_day, limit_nano_usd), (last, limit_nano_usd)], "longdashdot"))
    return {
        "data": data,
        "layout": {"yaxis": {"tickprefix": "$", "rangemode": "tozero"}, "xaxis": {"type": "date", "tickformat": "%-d %b"}},
    }  # fmt: skip


def bars_figure(points: list[tuple[str, int]], *, kind: str = "date", form: str = "%-d %b") -> dict[str, Any]:
    """Amounts as bars over days or hours."""
    return {
        "data": [
            {"type": "bar", "name": "Spent", "x": [x for x, _ in points], "y": [usd_text(y) for _, y in points],
             "hovertemplate": "$%{y}<extra></extra>"},
        ],
        "layout": {
            "yaxis": {"tickprefix": "$", "rangemode": "tozero"},
            "xaxis": {"type": kind, "tickformat": form},
            "showlegend": False,
        },
    }  # fmt: skip


def _line(name: str, points: list[tuple[date, int]], dash: str, *, mode: str = "lines") -> dict[str, Any]:
    return {
        "type": "scatter", "mode": mode, "name": name, "x": [day.isoformat() for day, _ in points],
        "y": [usd_text(amount) for _, amount in points], "line": {"dash": dash, "width": 2}, "hovertemplate": "$%{y:,.2f}",
    }  # fmt: skip


def hit_rate(row: SumRow) -> Decimal | None:
    """The part of the input that came from the provider's cache."""
    return ratio(row.cache_read_tokens, row.input_tokens)
