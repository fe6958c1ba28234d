"""What one call would cost, class by class, as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from agentops.budgets.book import Book
from agentops.budgets.prices import CLASSES, DISCOUNT, NO_PRICE, OVERRIDE, TABLE, UNKNOWN_MODEL, Priced, price
from agentops.common.money import usd_text

_WORDS = {
    "input": "Fresh input",
    "output": "Output",
    "cache_read": "Read from cache",
    "cache_write": "Written to cache",
    "reasoning": "Reasoning",
    "request": "The request itself",
}
_SOURCES = {
    TABLE: "the price table",
    DISCOUNT: "the price table, less your discount",
    OVERRIDE: "your own price",
    UNKNOWN_MODEL: "nothing: neither the table nor you have a price for this model",
    NO_PRICE: "nothing: the model is known, but not what such tokens cost",
}


@dataclass(frozen=True, slots=True)
class CallPrice:
    """The price of a call that is only thought of. `rows` are word and dollars of each class that costs something."""

    at: datetime
    priced: Priced

    @property
    def rows(self) -> list[tuple[str, str | None]]:
        return [(_WORDS[name], usd_text(amount)) for name, amount in self.priced.breakdown.items()]

    @property
    def together(self) -> str | None:
        return usd_text(self.priced.nano_usd)

    @property
    def dearer_nano_usd(self) -> int:
        return -self.priced.saved_nano_usd

    @property
    def source(self) -> str:
        return _SOURCES.get(self.priced.source, self.priced.source)

    @property
    def percent_off(self) -> Decimal:
        return Decimal(self.priced.hundredths_off) / 100


def call_price(*, provider: str, model: str, tokens: Mapping[str, int | None], at: datetime, book: Book) -> CallPrice:
    """Price a call by the table and the book. `tokens` are of prices.CLASSES."""
    counts = {name: tokens.get(name) for name in CLASSES}
    return CallPrice(at, price(provider, model, **counts, at=at, overrides=book))
