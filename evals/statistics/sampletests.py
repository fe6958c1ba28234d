"""Two samples compared: is there a difference, how large is it, and how sure is that. From sums alone, in plain Python.

Effects are standardised, so that one scale of words holds: Cohen's d for means, h for shares, V for mixes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evals.statistics.estimates import Estimate, Z, difference_of_shares, share
from evals.statistics.moments import Moments

SMALL, MEDIUM, LARGE = 0.2, 0.5, 0.8  # J. Cohen, 1988; for V with few kinds 0.1, 0.3, 0.5


@dataclass(frozen=True, slots=True)
class Compared:
    """`difference` is after minus before, with its interval of 95 %."""

    before: Estimate
    after: Estimate
    difference: float
    low: float
    high: float
    effect: float
    p: float


@dataclass(frozen=True, slots=True)
class MixCompared:
    """How far two mixes are apart: `effect` is Cramér's V, `divergence` Jensen and Shannon's in bits, 0 to 1."""

    effect: float
    divergence: float
    p: float
    moved: tuple[tuple[str, float, float], ...]  # name, share before, share after; those that moved most first


def means(before: Moments, after: Moments, *, between: float = 0.0) -> Compared | None:
    """Welch's test on weighted sums. `between`: variance of the after side's mean that single values do not explain."""
    one, other = before.estimate(), after.estimate()
    if one is None or other is None:
        return None
    parts = (before.variance / before.size, after.variance / after.size + between)
    error = math.sqrt(sum(parts))
    gap = after.mean - before.mean
    if error == 0:
        return Compared(one, other, gap, gap, gap, 0.0 if gap == 0 else math.copysign(math.inf, gap), float(gap == 0))
    freedom = error**4 / sum(
        part**2 / max(1.0, side.size - 1) for part, side in zip(parts, (before, after), strict=True)
    )
    pooled = math.sqrt((before.variance + after.variance) / 2)
    effect = gap / pooled if pooled > 0 else math.copysign(math.inf, gap)
    return Compared(one, other, gap, gap - Z * error, gap + Z * error, effect, two_sided(gap / error, freedom))


def shares(successes: int, n: int, after_successes: int, after_n: int, *, between: float = 0.0) -> Compared | None:
    """Two proportions by the pooled score test, the interval by Newcombe, the effect Cohen's h."""
    gap = difference_of_shares(after_successes, after_n, successes, n)
    one, other = share(successes, n), share(after_successes, after_n)
    if gap is None or one is None or other is None:
        return None
    pooled = (successes + after_successes) / (n + after_n)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / after_n) + between)
    effect = 2 * (math.asin(math.sqrt(other.mean)) - math.asin(math.sqrt(one.mean)))
    p = two_sided(gap.mean / error) if error > 0 else 1.0
    return Compared(one, other, gap.mean, gap.low, gap.high, effect, p)


def mixes(before: Mapping[str, int], after: Mapping[str, int], *, runs: tuple[int, int]) -> MixCompared | None:
    """Chi-square of two mixes of tools. Calls of one run hang together, so no side counts for more than its `runs`."""
    sums = (sum(before.values()), sum(after.values()))
    if not all(sums):
        return None
    names = sorted(before.keys() | after.keys())
    first, second = (
        [side.get(name, 0) / total for name in names] for side, total in zip((before, after), sums, strict=True)
    )
    n, m = (min(total, count) for total, count in zip(sums, runs, strict=True))
    if not n or not m:
        return None
    pooled = [(n * a + m * b) / (n + m) for a, b in zip(first, second, strict=True)]
    chi = sum(
        n * (a - c) ** 2 / c + m * (b - c) ** 2 / c for a, b, c in zip(first, second, pooled, strict=True) if c > 0
    )
    moved = sorted(zip(names, first, second, strict=True), key=lambda row: -abs(row[2] - row[1]))
    return MixCompared(
        effect=math.sqrt(chi / (n + m)),
        divergence=_jensen_shannon(first, second),
        p=chi_square_tail(chi, len(names) - 1),
        moved=tuple(moved),
    )


def two_sided(t: float, freedom: float = math.inf) -> float:
    """The chance of so large a t, either way. By Wallace's normal approximation (1959), within 1 % from 5 degrees up."""
    z = abs(t)
    if freedom < math.inf:
        z = (8 * freedom + 1) / (8 * freedom + 3) * math.sqrt(freedom * math.log1p(t * t / freedom))
    return math.erfc(z / math.sqrt(2))


def chi_square_tail(value: float, freedom: int) -> float:
    """The chance of so large a chi-square, by the regularised incomplete gamma function (its series and fraction)."""
    if freedom <= 0 or value <= 0:
        return 1.0
    a, x = freedom / 2, value / 2
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        k = a
        while abs(term) > abs(total) * 1e-12:
            k += 1
            term *= x / k
            total += term
        return max(0.0, 1 - total * scale)
    b, c = x + 1 - a, 1e300
    d = 1 / b
    h = d
    for i in range(1, 500):
        step = -i * (i - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        h *= d * c
        if abs(d * c - 1) < 1e-12:
            break
    return scale * h


def between_days(days: Sequence[Moments]) -> float:
    """By how much the means of days differ beyond what their values explain (DerSimonian and Laird, 1986): a variance.

    It holds the weekly rhythm, and whatever else makes one day unlike the next.
    """
    kept = [day for day in days if day.n >= 2 and day.size > 0 and day.variance > 0]
    if len(kept) < 4:
        return 0.0
    precision = [day.size / day.variance for day in kept]
    whole = math.fsum(precision)
    middle = math.fsum(w * day.mean for w, day in zip(precision, kept, strict=True)) / whole
    q = math.fsum(w * (day.mean - middle) ** 2 for w, day in zip(precision, kept, strict=True))
    scale = whole - math.fsum(w * w for w in precision) / whole
    return max(0.0, (q - (len(kept) - 1)) / scale) if scale > 0 else 0.0


def size_in_words(effect: float, *, is_mix: bool = False) -> str:
    """How large an effect is, by Cohen's rule of thumb."""
    bounds = (0.1, 0.3, 0.5) if is_mix else (SMALL, MEDIUM, LARGE)
    words = ("negligible", "small", "medium", "large")
    return words[sum(abs(effect) >= bound for bound in bounds)]


def _jensen_shannon(first: Sequence[float], second: Sequence[float]) -> float:
    total = 0.0
    for a, b in zip(first, second, strict=True):
        middle = (a + b) / 2
        total += sum(x * math.log2(x / middle) / 2 for x in (a, b) if x > 0)
    return max(0.0, total)
