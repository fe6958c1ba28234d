"""Histories of judged runs as they might be, to choose thresholds by and to measure what they find (`bench drift`).

Scores lie in [0, 1] and follow a Beta distribution with the mean of their day and one standard deviation, which at 0.85
and 0.25 puts most of them near 1 and a tail near 0, as judges do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.statistics.slide import Blocks, Floats

DAYS_A_MONTH = 365.25 / 12


@dataclass(frozen=True, slots=True)
class Noise:
    """How an agent's scores are when nothing happens."""

    mean: float = 0.85
    deviation: float = 0.25
    judged_a_week: float = 200.0
    rhythm: float = 0.02  # of the weekday, up and down from the mean
    keeps_deviation: bool = True  # else the Beta's concentration stays as the mean falls, and the deviation grows


def flat(noise: Noise, *, days: int, phase: float) -> Floats:
    """The mean score of each day."""
    return np.asarray(noise.mean + noise.rhythm * np.sin(2 * np.pi * (np.arange(days) + phase) / 7))


def sliding(means: Floats, *, start: int, a_month: float, compounds: bool = False) -> Floats:
    """The same means, which from day `start` on lose this share of themselves each month."""
    months = np.clip(np.arange(len(means)) + 0.5 - start, 0, None) / DAYS_A_MONTH
    factor = (1 - a_month) ** months if compounds else 1 - a_month * months
    return np.asarray(np.clip(means * factor, 0.02, 0.98))


def scores(random: np.random.Generator, noise: Noise, means: Floats) -> Floats:
    """One score for each mean."""
    base = noise.mean * (1 - noise.mean) / noise.deviation**2 - 1
    if noise.keeps_deviation:
        deviation = np.minimum(noise.deviation, np.sqrt(means * (1 - means)) * 0.98)
        concentration = means * (1 - means) / deviation**2 - 1
    else:
        concentration = np.full_like(means, base)
    return np.asarray(random.beta(means * concentration, (1 - means) * concentration))


def daily_sums(random: np.random.Generator, noise: Noise, means: Floats) -> Blocks:
    """One history's judged runs, added up by day: how many there are a day is by chance, too."""
    counts: NDArray[np.int64] = random.poisson(noise.judged_a_week / 7, size=len(means))
    day = np.repeat(np.arange(len(means)), counts)
    values = scores(random, noise, means[day])
    n = counts.astype(np.float64)
    total: Floats = np.bincount(day, weights=values, minlength=len(means)).astype(np.float64)
    squares: Floats = np.bincount(day, weights=values**2, minlength=len(means)).astype(np.float64)
    return Blocks(n=n, weight=n, weight_squares=n, total=total, squares=squares)


def stacked(histories: list[Blocks]) -> Blocks:
    """Histories of equal length as one array each, to be looked at together."""
    return Blocks(*(np.stack([getattr(history, name) for history in histories]) for name in Blocks.__slots__))
