"""Slow slides: what no single day shows, and weeks together do.

For each length from `SHORTEST` to `LONGEST` weeks it is asked whether the newest weeks lie on a falling line that begins
at the level of all weeks before (a generalised likelihood ratio for a ramp of unknown slope and beginning; the level is
estimated in the same fit, so its uncertainty counts). Weeks are blocks of seven days counted back from the newest, so a
weekly rhythm is in every block alike. The noise of a block's mean is known from the values inside the blocks; where
the means scatter more than that explains, the noise is taken to be as large as they do.

Arrays have the weeks as their last axis, the newest first. Numpy is imported here: for tasks and benches, not for pages.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAYS = 7  # a block
SHORTEST, LONGEST = 4, 12  # weeks that a slide may have lasted
BEFORE = 6  # weeks with values before it, at least
KEPT = 52  # weeks looked at
LEAST_IN_WEEK = 10  # fewer values, and the week is left out
THRESHOLD = 2.95  # in standard errors; chosen by `manage.py bench drift`
LEAST_FALL = 0.02  # of the score: less is not worth a person's time, however certain
SCATTER_QUANTILE = 2.576  # of the normal distribution, 99.5 %


@dataclass(frozen=True, slots=True)
class Blocks:
    """Weekly sums of many series at once (moments.py says what they are); `n` zero where there is no week."""

    n: Floats
    weight: Floats
    weight_squares: Floats
    total: Floats
    squares: Floats


@dataclass(frozen=True, slots=True)
class Slides:
    """By series: the best evidence (standard errors, positive is falling), since how many weeks, and how far it fell."""

    strength: Floats  # -inf where there is too little to say anything
    weeks: NDArray[np.int64]
    fall: Floats  # from the level before to the end of the newest week
    level: Floats  # before it
    error: Floats  # standard error of the fall

    @property
    def is_found(self) -> NDArray[np.bool_]:
        return np.asarray((self.strength >= THRESHOLD) & (self.fall >= LEAST_FALL))


def blocks_of(days: Blocks, *, end: int) -> Blocks:
    """The weeks that end before day number `end` of daily sums (oldest first), newest week first, at most `KEPT`."""
    count = min(KEPT, end // DAYS)

    def weekly(values: Floats) -> Floats:
        part = values[..., end - count * DAYS : end]
        return np.asarray(part.reshape(*part.shape[:-1], count, DAYS).sum(axis=-1)[..., ::-1])

    return Blocks(*(weekly(getattr(days, name)) for name in Blocks.__slots__))


def find(blocks: Blocks) -> Slides:
    """Look for a slide that goes on now."""
    has = blocks.n >= LEAST_IN_WEEK
    count = blocks.n.shape[-1]
    lengths = np.arange(SHORTEST, LONGEST + 1)
    if count < SHORTEST + BEFORE:
        return _nothing(blocks.n.shape[:-1])
    with np.errstate(divide="ignore", invalid="ignore"):
        means = np.where(has, blocks.total / blocks.weight, 0.0)
        sizes = np.where(has, blocks.weight**2 / blocks.weight_squares, 0.0)
        precision = sizes / _variance(blocks, has)[..., None]
        ramps = np.clip(lengths[:, None] - np.arange(count) - 0.5, 0.0, None)  # length × week; grows by one a week
        weight = precision.sum(axis=-1)[..., None]
        level = (precision * means).sum(axis=-1)[..., None] / weight
        slope_sum = precision @ ramps.T
        information = precision @ (ramps**2).T - slope_sum**2 / weight
        score = (precision * (means - level)) @ ramps.T  # Σ p·r·(y - ȳ)
        strength = -score / np.sqrt(information)
        slope = score / information
    before = np.stack([has[..., length:].sum(axis=-1) for length in lengths], axis=-1)
    newest = (has[..., :2].sum(axis=-1) == 2)[..., None]
    during = np.stack([has[..., :length].sum(axis=-1) for length in lengths], axis=-1)
    can_say = (before >= BEFORE) & newest & (during >= SHORTEST) & np.isfinite(strength)
    strength = np.where(can_say, strength, -np.inf)
    best = strength.argmax(axis=-1)[..., None]

    def at_best(values: Floats) -> Floats:
        return np.asarray(np.take_along_axis(np.broadcast_to(values, strength.shape), best, axis=-1)[..., 0])

    scatter = _scatter(precision, means, level[..., 0], at_best(strength), has)
    length = lengths[best[..., 0]]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = scatter * length / np.sqrt(at_best(information))
    return Slides(
        strength=at_best(strength) / scatter,
        weeks=length,
        fall=-at_best(slope) * length,
        level=at_best(level - slope * slope_sum / weight),
        error=error,
    )


def _variance(blocks: Blocks, has: NDArray[np.bool_]) -> Floats:
    """Of single values inside the weeks, over all weeks; a floor keeps a series of equal values from dividing by zero."""
    inside = np.where(has, blocks.squares - blocks.total**2 / np.where(blocks.weight > 0, blocks.weight, 1.0), 0.0)
    weight, n = np.where(has, blocks.weight, 0.0).sum(axis=-1), np.where(has, blocks.n, 0.0).sum(axis=-1)
    weeks = has.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = inside.sum(axis=-1) / weight * n / np.maximum(1.0, n - weeks)
    return np.asarray(np.maximum(np.nan_to_num(variance), 1e-4))


def _scatter(precision: Floats, means: Floats, level: Floats, strength: Floats, has: NDArray[np.bool_]) -> Floats:
    """By how much more the weeks scatter around the best line than their inner noise explains; 1 where they do not.

    Chi-square of the residuals, judged by Wilson and Hilferty's approximation (1931).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        chi = (precision * (means - level[..., None]) ** 2).sum(axis=-1) - np.where(
            np.isfinite(strength), strength, 0.0
        ) ** 2
        freedom = np.maximum(1.0, has.sum(axis=-1) - 2.0)
        part = 2.0 / (9.0 * freedom)
        bound = freedom * (1.0 - part + SCATTER_QUANTILE * np.sqrt(part)) ** 3
        return np.asarray(np.where(chi > bound, np.sqrt(np.maximum(1.0, chi / freedom)), 1.0))


def _nothing(shape: tuple[int, ...]) -> Slides:
    zeros = np.zeros(shape)
    return Slides(np.full(shape, -np.inf), np.zeros(shape, dtype=np.int64), zeros, zeros, zeros)
