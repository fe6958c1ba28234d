"""How far a judge and people agree beyond chance. Pure.

Cohen's kappa (J. Cohen, 1960); for scales with an order, with linear weights (1968): a judge who says 4 where a person says 5
is less wrong than one who says 1. Its interval is the wider of two at each end: the one of large samples (J. Fleiss, J. Cohen,
B. Everitt, 1969), and Wilson's interval of the observed agreement with chance agreement held, which also says something where
all pairs agree: thirty of thirty is not certainty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from evals.statistics import estimates

LEAST_PAIRS = 30  # below it the interval is so wide that a coin might pass
LEAST_KAPPA = (
    0.4  # "moderate" and better (J. Landis, G. Koch, 1977), held by the interval's lower end, not by its middle
)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of pairs (judge, person). `kappa` is None where one of them used a single category for all: nothing can be said then."""

    pairs: int
    agreement: float  # share of the same category
    kappa: float | None
    low: float | None
    high: float | None
    categories: tuple[str, ...]
    matrix: tuple[tuple[int, ...], ...]  # rows: what the person said; columns: what the judge said
    base_rate: float  # share of the persons' most frequent category

    @property
    def is_sound(self) -> bool:
        return self.pairs >= LEAST_PAIRS and self.low is not None and self.low >= LEAST_KAPPA


def agreement(pairs: Sequence[tuple[str, str]], categories: Sequence[str], *, is_ordered: bool) -> Agreement | None:
    """Of (judge, person) pairs whose values are among the categories, the worst first; None without any pair."""
    places = {category: place for place, category in enumerate(categories)}
    known = [(places[judge], places[person]) for judge, person in pairs if judge in places and person in places]
    if not known:
        return None
    size, n = len(categories), len(known)
    matrix = [[0] * size for _ in range(size)]
    for judge, person in known:
        matrix[person][judge] += 1
    rows = [sum(row) / n for row in matrix]
    columns = [sum(row[place] for row in matrix) / n for place in range(size)]
    weights = _weights(size, is_ordered)
    observed = sum(weights[i][j] * matrix[i][j] / n for i in range(size) for j in range(size))
    chance = sum(weights[i][j] * rows[i] * columns[j] for i in range(size) for j in range(size))
    kappa = low = high = None
    if chance < 1 - 1e-12 and max(rows) < 1:
        kappa = (observed - chance) / (1 - chance)
        low, high = _interval(matrix, n, weights, rows, columns, observed, chance, kappa)
    return Agreement(
        pairs=n,
        agreement=sum(matrix[i][i] for i in range(size)) / n,
        kappa=kappa,
        low=low,
        high=high,
        categories=tuple(categories),
        matrix=tuple(tuple(row) for row in matrix),
        base_rate=max(rows),
    )


def _weights(size: int, is_ordered: bool) -> list[list[float]]:
    if not is_ordered or size < 3:
        return [[float(i == j) for j in range(size)] for i in range(size)]
    return [[1 - abs(i - j) / (size - 1) for j in range(size)] for i in range(size)]


def _interval(
    matrix: list[list[int]],
    n: int,
    weights: list[list[float]],
    rows: list[float],
    columns: list[float],
    observed: float,
    chance: float,
    kappa: float,
) -> tuple[float, float]:
    size = len(matrix)
    of_row = [sum(columns[j] * weights[i][j] for j in range(size)) for i in range(size)]
    of_column = [sum(rows[i] * weights[i][j] for i in range(size)) for j in range(size)]
    total = sum(
        matrix[i][j] / n * (weights[i][j] - (of_row[i] + of_column[j]) * (1 - kappa)) ** 2
        for i in range(size)
        for j in range(size)
    )
    variance = max(0.0, (total - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2))
    half = estimates.Z * math.sqrt(variance)
    z2 = estimates.Z**2
    middle = (observed + z2 / (2 * n)) / (1 + z2 / n)
    spread = estimates.Z * math.sqrt(observed * (1 - observed) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    low = min(kappa - half, (middle - spread - chance) / (1 - chance))
    high = max(kappa + half, (middle + spread - chance) / (1 - chance))
    return max(-1.0, low), min(1.0, high)
