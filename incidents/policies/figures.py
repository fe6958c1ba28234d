"""From what was measured to what is shown: each figure beside the same hour last week, with a word for how it stands.

Pure. A figure that nobody can tell is a dash with the reason, never zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from agentops.portal.templatetags.words import NBSP, ago_text, duration_text, money_text, percent

if TYPE_CHECKING:
    from incidents.queries.dashboard import HourFigures, Present
    from incidents.queries.needs import Needs

NOTHING = "–"
_FEW = 20  # runs, or judgements: below, a share says little, and the page does not raise its voice
_MONEY_FLOOR = 10**9  # nano-dollars an hour below which a jump is noise
_RISE_WARN, _RISE_BAD = 1.5, 3.0
_FAR = 100  # times: from here on a number says nothing more
_SHARE_WARN, _SHARE_BAD = 0.02, 0.10  # points above last week
_SCORE_WARN, _SCORE_BAD = 0.05, 0.15  # points below last week
_LATE_WARN, _LATE_BAD = timedelta(seconds=60), timedelta(minutes=5)
_LONG_ASKED = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Figure:
    """`before` is what it was last week, `note` says how it stands. `page` and `query`: where to look further."""

    key: str
    label: str
    value: str
    note: str = ""
    before: str = ""
    tone: str = ""  # "", warn, bad
    page: str = ""
    query: str = ""


def figures(*, now: HourFigures, week_ago: HourFigures, present: Present, needs: Needs, at: datetime) -> list[Figure]:
    """In the order in which they are looked at."""
    return [
        _alerts(needs),
        _incidents(needs),
        _cost(now, week_ago),
        _errors(now, week_ago),
        _score(now, week_ago),
        _aborts(now, week_ago),
        _refusals(now, week_ago),
        _confirmations(present, at),
        _ingest(present, at),
        _sealing(present, at),
        _switches(present),
        _tools(present),
    ]


def _alerts(needs: Needs) -> Figure:
    total, worst = sum(needs.alerts.values()), min(needs.alerts, default=0)
    untaken = total - needs.taken
    note = "all quiet" if not total else f"{_severities(needs.alerts)}; {untaken or 'none'} not acknowledged"
    tone = "bad" if worst and worst < 3 and untaken else "warn" if untaken else ""
    return Figure("alerts", "Open alerts", f"{total:,}", note, tone=tone, page="staff-alerts")


def _incidents(needs: Needs) -> Figure:
    total = sum(needs.incidents.values())
    tone = "bad" if 1 in needs.incidents else "warn" if total else ""
    note = _severities(needs.incidents) if total else "none open"
    return Figure("incidents", "Incidents", f"{total:,}", note, tone=tone, page="staff-incidents")


def _severities(counts: dict[int, int]) -> str:
    return ", ".join(f"{number} SEV-{severity}" for severity, number in sorted(counts.items()))


def _cost(now: HourFigures, week_ago: HourFigures) -> Figure:
    change, rose = _change(now.spent_nano_usd, week_ago.spent_nano_usd)
    tone = ""
    if now.spent_nano_usd >= _MONEY_FLOOR and rose is not None:
        tone = "bad" if rose >= _RISE_BAD else "warn" if rose >= _RISE_WARN else ""
    note = change
    if now.unpriced_calls:
        note = f"{note}; {now.unpriced_calls:,} calls without a price".lstrip("; ")
    return Figure(
        "cost", "Spent", money_text(now.spent_nano_usd), note, money_text(week_ago.spent_nano_usd), tone, "staff-spend"
    )


def _errors(now: HourFigures, week_ago: HourFigures) -> Figure:
    return _share(
        "errors", "Error rate", (now.errors, now.finished), (week_ago.errors, week_ago.finished), "staff-runs",
        "status=error&from=1h",
    )  # fmt: skip


def _refusals(now: HourFigures, week_ago: HourFigures) -> Figure:
    return _share("refusals", "Refusals", (now.refused, now.known), (week_ago.refused, week_ago.known), "staff-quality")


def _share(key: str, label: str, now: tuple[int, int], week_ago: tuple[int, int], page: str, query: str = "") -> Figure:
    (part, whole), (old_part, old_whole) = now, week_ago
    if not whole:
        return Figure(key, label, NOTHING, "no run has ended", _percent(old_part, old_whole), "", page, query)
    above = part / whole - (old_part / old_whole if old_whole else 0.0)
    tone = ""
    if whole >= _FEW and above >= _SHARE_WARN:
        tone = "bad" if above >= _SHARE_BAD else "warn"
    note = f"{part:,} of {whole:,} runs"
    return Figure(key, label, percent(part / whole), note, _percent(old_part, old_whole), tone, page, query)


def _score(now: HourFigures, week_ago: HourFigures) -> Figure:
    before = f"{week_ago.score:.2f}" if week_ago.score is not None else NOTHING
    if now.score is None:
        return Figure("score", "Judge score", NOTHING, "no run was judged", before, "", "staff-quality")
    tone = ""
    if week_ago.score is not None and min(now.judged, week_ago.judged) >= _FEW:
        below = week_ago.score - now.score
        tone = "bad" if below >= _SCORE_BAD else "warn" if below >= _SCORE_WARN else ""
    note = f"of 1; {now.judged:,} judged"
    return Figure("score", "Judge score", f"{now.score:.2f}", note, before, tone, "staff-quality")


def _aborts(now: HourFigures, week_ago: HourFigures) -> Figure:
    change, rose = _change(now.aborted, week_ago.aborted)
    tone = "warn" if now.aborted >= _FEW and rose is not None and rose >= _RISE_WARN else ""
    return Figure("aborts", "Aborted runs", f"{now.aborted:,}", change, f"{week_ago.aborted:,}", tone, "staff-review")


def _confirmations(present: Present, at: datetime) -> Figure:
    oldest = present.oldest_confirmation_at
    waits = at - oldest if oldest else timedelta(0)
    note = f"the oldest was asked {ago_text(oldest, at)}" if oldest else "nobody is asked anything"
    tone = "warn" if waits > _LONG_ASKED else ""
    return Figure("confirmations", "Waiting for people", f"{present.confirmations:,}", note, tone=tone)


def _ingest(present: Present, at: datetime) -> Figure:
    if present.lag_ms is None:
        note = "only old spans come in" if present.spans_per_second else "nothing came in for five minutes"
        return Figure("ingest", "Ingest lag", NOTHING, note, tone="warn", page="staff-ingest")
    lag = timedelta(milliseconds=present.lag_ms)
    note = f"{present.spans_per_second:,.1f} spans/s, at most {duration_text(present.lag_ms_most, 'ms')}"
    if present.rejected:
        note += f"; {present.rejected:,} refused"
    return Figure("ingest", "Ingest lag", duration_text(lag), note, tone=_late(lag), page="staff-ingest")


def _sealing(present: Present, at: datetime) -> Figure:
    since = present.unsealed_since
    lag = max(at - since, timedelta(0)) if since else timedelta(0)
    note = "the oldest entry without its place in a tree" if since else "every entry is sealed"
    return Figure("sealing", "Seal lag", duration_text(lag), note, tone=_late(lag))


def _late(lag: timedelta) -> str:
    return "bad" if lag >= _LATE_BAD else "warn" if lag >= _LATE_WARN else ""


def _switches(present: Present) -> Figure:
    on = present.switches_on
    note = "agents or users are stopped" if on else "nothing is stopped"
    return Figure("switches", "Kill switches on", f"{on:,}", note, tone="bad" if on else "", page="staff-kill-switches")


def _tools(present: Present) -> Figure:
    note = "agents wait for them" if present.tools_waiting else "none waits"
    return Figure("tools", "Tools to review", f"{present.tools_waiting:,}", note, page="staff-tools")


def _change(now: int, before: int) -> tuple[str, float | None]:
    """In words, and how many times of before it is; nothing to compare with: no ratio."""
    if not before:
        return ("nothing to compare with" if now else ""), None
    ratio = now / before
    if ratio >= _FAR:
        return "far above last week", ratio
    if ratio >= 2:
        return f"{ratio:,.{0 if ratio >= 10 else 1}f} times last week", ratio
    moved = round((ratio - 1) * 100)
    return (f"{'+' if moved > 0 else '−'}{abs(moved)}{NBSP}% on last week" if moved else "as last week"), ratio


def _percent(part: int, whole: int) -> str:
    return percent(part / whole) if whole else NOTHING
