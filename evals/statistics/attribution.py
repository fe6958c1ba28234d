"""Which change made the difference, where several things changed at about the same time.

Runs are put into cells that share all their hashes. What changed is regressed on (weighted least squares): where one hash
changed and the others did not, only its coefficient can explain the difference. Hashes that changed in the same runs
cannot be told apart, and that is the answer then. Numpy is imported here: for tasks and benches, not for pages.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evals.statistics.moments import Moments

CHANGED = 0.2  # by so much of its runs must a value's share have grown, to count as a change
ALIKE = 0.95  # correlation of two changes over the runs, from which they cannot be told apart
SURE = 2.0  # standard errors that a change must explain


@dataclass(frozen=True, slots=True)
class Cell:
    """Runs with the same hashes, all before or all after the boundary."""

    values: Mapping[str, str]  # factor → its value
    is_after: bool
    runs: int
    sums: Moments  # of the metric


@dataclass(frozen=True, slots=True)
class Change:
    factor: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Attribution:
    """`causes` holds one change, or those that cannot be told apart, or none: nothing that we know changed."""

    causes: tuple[Change, ...]
    changed: tuple[Change, ...]
    is_told: bool


def attribute(cells: Sequence[Cell], factors: Sequence[str]) -> Attribution:
    """`factors`: prompt, model and tools, as the caller names them."""
    changed = [change for factor in factors if (change := _change(cells, factor))]
    if len(changed) < 2:
        return Attribution(tuple(changed), tuple(changed), is_told=True)
    columns = np.array(
        [[cell.values[change.factor] == change.new for change in changed] for cell in cells], dtype=float
    )
    kept = np.array([cell.sums.n >= 2 for cell in cells])
    weights = np.array([cell.sums.size for cell in cells])
    if kept.sum() < 2:
        return Attribution(tuple(changed), tuple(changed), is_told=False)
    strengths, twins = _fit(columns[kept], weights[kept], [cell.sums for cell in cells if cell.sums.n >= 2])
    direction = np.sign(_gap(cells)) or 1.0
    if not strengths:
        return Attribution(tuple(changed), tuple(changed), is_told=False)
    best = max(range(len(changed)), key=lambda i: strengths[i] * direction)
    if strengths[best] * direction < SURE:
        return Attribution(tuple(changed), tuple(changed), is_told=False)
    among = tuple(changed[i] for i in range(len(changed)) if twins[best][i])
    return Attribution(among, tuple(changed), is_told=len(among) == 1)


def _change(cells: Sequence[Cell], factor: str) -> Change | None:
    """The value whose share of runs grew most, and the one that it came after."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for cell in cells:
        (after if cell.is_after else before)[cell.values[factor]] += cell.runs
    if not before.total() or not after.total():
        return None
    growth = {v: after[v] / after.total() - before[v] / before.total() for v in sorted(before.keys() | after.keys())}
    new, old = max(growth, key=growth.__getitem__), min(growth, key=growth.__getitem__)
    return Change(factor, old, new) if growth[new] >= CHANGED else None


def _fit(columns: np.ndarray, weights: np.ndarray, sums: Sequence[Moments]) -> tuple[list[float], np.ndarray]:
    """The strength of each change (its coefficient in standard errors; empty: no telling), and which were in the same runs."""
    means = np.array([cell.mean for cell in sums])
    inside = sum(cell.variance * cell.n for cell in sums) / sum(cell.n for cell in sums)
    share = weights / weights.sum()
    centred = columns - share @ columns
    deviation = np.sqrt(np.maximum(share @ centred**2, 1e-12))
    correlation = (centred * share[:, None]).T @ centred / np.outer(deviation, deviation)
    twins = np.abs(correlation) >= ALIKE
    np.fill_diagonal(twins, True)
    groups = [min(np.flatnonzero(row)) for row in twins]  # twins get one column together
    leaders = sorted(set(groups))
    design = np.column_stack([np.ones(len(means)), columns[:, leaders]])
    normal = design.T @ (design * weights[:, None])
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return [], twins  # three or more changes that explain each other
    inverse = np.linalg.pinv(normal)
    coefficients = inverse @ (design.T @ (weights * means))
    errors = np.sqrt(np.maximum(np.diag(inverse) * max(inside, 1e-9), 1e-18))
    by_leader = {leader: coefficients[i + 1] / errors[i + 1] for i, leader in enumerate(leaders)}
    return [float(by_leader[group]) for group in groups], twins


def _gap(cells: Sequence[Cell]) -> float:
    before, after = (sum((c.sums for c in cells if c.is_after is side), Moments()) for side in (False, True))
    return after.mean - before.mean if before.weight and after.weight else 0.0
