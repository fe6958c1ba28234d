"""`bench drift`: how soon drift is found, and how often none is there, on simulated histories (evals/statistics/simulate.py).

What decides here is what decides in production: `statistics.slide.find` on weekly sums, `drifting.policy.found_among` on a
day's tests of all cohorts and metrics, `statistics.attribution.attribute` on cells.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agentops.portal.bench import drift_step
from evals.drifting.policy import SLIDE_QUIET_DAYS
from evals.statistics import simulate, slide
from evals.statistics.simulate import Noise

BEFORE_WEEKS, WATCHED_WEEKS, WITHIN_WEEKS, A_MONTH = 26, 52, 6, 0.05
VARIANTS: tuple[tuple[str, int, Noise, bool], ...] = (
    ("8 weeks known before it", 8, Noise(), False),
    ("13 weeks known before it", 13, Noise(), False),
    ("52 weeks known before it", 52, Noise(), False),
    ("it compounds", BEFORE_WEEKS, Noise(), True),
    ("the deviation grows as the mean falls", BEFORE_WEEKS, Noise(keeps_deviation=False), False),
    ("100 judged a week", BEFORE_WEEKS, Noise(judged_a_week=100), False),
    ("400 judged a week", BEFORE_WEEKS, Noise(judged_a_week=400), False),
)


def run(*, histories: int, seed: int, say: Callable[[str], object]) -> dict[str, Any]:
    """Both promises and what is near them; sound if all are kept."""
    began = time.monotonic()
    random = np.random.default_rng(seed)
    table: dict[str, dict[str, Any]] = {}

    def measured(name: str, figures: dict[str, Any]) -> dict[str, Any]:
        table[name] = figures
        say(f"  {name}: " + ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items()))
        return figures

    say(f"{histories} histories each, seed {seed}")
    found = measured(f"slide, {BEFORE_WEEKS} weeks known before it", _slide(random, histories, BEFORE_WEEKS, Noise()))
    for name, before, noise, compounds in VARIANTS:
        measured(f"slide, {name}", _slide(random, histories, before, noise, compounds=compounds))
    alarms = measured("flat, a year", _flat(random, histories, Noise()))
    measured("flat, a year, rhythm of 5 points", _flat(random, histories, Noise(rhythm=0.05)))
    step = measured("step of 10 points", drift_step.measure(random, histories, gap=0.10, noise=Noise()))
    measured("no step", drift_step.measure(random, histories, gap=0.0, noise=Noise()))
    calmer = Noise(rhythm=0.01)  # 2 points between the best and the worst weekday, not above and below the mean
    measured("step, half the rhythm", drift_step.measure(random, histories, gap=0.10, noise=calmer))
    measured("no step, half the rhythm", drift_step.measure(random, histories, gap=0.0, noise=calmer))
    return {
        "seed": seed,
        "histories": histories,
        "threshold": slide.THRESHOLD,
        "slide_found_within_6_weeks": found["found_within_6_weeks"],
        "false_alarms_per_agent_year": alarms["alarms_per_year"],
        "step_found_next_day": step["found"],
        "attribution_right": step["attribution_right"],
        "seconds": round(time.monotonic() - began, 1),
        "table": table,
        "sound": found["found_within_6_weeks"] >= 0.9
        and alarms["alarms_per_year"] <= 1.0
        and step["found"] >= 0.9
        and step["attribution_right"] >= 0.95,
    }


def _slide(
    random: np.random.Generator, histories: int, before: int, noise: Noise, *, compounds: bool = False
) -> dict[str, Any]:
    """Histories that begin to fall on a random day of a week; looked at every day from then on."""
    start, days = before * 7, (before + WITHIN_WEEKS) * 7
    made = simulate.stacked(
        [
            simulate.daily_sums(
                random,
                noise,
                simulate.sliding(_flat_means(random, noise, days), start=start, a_month=A_MONTH, compounds=compounds),
            )
            for _ in range(histories)
        ]
    )
    alarms = _alarms(made, start + 1, days + 1)
    first = np.where(alarms.any(axis=1), alarms.argmax(axis=1) + 1, 10_000)
    is_found = first <= WITHIN_WEEKS * 7
    return {
        "found_within_6_weeks": round(float(is_found.mean()), 3),
        "median_days": float(np.median(first[is_found])) if is_found.any() else None,
    }


def _flat(random: np.random.Generator, histories: int, noise: Noise) -> dict[str, Any]:
    """A year each, watched every day, after some weeks that are known; an alarm that goes on is one."""
    start, days = BEFORE_WEEKS * 7, (BEFORE_WEEKS + WATCHED_WEEKS) * 7
    made = simulate.stacked(
        [simulate.daily_sums(random, noise, _flat_means(random, noise, days)) for _ in range(histories)]
    )
    alarms = [_episodes(row) for row in _alarms(made, start + 1, days + 1)]
    return {
        "alarms_per_year": round(float(np.mean(alarms)), 3),
        "years_with_one": round(float(np.mean([count > 0 for count in alarms])), 3),
        "most_in_a_year": int(max(alarms)),
    }


def _flat_means(random: np.random.Generator, noise: Noise, days: int) -> slide.Floats:
    return simulate.flat(noise, days=days, phase=random.uniform(0, 7))


def _alarms(made: slide.Blocks, first: int, end: int) -> NDArray[np.bool_]:
    """History × day: does the detector, asked after that many days, say that a slide goes on?"""
    return np.stack([slide.find(slide.blocks_of(made, end=day)).is_found for day in range(first, end)], axis=-1)


def _episodes(row: NDArray[np.bool_]) -> int:
    """Findings that people would see: one stays open until it was quiet for some days."""
    count, last = 0, -10_000
    for day in map(int, np.flatnonzero(row)):
        count += day - last > SLIDE_QUIET_DAYS
        last = day
    return count
