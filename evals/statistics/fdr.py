"""Many tests at once: which of them to believe, so that of all findings only a stated share is expected to be noise."""

from __future__ import annotations

from collections.abc import Sequence


def adjusted(p_values: Sequence[float], weights: Sequence[float] | None = None) -> list[float]:
    """The q-value of each test, by Benjamini and Hochberg (1995): believe those at most the share you accept.

    `weights` were fixed before anything was seen, and say where a finding is expected or matters more (C. Genovese,
    K. Roeder and L. Wasserman, 2006); only their proportion counts.
    """
    count = len(p_values)
    if not count:
        return []
    given = list(weights) if weights is not None else [1.0] * count
    mean = sum(given) / count
    weighted = [p * mean / weight for p, weight in zip(p_values, given, strict=True)]
    order = sorted(range(count), key=weighted.__getitem__)
    answer, least = [1.0] * count, 1.0
    for rank in range(count, 0, -1):
        index = order[rank - 1]
        least = min(least, weighted[index] * count / rank)
        answer[index] = least
    return answer
