"""What a model call can cost at most, and how long its answer may be for a given amount."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from agentops.budgets.book import Book
from agentops.budgets.prices import price

Cost = Callable[[int], int | None]


def worst_case(provider: str, model: str, *, input_tokens: int, at: datetime, overrides: Book | None) -> Cost:
    """The dearest cost in nano-dollars as a function of the output tokens; None for a model without a price.

    The input may be fresh or written to the cache, the output plain or reasoning: the caller does not know yet.
    """

    def cost(output_tokens: int) -> int | None:
        dearest: int | None = None
        for cache_write in (None, input_tokens):
            for reasoning in (None, output_tokens):
                found = price(
                    provider,
                    model,
                    input=input_tokens,
                    output=output_tokens,
                    cache_read=None,
                    cache_write=cache_write,
                    reasoning=reasoning,
                    at=at,
                    overrides=overrides,
                ).nano_usd
                if found is not None and (dearest is None or found > dearest):
                    dearest = found
        return dearest

    return cost


def longest_within(cost: Cost, *, most: int, room: int) -> int:
    """The most output tokens, at most `most`, whose cost is within `room`; 0 if not even one token is."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        found = cost(middle)
        if found is not None and found <= room:
            low = middle
        else:
            high = middle - 1
    return low
