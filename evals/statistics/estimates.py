"""Means and shares with their intervals of 95 %. Plain Python: pages use them, and need no numpy for it."""

from __future__ import annotations

import math
from dataclasses import dataclass

Z = 1.959964  # two-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its interval of 95 %. `n`: how many things it rests on, not their weight."""

    n: int
    mean: float
    low: float
    high: float


def share(successes: int, n: int) -> Estimate | None:
    """Of a share of equals: Wilson's score interval (E. B. Wilson, 1927). None where there is nothing."""
    if n <= 0:
        return None
    p, z2 = successes / n, Z * Z
    middle = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return Estimate(n=n, mean=p, low=max(0.0, middle - half), high=min(1.0, middle + half))


def weighted_mean(
    *, n: int, weight: float, weight_squares: float, total: float, squares: float, low: float = 0.0, high: float = 1.0
) -> Estimate | None:
    """Of a sample whose members were chosen with unequal probabilities: weights are one over them (Hájek's estimator).

    `weight` = sum of w, `weight_squares` of w², `total` of w·x, `squares` of w·x². The interval takes Kish's effective size,
    (sum w)² / sum w². None with fewer than two.
    """
    if n < 2 or weight <= 0:
        return None
    mean = total / weight
    size = weight * weight / weight_squares
    variance = max(0.0, squares / weight - mean * mean) * n / (n - 1)
    half = Z * math.sqrt(variance / size)
    return Estimate(n=n, mean=mean, low=max(low, mean - half), high=min(high, mean + half))


def difference_of_shares(successes: int, n: int, other: int, of: int) -> Estimate | None:
    """First share minus second, by Newcombe's interval from both Wilson intervals (R. G. Newcombe, 1998, method 10)."""
    first, second = share(successes, n), share(other, of)
    if first is None or second is None:
        return None
    gap = first.mean - second.mean
    low = gap - math.hypot(first.mean - first.low, second.high - second.mean)
    high = gap + math.hypot(first.high - first.mean, second.mean - second.low)
    return Estimate(n=n + of, mean=gap, low=max(-1.0, low), high=min(1.0, high))
