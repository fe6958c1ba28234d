"""The difference of two shares over the same cases, with its interval of 95 %. Plain Python: pages use it."""

from __future__ import annotations

import math
from collections.abc import Callable

from evals.statistics.estimates import Estimate, Z

_ROUNDS = 60  # halvings of an interval of length 2


def difference(*, won: int, lost: int, n: int) -> Estimate | None:
    """The share of cases that only the first passes, minus the share that only the second does; None without a case.

    The interval is Tango's score interval (T. Tango, 1998, Statistics in Medicine 17:891-908): it holds its level with few
    cases and none that differ, where the usual one has no width at all.
    """
    if n <= 0:
        return None
    mean = (won - lost) / n
    return Estimate(
        n=n,
        mean=mean,
        low=_where(lambda gap: _score(gap, won, lost, n) < Z, -1.0, mean),
        high=_where(lambda gap: _score(gap, won, lost, n) < -Z, mean, 1.0),
    )


def narrowest(n: int) -> float:
    """How much worse a version may still be when not one of n cases differs: no margin below this can be met."""
    return Z * Z / (n + Z * Z)


def cases_for(margin: float) -> int:
    """How many cases it takes until none that differs is enough to stay within a margin."""
    return math.ceil(Z * Z * (1 - margin) / margin) if margin > 0 else 0


def _score(gap: float, won: int, lost: int, n: int) -> float:
    """How many standard errors the seen difference lies above one of `gap`, were that the true one."""
    a = 2 * n
    b = -won - lost + (2 * n - won + lost) * gap
    c = -lost * gap * (1 - gap)
    share = max(0.0, (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a))
    spread = math.sqrt(max(0.0, n * (2 * share + gap * (1 - gap))))
    above = won - lost - n * gap
    if spread == 0:
        return 0.0 if above == 0 else math.copysign(math.inf, above)
    return above / spread


def _where(holds: Callable[[float], bool], low: float, high: float) -> float:
    """The place at which a condition, false below and true above it, begins to hold."""
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if holds(middle):
            high = middle
        else:
            low = middle
    return (low + high) / 2
