"""How feedback, signals and outcomes are shown: lines, intervals, the chart. No reads here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from agentops.portal.templatetags.words import count, percent
from agentops.traces.links import plain_name
from evals.models import Feedback
from evals.queries.signals import AgentWeek, Precision, Words
from evals.statistics.estimates import Estimate
from evals.types import SignalKind

FEW = 20  # words under which a share says little
SIGNALS = {
    SignalKind.CORRECTION: "The next words of the same conversation, within two minutes, say that the answer was wrong.",
    SignalKind.ABANDONED: "The client said that the session ended within 30 s of the answer, and nothing followed. Seen only "
    "where spans carry agentops.session_ended_at.",
    SignalKind.SAME_PROMPT: "Exactly the same prompt came again in the same conversation within ten minutes.",
    SignalKind.CANCELLED: "A person refused or stopped what the agent proposed.",
}


@dataclass(frozen=True, slots=True)
class SignalLine:
    precision: Precision

    @property
    def label(self) -> str:
        return SignalKind(self.precision.kind).label

    @property
    def sentence(self) -> str:
        return SIGNALS[SignalKind(self.precision.kind)]

    @property
    def share(self) -> str:
        return share_words(self.precision.share)


@dataclass(frozen=True, slots=True)
class WordsLine:
    name: str
    words: Words

    @property
    def share(self) -> str:
        return share_words(self.words.share)

    @property
    def is_little(self) -> bool:
        return self.words.count < FEW


@dataclass(frozen=True, slots=True)
class OutcomeLine:
    week: AgentWeek

    @property
    def agent(self) -> str:
        return plain_name(self.week.agent) or "(no agent)"

    @property
    def monday(self) -> str:
        return week_words(self.week.week)

    @property
    def share(self) -> str:
        return share_words(self.week.share)


@dataclass(frozen=True, slots=True)
class SaidLine:
    row: Feedback
    run_url: str

    @property
    def who(self) -> str:
        return plain_name(self.row.user_id) or "somebody"


def share_words(estimate: Estimate | None) -> str:
    """A share and its interval of 95 %: `82 % (74 to 88 %)`; "–" where there is nothing."""
    if estimate is None:
        return "–"
    return f"{percent(estimate.mean)} ({round(100 * estimate.low)} to {round(100 * estimate.high)} %)"


def week_words(monday: date) -> str:
    return f"{monday:%-d %b}"


def stats(weeks: Sequence[tuple[date, Words]], unmatched: tuple[int, int]) -> list[dict[str, Any]]:
    """The figures over the page: of all weeks together, and of this one against the last."""
    good, told = sum(words.good for _, words in weeks), sum(words.count for _, words in weeks)
    waiting, given_up = unmatched
    newest = weeks[-1][1] if weeks else Words(0, 0)
    return [
        {"label": "Words of people", "value": count(told), "note": "in eight weeks"},
        {"label": "Found good", "value": percent(Words(good, told).share.mean) if told else "–", "note": _interval(Words(good, told))},
        {"label": "Found good, newest week", "value": percent(newest.share.mean) if newest.share else "–", "note": _interval(newest)},
        {
            "label": "Outcomes without their span",
            "value": count(waiting),
            "note": f"{count(given_up)} given up after 30 days" if given_up else "looked for during 30 days",
            "tone": "warn" if given_up else "",
        },
    ]  # fmt: skip


def _interval(words: Words) -> str:
    found = words.share
    if found is None:
        return "nobody said anything"
    return f"{round(100 * found.low)} to {round(100 * found.high)} % of {count(words.count)}"


def weeks_figure(weeks: Sequence[tuple[date, Words]]) -> dict[str, Any]:
    """The share of good words by week, each with its interval of 95 %."""
    shown = [(week, words.share) for week, words in weeks]
    points = [(week, share) for week, share in shown if share is not None]
    return {
        "data": [
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": "Found good",
                "x": [week.isoformat() for week, _ in points],
                "y": [round(100 * share.mean, 2) for _, share in points],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [round(100 * (share.high - share.mean), 2) for _, share in points],
                    "arrayminus": [round(100 * (share.mean - share.low), 2) for _, share in points],
                    "thickness": 1.5,
                    "width": 5,
                },
                "hovertemplate": "%{y:.0f} %<extra></extra>",
            }
        ],
        "layout": {
            "yaxis": {"ticksuffix": " %", "range": [0, 102]},
            "xaxis": {"type": "date", "tickformat": "%-d %b", "tickvals": [week.isoformat() for week, _ in points]},
            "showlegend": False,
        },
    }
