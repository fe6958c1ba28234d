"""What a model call costs, in integers of nano-dollars.

The table is genai-prices' bundled one. Its rates are compiled once per (provider, model) to scaled integers, so that
a call costs a few multiplications and equals `genai_prices.calc_price` exactly, rounded once (half to even). Prices
that step with the size of the prompt are compiled per step; those that depend on the date or the time of day are
resolved for the moment of the call. Nothing is fetched from the network. What a tenant pays instead is its book's
(book.py): its own price of a model stands for the table's, a discount comes off the table's before the rounding.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import genai_prices
from genai_prices import data_snapshot
from genai_prices.types import ModelPrice, TieredPrices

from agentops.budgets.book import WHOLE, Book

TABLE_VERSION = f"genai-prices/{genai_prices.__version__}"
CLASSES = ("input", "output", "cache_read", "cache_write", "reasoning")

# Sources of a price.
TABLE = "table"
DISCOUNT = "discount"  # the table's price, less what was negotiated
OVERRIDE = "override"
UNKNOWN_MODEL = "unknown_model"
NO_PRICE = "no_price"  # the model is known, but not what it charges for tokens like these
NO_USAGE = "no_usage"  # the call did not report any tokens

MAX_CACHED_MODELS = 4096
_MAX_MODEL_NAME = 200
# OpenTelemetry's names that genai-prices does not know.
_PROVIDERS = {"x_ai": "x-ai", "gcp.gen_ai": "google", "azure.ai.inference": "azure"}
_PRICE_KEYS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "reasoning": "output_reasoning_mtok",
}
_PER_REQUEST = "requests_kcount"
_NO_PRICES = ModelPrice()


class Priced(NamedTuple):
    """The price of one call. `nano_usd` is None for an unpriced call, which is never the same as a free one."""

    nano_usd: int | None
    parts: tuple[int, ...]  # exact amounts of CLASSES and of the request itself, in nano-dollars times `scale`
    scale: int
    table_version: str
    source: str
    saved_nano_usd: int = 0  # what these tokens would have cost without a cache, less what they cost; below 0: dearer
    hundredths_off: int = 0  # of a percent, which the parts are already without

    @property
    def breakdown(self) -> dict[str, int]:
        """Nano-dollars by token class (and `request`); the parts add up to `nano_usd` exactly."""
        if self.nano_usd is None:
            return {}
        names = (*CLASSES, "request")
        amounts = {name: part // self.scale for name, part in zip(names, self.parts, strict=True) if part}
        missing = self.nano_usd - sum(amounts.values())
        largest_rest = sorted(amounts, key=lambda name: -(self.parts[names.index(name)] % self.scale))
        for name in largest_rest[:missing]:
            amounts[name] += 1
        return amounts


class Rates(NamedTuple):
    """Nano-dollars per token times `scale`; None where a class is not priced on its own."""

    scale: int
    input: int | None
    output: int | None
    cache_read: int | None
    cache_write: int | None
    reasoning: int | None
    request: int  # nano-dollars per call times `scale`


# Rates from a number of input tokens on (exclusive), ascending; the first starts at -1.
Steps = tuple[tuple[int, Rates], ...]


class _Model(NamedTuple):
    steps: Steps | None  # None: depends on the time
    model: Any
    provider_id: str


_models: dict[tuple[str, str], _Model | None] = {}
_timed: dict[int, tuple[ModelPrice, Steps]] = {}
_snapshot: list[data_snapshot.DataSnapshot] = []


def price(
    provider: str,
    model: str,
    *,
    input: int | None,
    output: int | None,
    cache_read: int | None,
    cache_write: int | None,
    reasoning: int | None,
    at: dt.datetime,
    overrides: Book | None = None,
) -> Priced:
    """The price of one model call.

    Counts are tokens: `input` includes cached ones (read and written), `output` includes reasoning; None is "not
    said". `provider` is OpenTelemetry's name or "" (then the model's name decides), `at` the time of the call, aware.
    A tenant's own price wins over the table as a whole: a class it leaves out costs what its total costs (cached as
    `input`, reasoning as `output`). A discount is off the table's price only. Unknown models, and tokens nobody has a
    price for, are unpriced.
    """
    if input is None and output is None:
        return Priced(None, (), 1, TABLE_VERSION, NO_USAGE)
    if overrides:
        own = overrides.rates(provider, model, at)
        if own is not None:
            return _charged(_override_rates(own), input, output, cache_read, cache_write, reasoning, OVERRIDE)
    key = (provider, model)
    try:
        found = _models[key]
    except KeyError:
        found = _look_up(key)
    if found is None:
        return Priced(None, (), 1, TABLE_VERSION, UNKNOWN_MODEL)
    steps = found.steps
    if steps is None:
        steps = _steps_at(found.model, at)
    rates = steps[0][1]
    if len(steps) > 1:
        for start, stepped in steps:
            if (input or 0) > start:
                rates = stepped
    off = 0
    if overrides and overrides.discounts:
        off = overrides.hundredths_off((provider, found.provider_id), (model, found.model.id), at)
    return _charged(rates, input, output, cache_read, cache_write, reasoning, DISCOUNT if off else TABLE, off)


def _charged(
    rates: Rates,
    total_in: int | None,
    total_out: int | None,
    cache_read: int | None,
    cache_write: int | None,
    reasoning: int | None,
    source: str,
    off: int = 0,
) -> Priced:
    scale, rate_in, rate_out, rate_read, rate_write, rate_reasoning, request = rates
    fresh = total_in or 0
    said = total_out or 0
    read = write = thought = 0
    if cache_read and rate_read is not None:
        read = cache_read * rate_read
        fresh -= cache_read
    if cache_write and rate_write is not None:
        write = cache_write * rate_write
        fresh -= cache_write
    if reasoning and rate_reasoning is not None:
        thought = reasoning * rate_reasoning
        said -= reasoning
    if (fresh > 0 and rate_in is None) or (said > 0 and rate_out is None) or (rate_in is None and rate_out is None):
        return Priced(None, (), 1, TABLE_VERSION, NO_PRICE)
    # Counts that contradict each other (more cached than there were) never make a negative amount.
    asked = fresh * rate_in if rate_in is not None and fresh > 0 else 0
    answered = said * rate_out if rate_out is not None and said > 0 else 0
    parts: tuple[int, ...] = (asked, answered, read, write, thought, request)
    if off:
        parts = tuple(part * (WHOLE - off) for part in parts)
        scale *= WHOLE
    nano = _rounded(sum(parts), scale)
    saved = 0
    if (read or write) and rate_in is not None:
        fresh_only = (total_in or 0) * rate_in * ((WHOLE - off) if off else 1)
        saved = _rounded(fresh_only + parts[1] + parts[4] + parts[5], scale) - nano
    return Priced(nano, parts, scale, TABLE_VERSION, source, saved, off)


def _rounded(amount: int, scale: int) -> int:
    """Whole nano-dollars, half to even."""
    whole, rest = divmod(amount, scale)
    twice = rest * 2
    return whole + 1 if twice > scale or (twice == scale and whole & 1) else whole


def _look_up(key: tuple[str, str]) -> _Model | None:
    """Find a model in the table and compile it. Bounded: model names come from senders."""
    if len(_models) >= MAX_CACHED_MODELS:
        _models.clear()
        _snapshot.clear()  # it remembers every name it was asked for
    provider, name = key
    if not _snapshot:
        bundled = data_snapshot.get_snapshot()
        _snapshot.append(data_snapshot.DataSnapshot(providers=bundled.providers, from_auto_update=False))
    found: _Model | None = None
    if name and len(name) <= _MAX_MODEL_NAME:
        provider_id = _PROVIDERS.get(provider, provider) or None
        try:
            owner, model = _snapshot[0].find_provider_model(name, None, provider_id, None)
        except LookupError:
            pass
        else:
            steps = _compiled(model.prices) if isinstance(model.prices, ModelPrice) else None
            found = _Model(steps, model, owner.id)
    _models[key] = found
    return found


def _steps_at(model: Any, at: dt.datetime) -> Steps:
    prices = model.get_prices(at) if model.prices else _NO_PRICES
    known = _timed.get(id(prices))
    if known is None:
        known = _timed[id(prices)] = (prices, _compiled(prices))  # holding `prices` keeps its id its own
    return known[1]


def _compiled(prices: ModelPrice) -> Steps:
    by_class = {name: getattr(prices, key) for name, key in _PRICE_KEYS.items()}
    request = getattr(prices, _PER_REQUEST)
    starts = {-1}
    for value in (*by_class.values(), request):
        if isinstance(value, TieredPrices):
            starts.update(tier.start for tier in value.tiers)
    return tuple(
        (
            start,
            _rates(
                {name: _in_step(value, start) for name, value in by_class.items()},
                _in_step(request, start) or Decimal(0),
            ),
        )
        for start in sorted(starts)
    )


def _in_step(value: Decimal | TieredPrices | None, start: int) -> Decimal | None:
    """The rate for prompts just above `start` tokens: a tier holds for all tokens of a prompt beyond its start."""
    if not isinstance(value, TieredPrices):
        return value
    rate: Decimal = value.base
    for tier in value.tiers:
        if start >= tier.start:
            rate = tier.price
    return rate


def _rates(per_million: Mapping[str, Decimal | None], per_thousand_requests: Decimal) -> Rates:
    """Scaled integers: $/million tokens x 1000 is nano-dollars per token, $/thousand calls x 10^6 per call."""
    nano = {name: value * 1000 for name, value in per_million.items() if value is not None}
    request = per_thousand_requests * 1_000_000
    decimals = max((-int(value.as_tuple().exponent) for value in (*nano.values(), request)), default=0)
    scale = 10 ** max(decimals, 0)
    scaled = {name: int(value * scale) for name, value in nano.items()}
    return Rates(
        scale,
        scaled.get("input"),
        scaled.get("output"),
        scaled.get("cache_read"),
        scaled.get("cache_write"),
        scaled.get("reasoning"),
        int(request * scale),
    )


def _override_rates(override: Mapping[str, Decimal | None]) -> Rates:
    return _rates_of(tuple(override.get(name) for name in CLASSES))


@functools.lru_cache(maxsize=1024)
def _rates_of(values: tuple[Decimal | None, ...]) -> Rates:
    for value in values:
        if value is not None and not (isinstance(value, Decimal) and value.is_finite() and value >= 0):
            raise ValueError("an override is a finite Decimal >= 0 in US dollars per million tokens")
    return _rates(dict(zip(CLASSES, values, strict=True)), Decimal(0))
