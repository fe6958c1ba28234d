"""Looks of the detectors at a simulated month. Sums over minutes leave out what no detector could see; the rest is shown to
the functions that decide in production."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from agentops.budgets import alarms
from agentops.budgets.services.minutes import LOOK_BACK
from agentops.portal.bench.quiet_month import DAY, WARM_UP_DAYS, Agent, Ints, total
from incidents.detecting import money, rates, runs
from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.looking import Around
from incidents.detecting.seen import Seen
from incidents.types import AlertClass

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
_KNOWN = timedelta(days=1)
Told = tuple[Seen | None, str, datetime]


def at_minute(minute: int) -> datetime:
    return FIRST + timedelta(minutes=minute)


def _window(sums: Ints, length: int) -> Ints:
    """At each minute, the sum over so many minutes that end with it."""
    whole = np.concatenate([[0], np.cumsum(sums)])
    back = np.maximum(np.arange(1, len(whole)) - length, 0)
    return np.asarray(whole[1:] - whole[back], dtype=np.int64)


def _around(at: datetime, every: AlertClass, known: Mapping[str, Any] | None = None) -> Around:
    return Around(since=at - timedelta(seconds=DEFAULTS[every].every_seconds), at=at, known=known or {})


# -- money: findings of budgets, then alerts --------------------------------------------------------------------------


def spikes(agents: Sequence[Agent]) -> Iterator[Told]:
    """Of each agent, and of all together."""
    for agent in agents:
        yield from _spikes(agent.by_minute(agent.cost), agent.tenant, agent.name)
    yield from _spikes(total(agents), None, "")


def _spikes(sums: Ints, tenant: uuid.UUID | None, name: str) -> Iterator[Told]:
    """`budgets.services.watch_minutes` at the end of each minute: a bound that stays while a finding is open."""
    hour = _window(sums, alarms.HOUR_MINUTES)
    finding: money.Spike | None = None
    known: dict[str, str] = {}
    for minute in range(WARM_UP_DAYS * DAY, len(sums)):
        if finding is None and sums[minute] <= alarms.SPIKE_FLOOR:
            continue
        latest = [int(sums[minute - back]) for back in range(LOOK_BACK + 1)]
        before = int(hour[minute - LOOK_BACK - 1])
        bound = alarms.spike_bound(before, known_for=_KNOWN) if finding is None else finding.data["bound_nano_usd"]
        excess = alarms.spike(latest, bound=bound, hour_nano_usd=before)
        at = at_minute(minute + 1)
        if excess is None:
            if finding is not None and all(
                amount <= bound for amount in sums[minute - alarms.CALM_MINUTES : minute + 1]
            ):
                finding = None
            elif finding is not None:
                for fingerprint in money.see_spikes([finding], _around(at, AlertClass.COST_SPIKE, known)).still:
                    yield None, fingerprint, at
            continue
        data: dict[str, Any] = {
            "amount_nano_usd": excess.amount_nano_usd,
            "bound_nano_usd": bound,
            "hour_nano_usd": before,
        }
        finding = money.Spike(
            id=finding.id if finding else uuid.UUID(int=minute + 1), tenant=tenant, agent=name,
            found_at=finding.found_at if finding else at, last_seen_at=at, ended_at=None, data=data, minutes=latest,
        )  # fmt: skip
        looked = money.see_spikes([finding], _around(at, AlertClass.COST_SPIKE, known))
        known = looked.known
        for seen in looked.seen:
            yield seen, seen.fingerprint, at


def days(agents: Sequence[Agent]) -> Iterator[Told]:
    """A day of the whole product above the seven before it."""
    by_day = total(agents).reshape(-1, DAY).sum(axis=1)
    for day in range(WARM_UP_DAYS, len(by_day)):
        excess = alarms.day_above_baseline(int(by_day[day]), [int(each) for each in by_day[day - 7 : day][::-1]])
        if excess is not None:
            at = at_minute((day + 1) * DAY)
            plan = money.OverPlan(id=uuid.uuid4(), kind="day_above_baseline", detail="A day", found_at=at)
            for seen in money.see_budgets([], [plan], _around(at, AlertClass.BUDGET)).seen:
                yield seen, seen.fingerprint, at


# -- rates ------------------------------------------------------------------------------------------------------------


def errors(agent: Agent) -> Iterator[Told]:
    """Every minute, the hour and the five minutes before it."""
    came, failed = agent.by_minute(), agent.by_minute(agent.failed)
    hour_runs, hour_failed = _window(came, 60), _window(failed, 60)
    recent_runs, recent_failed = _window(came, 5), _window(failed, 5)
    least = DEFAULTS[AlertClass.ERROR_RATE].params["least_recent"].default
    for minute in map(int, np.flatnonzero(recent_failed >= least)):
        if minute < WARM_UP_DAYS * DAY:
            continue
        figures = rates.ErrorFigures(
            tenant=agent.tenant, agent=agent.name, runs=int(hour_runs[minute]), failed=int(hour_failed[minute]),
            recent_runs=int(recent_runs[minute]), recent_failed=int(recent_failed[minute]),
        )  # fmt: skip
        at = at_minute(minute + 1)
        for seen in rates.see_errors([figures], _around(at, AlertClass.ERROR_RATE)).seen:
            yield seen, seen.fingerprint, at


def refusals(agent: Agent) -> Iterator[Told]:
    """Every five minutes, the hour before, the same hour last week, and the day before the hour."""
    came, refused = agent.by_minute(), agent.by_minute(agent.refused)
    hours, refusals_of_hour = _window(came, 60), _window(refused, 60)
    day_runs, day_refused = _window(came, DAY), _window(refused, DAY)
    default = DEFAULTS[AlertClass.REFUSAL_SPIKE]
    least, points = default.params["least_runs"].default, default.params["points"].default
    for minute in range(WARM_UP_DAYS * DAY, len(came), default.every_seconds // 60):
        if hours[minute] < least or refusals_of_hour[minute] * 100 < points * hours[minute]:
            continue
        figures = rates.RefusalFigures(
            tenant=agent.tenant, agent=agent.name, runs=int(hours[minute]), refused=int(refusals_of_hour[minute]),
            week_runs=int(hours[minute - 7 * DAY]), week_refused=int(refusals_of_hour[minute - 7 * DAY]),
            day_runs=int(day_runs[minute - 60]), day_refused=int(day_refused[minute - 60]),
        )  # fmt: skip
        at = at_minute(minute + 1)
        for seen in rates.see_refusals([figures], _around(at, AlertClass.REFUSAL_SPIKE)).seen:
            yield seen, seen.fingerprint, at


# -- single runs ------------------------------------------------------------------------------------------------------


def long_runs(agent: Agent) -> Iterator[Told]:
    """Steps and tokens of each run, beside those of the week before its day; none of these agents asks the guard."""
    for day in range(WARM_UP_DAYS, len(agent.by_minute()) // DAY):
        known = slice(*np.searchsorted(agent.minute, [(day - 7) * DAY, day * DAY]))
        first, end = map(int, np.searchsorted(agent.minute, [day * DAY, (day + 1) * DAY]))
        count = known.stop - known.start
        if not count:
            continue
        steps = float(np.quantile(agent.steps[known], 0.99, method="higher"))
        median, tokens = np.quantile(agent.tokens[known], [0.5, 0.99], method="higher")
        is_long = (agent.steps[first:end] > 2 * steps) | (agent.tokens[first:end] > 2 * tokens)  # less is none's
        for place in map(int, first + np.flatnonzero(is_long)):
            at = at_minute(int(agent.minute[place]) + 1)
            common: dict[str, Any] = {
                "tenant": agent.tenant, "run": uuid.UUID(int=place + 1), "agent": agent.name, "version": "", "at": at,
                "usual_runs": count,
            }  # fmt: skip
            long = runs.LongRun(amount=int(agent.steps[place]), usual=steps, **common)
            wordy = runs.LongRun(amount=int(agent.tokens[place]), usual=float(tokens), median=float(median), **common)
            for seen in (
                *runs.see_runaways([], [long], _around(at, AlertClass.RUNAWAY)).seen,
                *runs.see_tokens([wordy], _around(at, AlertClass.TOKEN_P99)).seen,
            ):
                yield seen, seen.fingerprint, at
