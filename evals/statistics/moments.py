"""What is kept of a sample: counts and weighted sums. They add up, so days make weeks and cohorts make agents."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from evals.statistics import estimates
from evals.statistics.estimates import Estimate


@dataclass(frozen=True, slots=True)
class Moments:
    """`n` values x with weights w (one over the probability of being chosen; 1 where all are): sums of w, w², w·x, w·x²."""

    n: int = 0
    weight: float = 0.0
    weight_squares: float = 0.0
    total: float = 0.0
    squares: float = 0.0

    @classmethod
    def of(cls, values: Iterable[float]) -> Moments:
        """Of values that all count the same."""
        kept = list(values)
        n = len(kept)
        return cls(n, n, n, math.fsum(kept), math.fsum(value * value for value in kept))

    @classmethod
    def of_share(cls, successes: int, n: int) -> Moments:
        return cls(n, n, n, successes, successes)

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.n + other.n,
            self.weight + other.weight,
            self.weight_squares + other.weight_squares,
            self.total + other.total,
            self.squares + other.squares,
        )

    @property
    def mean(self) -> float:
        return self.total / self.weight if self.weight > 0 else math.nan

    @property
    def variance(self) -> float:
        """Of single values; zero with fewer than two."""
        if self.n < 2 or self.weight <= 0:
            return 0.0
        return max(0.0, self.squares / self.weight - self.mean**2) * self.n / (self.n - 1)

    @property
    def size(self) -> float:
        """How many values of equal weight would say as much (Kish's effective size)."""
        return self.weight * self.weight / self.weight_squares if self.weight_squares > 0 else 0.0

    def estimate(self, *, low: float = -math.inf, high: float = math.inf) -> Estimate | None:
        return estimates.weighted_mean(
            n=self.n,
            weight=self.weight,
            weight_squares=self.weight_squares,
            total=self.total,
            squares=self.squares,
            low=low,
            high=high,
        )


def total(parts: Iterable[Moments]) -> Moments:
    return sum(parts, Moments())
