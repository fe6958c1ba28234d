"""Which detector reads what, and which pure function decides on it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from incidents.detecting import machinery, money, rates, runs
from incidents.detecting.looking import Around, Look
from incidents.detecting.rulebook import RuleBook
from incidents.queries.watching import machinery as read_machinery
from incidents.queries.watching import money as read_money
from incidents.queries.watching import rates as read_rates
from incidents.queries.watching import runs as read_runs
from incidents.types import AlertClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What a detector is to read: of whom, since its last look, until when."""

    tenants: Sequence[uuid.UUID]
    since: datetime
    at: datetime
    book: RuleBook
    usual: read_runs.Usual = field(default_factory=dict)
    outside: Any = None  # what `before` found, outside any scope

    def least(self, alert_class: AlertClass, param: str, lowest: float) -> float:
        """The smallest value that any rule of a class has, so that the database leaves out what no rule means."""
        return max(lowest, self.book.least(alert_class, param))


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """`read` runs in staff's scope, `see` is pure. A periodic one looks at each period, one after the other, also at those it
    missed; one with a window reads back that far, and after a longer pause looks as often as it takes to leave nothing out;
    the others look at how things are."""

    alert_class: AlertClass
    read: Callable[[Stretch], Any]
    see: Callable[[Any, Around], Look]
    is_periodic: bool = False
    window: timedelta | None = None
    needs_usual: bool = False
    before: Callable[[], Any] | None = None


def _runaways(stretch: Stretch) -> Any:
    least = stretch.least(AlertClass.RUNAWAY, "steps_least", read_runs.LEAST_STEPS)
    least *= stretch.book.least(AlertClass.RUNAWAY, "steps_times")
    return (
        read_runs.ended_by_the_guard(tenants=stretch.tenants, at=stretch.at),
        read_runs.long_open_runs(tenants=stretch.tenants, usual=stretch.usual, least=least, at=stretch.at),
    )


def _tokens(stretch: Stretch) -> Any:
    least = stretch.least(AlertClass.TOKEN_P99, "least_tokens", read_runs.LEAST_TOKENS)
    return read_runs.finished_runs(tenants=stretch.tenants, usual=stretch.usual, least=least, at=stretch.at)


def _ingest(stretch: Stretch) -> Any:
    return (
        read_machinery.unfinished(tenants=stretch.tenants, at=stretch.at),
        read_machinery.refused_messages(tenants=stretch.tenants, at=stretch.at),
    )


def _late(stretch: Stretch) -> Any:
    bound = stretch.book.least(AlertClass.KILL_SWITCH_LAG, "seconds")
    return read_machinery.late_steps(tenants=stretch.tenants, bound=bound, at=stretch.at)


_ALL = (
    Detector(
        alert_class=AlertClass.COST_SPIKE,
        read=lambda stretch: read_money.spikes(tenants=stretch.tenants, since=stretch.since, at=stretch.at),
        see=money.see_spikes,
    ),
    Detector(
        alert_class=AlertClass.BUDGET,
        read=lambda stretch: (
            read_money.over_budget(tenants=stretch.tenants, at=stretch.at),
            read_money.over_plan(),
        ),
        see=lambda rows, around: money.see_budgets(rows[0], rows[1], around),
    ),
    Detector(
        alert_class=AlertClass.RUNAWAY,
        read=_runaways,
        see=lambda rows, around: runs.see_runaways(rows[0], rows[1], around),
        window=runs.WINDOW,
        needs_usual=True,
    ),
    Detector(alert_class=AlertClass.TOKEN_P99, read=_tokens, see=runs.see_tokens, window=runs.WINDOW, needs_usual=True),
    Detector(
        alert_class=AlertClass.ERROR_RATE,
        read=lambda stretch: read_rates.errors(tenants=stretch.tenants, until=stretch.at),
        see=rates.see_errors,
        is_periodic=True,
    ),
    Detector(
        alert_class=AlertClass.REFUSAL_SPIKE,
        read=lambda stretch: read_rates.refusals(tenants=stretch.tenants, until=stretch.at),
        see=rates.see_refusals,
        is_periodic=True,
    ),
    Detector(
        alert_class=AlertClass.DRIFT,
        read=lambda stretch: read_machinery.drifted(tenants=stretch.tenants),
        see=machinery.see_drift,
    ),
    Detector(
        alert_class=AlertClass.INTEGRITY,
        read=lambda stretch: read_machinery.unsound_logs(tenants=stretch.tenants),
        see=machinery.see_log_findings,
    ),
    Detector(
        alert_class=AlertClass.SEAL_LAG,
        read=lambda stretch: read_machinery.unsealed(tenants=stretch.tenants),
        see=machinery.see_unsealed,
    ),
    Detector(
        alert_class=AlertClass.KILL_SWITCH_LAG,
        read=_late,
        see=machinery.see_late_steps,
        window=read_machinery.LATE_WINDOW,
    ),
    Detector(
        alert_class=AlertClass.QUEUE_LAG,
        before=read_machinery.tasks_waiting,
        read=lambda stretch: (read_machinery.queues(tenants=stretch.tenants, at=stretch.at), stretch.outside),
        see=lambda rows, around: machinery.see_queues(rows[0], rows[1], around),
    ),
    Detector(
        alert_class=AlertClass.INGEST_LAG,
        read=_ingest,
        see=lambda rows, around: machinery.see_ingest(rows[0], rows[1], around),
    ),
)
DETECTORS: Mapping[AlertClass, Detector] = {detector.alert_class: detector for detector in _ALL}
