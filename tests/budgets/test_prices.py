"""Prices equal genai-prices' to the nano-dollar, and what has no price is loud."""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices.data import providers
from hypothesis import given, settings
from hypothesis import strategies as st

from agentops.budgets import prices
from agentops.budgets.book import Book, Key, Rates
from agentops.budgets.prices import Priced, price

AT = dt.datetime(2026, 11, 23, 12, tzinfo=dt.UTC)
MODELS = [(provider.id, model) for provider in providers for model in provider.models]
TIMED = [(name, model) for name, model in MODELS if isinstance(model.prices, list)]


def of(
    provider: str, model: str, *, overrides: dict[Key, Rates] | None = None, at: dt.datetime = AT, **tokens: int | None
) -> Priced:
    counts: dict[str, int | None] = dict.fromkeys(("input", "output", "cache_read", "cache_write", "reasoning"))
    book = Book.always(overrides) if overrides else None
    return price(provider, model, at=at, overrides=book, **{**counts, **tokens})  # type: ignore[arg-type]


def theirs(
    provider: str, model: str, at: dt.datetime, input: int, output: int, read: int, write: int, reasoning: int
) -> int:
    usage = genai_prices.Usage(
        input_tokens=input,
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write,
        output_reasoning_tokens=reasoning,
    )
    result = genai_prices.calc_price(usage, model, provider_id=provider, genai_request_timestamp=at)
    return int((result.total_price * 10**9).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


tokens = (
    st.integers(0, 3000) | st.integers(0, 2**31 - 1) | st.sampled_from([0, 128_000, 128_001, 200_000, 200_001, 272_001])
)
times = st.integers(1_704_067_200, 1_798_761_600).map(lambda seconds: dt.datetime.fromtimestamp(seconds, dt.UTC))


@settings(max_examples=1500, deadline=None)
@given(st.sampled_from(MODELS) | st.sampled_from(TIMED), tokens, tokens, tokens, tokens, tokens, times)
def test_prices_equal_the_tables_exactly(
    named: tuple[str, Any], fresh: int, read: int, write: int, answered: int, reasoning: int, at: dt.datetime
) -> None:
    provider, model = named
    counts = {
        "input": fresh + read + write,
        "output": answered + reasoning,
        "cache_read": read,
        "cache_write": write,
        "reasoning": reasoning,
    }
    found = of(provider, model.id, at=at, **counts)
    if found.source == "unknown_model":
        with pytest.raises(LookupError):
            genai_prices.calc_price(genai_prices.Usage(input_tokens=1), model.id, provider_id=provider)
        return
    if found.nano_usd is None:
        assert found.source == "no_price"
        return
    expected = theirs(provider, model.id, at, counts["input"], counts["output"], read, write, reasoning)
    assert found.nano_usd == expected
    assert sum(found.breakdown.values()) == found.nano_usd
    assert all(amount >= 0 for amount in found.breakdown.values())


def test_cached_tokens_are_not_charged_twice() -> None:
    found = of("openai", "gpt-4o", input=1000, output=100, cache_read=400, reasoning=50)
    # $2.50, $10 and $1.25 per million: 600 fresh, 400 cached, 100 out.
    assert found.nano_usd == 600 * 2500 + 400 * 1250 + 100 * 10_000
    assert found.breakdown == {"input": 1_500_000, "cache_read": 500_000, "output": 1_000_000}
    assert (found.source, found.table_version) == ("table", prices.TABLE_VERSION)


def test_a_long_prompt_pays_its_step_for_all_tokens() -> None:
    short = of("google", "gemini-2.5-pro", input=200_000, output=0)
    long = of("google", "gemini-2.5-pro", input=200_001, output=0)
    assert short.nano_usd is not None
    assert long.nano_usd is not None
    assert long.nano_usd > short.nano_usd * 1.5


@pytest.mark.parametrize("provider", ["openai", "", "never-heard-of"])
def test_an_unknown_model_is_unpriced_and_never_free(provider: str) -> None:
    found = of(provider, "no-such-model-at-all", input=1000, output=10)
    assert (found.nano_usd, found.source, found.breakdown) == (None, "unknown_model", {})


def test_a_call_that_reported_no_tokens_is_unpriced() -> None:
    assert of("openai", "gpt-4o").source == "no_usage"
    assert of("openai", "gpt-4o", input=0, output=0).nano_usd == 0
    assert of("openai", "gpt-4o", output=10).nano_usd == 100_000


def test_a_known_model_without_token_prices_is_unpriced() -> None:
    empty = [
        (name, model)
        for name, model in MODELS
        if not isinstance(model.prices, list) and not any(model.prices.__dict__.values())
    ]
    assert empty
    for provider, model in empty[:20]:
        found = of(provider, model.id, input=100, output=1)
        assert found.nano_usd is None or found.nano_usd == 0, "a price of zero is a price"
        if all(value is None for value in model.prices.__dict__.values()):
            assert found.nano_usd is None


def test_xai_is_found_by_opentelemetrys_name() -> None:
    assert of("x_ai", "grok-4", input=1000, output=10).nano_usd == of("x-ai", "grok-4", input=1000, output=10).nano_usd
    assert of("x_ai", "grok-4", input=1000, output=10).nano_usd


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("azure.ai.openai", "gpt-4o"),
        ("aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("gcp.gemini", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "gemini-2.5-pro"),
        ("gcp.gen_ai", "gemini-2.5-pro"),
        ("mistral_ai", "mistral-large-latest"),
        ("anthropic", "claude-sonnet-4-5-20250929"),
        ("", "claude-sonnet-4-5"),
    ],
)
def test_opentelemetrys_provider_names_are_priced(provider: str, model: str) -> None:
    assert of(provider, model, input=1000, output=10).nano_usd


def test_a_tenants_override_wins_as_a_whole() -> None:
    mine: dict[Key, Rates] = {
        ("openai", "gpt-4o"): {"input": Decimal("1"), "output": Decimal("2.5"), "cache_read": Decimal("0.1")}
    }
    found = of(
        "openai", "gpt-4o", input=1000, output=100, cache_read=400, cache_write=100, reasoning=50, overrides=mine
    )
    assert found.nano_usd == 600 * 1000 + 400 * 100 + 100 * 2500
    assert found.source == "override"
    assert of("openai", "gpt-4o-mini", input=1000, overrides=mine).source == "table"


def test_an_override_prices_a_model_nobody_knows() -> None:
    mine: dict[Key, Rates] = {("", "llama-in-the-cellar"): {"input": Decimal("0"), "output": Decimal("0.001")}}
    assert of("ollama", "llama-in-the-cellar", input=10**6, output=10**6, overrides=mine).nano_usd == 1_000_000
    half: dict[Key, Rates] = {("", "x"): {"input": Decimal("1")}}
    assert of("", "x", input=5, output=5, overrides=half).source == "no_price"
    assert of("", "x", input=5, output=0, overrides=half).nano_usd == 5000


@pytest.mark.parametrize("bad", [Decimal("-1"), Decimal("NaN"), Decimal("Infinity"), 1.5, 2])
def test_an_override_that_is_no_price_is_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="finite Decimal"):
        of("", "x", input=1, overrides={("", "x"): {"input": bad}})


def test_amounts_are_rounded_once_half_to_even() -> None:
    tiny: dict[Key, Rates] = {
        ("", "x"): {"input": Decimal("0.0005"), "output": Decimal("0.0005")}
    }  # half a nano-dollar
    for count, nano in ((1, 0), (2, 1), (3, 2), (5, 2), (7, 4)):
        assert of("", "x", input=count, output=0, overrides=tiny).nano_usd == nano
    both = of("", "x", input=1, output=1, overrides=tiny)
    assert both.nano_usd == 1
    assert sum(both.breakdown.values()) == 1


def test_contradicting_counts_never_make_a_negative_amount() -> None:
    found = of("openai", "gpt-4o", input=10, output=1, cache_read=1000, reasoning=50)
    assert found.nano_usd is not None
    assert all(amount >= 0 for amount in found.breakdown.values())


def test_the_cache_of_models_is_bounded() -> None:
    for index in range(prices.MAX_CACHED_MODELS + 50):
        of("openai", f"hostile-{index}", input=1, output=1)
    assert len(prices._models) <= prices.MAX_CACHED_MODELS
    assert of("openai", "x" * 100_000, input=1, output=1).nano_usd is None
