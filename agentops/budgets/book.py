"""What one organisation pays where that is not the table's list price: its own prices and its discounts, each with its time.

A price says what a model costs here, as a whole; a discount takes a share off what the table says. A book answers for
the moment of a call, so a call that comes in late costs what it cost when it was made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple, TypeVar

WHOLE = 10_000  # hundredths of a percent
Rates = Mapping[str, Decimal | None]  # US dollars per million tokens of each class
Key = tuple[str, str]  # provider and model; "" holds for any
_ALWAYS = dt.datetime.min.replace(tzinfo=dt.UTC)


class DatedRates(NamedTuple):
    """A price that holds from `since` until (and without) `until`; None is open."""

    since: dt.datetime
    until: dt.datetime | None
    rates: Rates


class DatedDiscount(NamedTuple):
    """A share off list prices, in hundredths of a percent, that holds from `since` until (and without) `until`."""

    since: dt.datetime
    until: dt.datetime | None
    hundredths: int


_Dated = TypeVar("_Dated", DatedRates, DatedDiscount)


@dataclass(frozen=True, slots=True)
class Book:
    """Prices and discounts by provider and model. An empty book is false: the table holds."""

    prices: Mapping[Key, Sequence[DatedRates]] = field(default_factory=dict)
    discounts: Mapping[Key, Sequence[DatedDiscount]] = field(default_factory=dict)

    @classmethod
    def always(cls, prices: Mapping[Key, Rates]) -> Book:
        """Prices without a beginning or an end."""
        return cls({key: (DatedRates(_ALWAYS, None, rates),) for key, rates in prices.items()})

    def __bool__(self) -> bool:
        return bool(self.prices or self.discounts)

    def rates(self, provider: str, model: str, at: dt.datetime) -> Rates | None:
        """The price of a model at a moment; that of its provider before the one for any."""
        for key in ((provider, model), ("", model)):
            found = _at(self.prices.get(key, ()), at)
            if found is not None:
                return found.rates
        return None

    def hundredths_off(self, providers: Sequence[str], models: Sequence[str], at: dt.datetime) -> int:
        """What comes off the list price, 0 to WHOLE: the discount that says most about the call.

        `providers` and `models` are the names it goes by: the span's own, and the table's.
        """
        keys = [
            *((provider, model) for model in models for provider in providers),
            *(("", model) for model in models),
            *((provider, "") for provider in providers),
            ("", ""),
        ]
        for key in keys:
            found = _at(self.discounts.get(key, ()), at)
            if found is not None:
                return found.hundredths
        return 0


def _at(rows: Sequence[_Dated], at: dt.datetime) -> _Dated | None:
    for row in rows:
        if row.since <= at and (row.until is None or at < row.until):
            return row
    return None
