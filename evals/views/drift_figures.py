"""Figures of quality pages: estimates over time with their intervals of 95 %, and the tables beside them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from evals.drifting.sentences import figure
from evals.drifting.sums import Sums, total
from evals.queries.drift import Days
from evals.statistics.estimates import Estimate
from evals.types import Metric

BY_DAY = 35  # days, up to which a figure has a point a day; else one a week
_AS_SHARE = (Metric.PASS_RATE, Metric.REFUSALS, Metric.ERRORS, Metric.FEEDBACK)
Point = tuple[date, Estimate]


def points(days: Days, metric: Metric, *, since: date, until: date) -> list[Point]:
    """One estimate a day or a week; none where too little is known."""
    step = 1 if (until - since).days <= BY_DAY else 7
    found, at = [], since
    while at < until:
        part = total(days[day] for day in _range(at, min(until, at + timedelta(days=step))) if day in days)
        estimate = part.estimate(metric)
        if estimate is not None:
            found.append((at, estimate))
        at += timedelta(days=step)
    return found


def over_time(
    series: Sequence[tuple[str, Sequence[Point]]], metric: Metric, *, marked: date | None = None
) -> dict[str, Any]:
    """Lines with error bars; `marked` draws an upright line, where something changed."""
    layout: dict[str, Any] = {
        "yaxis": {"tickformat": ".0%"} if metric in _AS_SHARE else {},
        "xaxis": {"type": "date", "tickformat": "%-d %b", **_each_day(series)},
        "showlegend": len(series) > 1,
    }
    if metric == Metric.SCORE:
        lows = [estimate.low for _, line in series for _, estimate in line]
        layout["yaxis"]["range"] = [max(0.0, min(lows, default=0.0) - 0.05), 1.02]
    elif metric == Metric.COST:
        layout["yaxis"] |= {"tickprefix": "$", "rangemode": "tozero"}
    else:
        layout["yaxis"]["rangemode"] = "tozero"
    if marked is not None:
        layout["shapes"] = [
            {
                "type": "line", "xref": "x", "yref": "paper", "x0": marked.isoformat(), "x1": marked.isoformat(),
                "y0": 0, "y1": 1, "line": {"width": 1, "dash": "dash"},
            }
        ]  # fmt: skip
    return {"data": [_line(name, line, metric) for name, line in series], "layout": layout}


def _each_day(series: Sequence[tuple[str, Sequence[Point]]]) -> dict[str, Any]:
    """One tick a day where the days are few; plotly would write each of them twice."""
    days = [at for _, line in series for at, _ in line]
    return {"dtick": 86_400_000} if days and (max(days) - min(days)).days < 8 else {}


def table(metric: Metric, line: Sequence[Point]) -> list[tuple[date, str, str, int]]:
    """The same in words: when, the figure, its interval, and how many things it rests on."""
    return [(at, figure(metric, one.mean), interval(metric, one), one.n) for at, one in line]


def interval(metric: Metric, one: Estimate | None) -> str:
    return "" if one is None else f"{figure(metric, one.low)} to {figure(metric, one.high)}"


def cell(metric: Metric, sums: Sums) -> dict[str, Any]:
    """A figure for a table: what it is, how sure, and of how many."""
    one = sums.estimate(metric)
    if one is None:
        return {"text": "", "interval": "", "n": sums.size(metric)}
    return {"text": figure(metric, one.mean), "interval": interval(metric, one), "n": one.n}


def _line(name: str, line: Sequence[Point], metric: Metric) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines+markers",
        "name": name,
        "x": [at.isoformat() for at, _ in line],
        "y": [one.mean for _, one in line],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [one.high - one.mean for _, one in line],
            "arrayminus": [one.mean - one.low for _, one in line],
            "thickness": 1,
            "width": 3,
        },
        "text": [f"{figure(metric, one.mean)} ({interval(metric, one)}), n {one.n:,}" for _, one in line],
        "hovertemplate": "%{x|%-d %b}: %{text}<extra></extra>",
    }


def _range(first: date, end: date) -> list[date]:
    return [first + timedelta(days=step) for step in range((end - first).days)]
