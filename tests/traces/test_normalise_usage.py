"""Token counts: every source includes cached tokens in input and reasoning tokens in output, or is made to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.traces.otlp_build import one

CHAT = {"gen_ai.operation.name": "chat"}
Expected = tuple[int | None, int | None, int | None, int | None, int | None]

# attributes, (input, output, cache read, cache write, reasoning), flags
TABLE: list[tuple[dict[str, Any], Expected, set[str]]] = [
    ({"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2}, (10, 2, None, None, None), set()),
    ({"gen_ai.usage.input_tokens": 0, "gen_ai.usage.output_tokens": 0}, (0, 0, None, None, None), set()),
    ({"gen_ai.usage.prompt_tokens": 10, "gen_ai.usage.completion_tokens": 2}, (10, 2, None, None, None), set()),
    ({"gen_ai.usage.input_tokens": 7, "gen_ai.usage.prompt_tokens": 10}, (7, None, None, None, None), set()),
    ({"gen_ai.usage.input_tokens": 10.0, "gen_ai.usage.output_tokens": "2"}, (10, 2, None, None, None), set()),
    # Exclusive: more cached than there were.
    (
        {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.cache_read.input_tokens": 90},
        (100, None, 90, None, None),
        {"usage_normalised"},
    ),
    (
        {
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.cache_read.input_tokens": 8,
            "gen_ai.usage.cache_creation.input_tokens": 4,
        },
        (22, None, 8, 4, None),
        {"usage_normalised"},
    ),
    # Exclusive, as the total tells.
    (
        {
            "gen_ai.usage.input_tokens": 50,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.cache_read_input_tokens": 20,
            "gen_ai.usage.total_tokens": 75,
        },
        (70, 5, 20, None, None),
        {"usage_normalised"},
    ),
    # Inclusive, as the total tells (langfuse#10592: 17,903 became 35,720).
    (
        {
            "gen_ai.usage.input_tokens": 17_903,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 17_817,
            "gen_ai.usage.total_tokens": 18_003,
        },
        (17_903, 100, 17_817, None, None),
        set(),
    ),
    (
        {"gen_ai.usage.output_tokens": 5, "gen_ai.usage.input_tokens": 1, "gen_ai.usage.reasoning.output_tokens": 50},
        (1, 55, None, None, 50),
        {"usage_normalised"},
    ),
    (
        {"gen_ai.usage.input_tokens": -1, "gen_ai.usage.output_tokens": 2},
        (None, 2, None, None, None),
        {"tokens_dropped"},
    ),
    ({"gen_ai.usage.input_tokens": True}, (None, None, None, None, None), {"tokens_dropped"}),
    ({"gen_ai.usage.input_tokens": 2**31}, (None, None, None, None, None), {"tokens_dropped"}),
    ({"gen_ai.usage.input_tokens": 2**31 - 1}, (2**31 - 1, None, None, None, None), set()),
    ({"gen_ai.usage.input_tokens": "many"}, (None, None, None, None, None), {"tokens_dropped"}),
    ({"gen_ai.usage.input_tokens": 1.5}, (None, None, None, None, None), {"tokens_dropped"}),
    # Vercel 5: Anthropic's inputTokens leave the cache out; the uncached part says so.
    (
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.usage.inputTokens": 100,
            "ai.usage.outputTokens": 5,
            "ai.usage.inputTokenDetails.noCacheTokens": 100,
            "ai.usage.inputTokenDetails.cacheReadTokens": 30,
        },
        (130, 5, 30, None, None),
        {"usage_normalised"},
    ),
    (
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.usage.inputTokens": 100,
            "ai.response.providerMetadata": json.dumps({"openai": {"cachedPromptTokens": 64}}),
        },
        (100, None, 64, None, None),
        set(),
    ),
    (
        {
            "ai.operationId": "ai.generateText.doGenerate",
            "ai.usage.promptTokens": 10,
            "ai.response.providerMetadata": json.dumps(
                {"anthropic": {"usage": {"cache_read_input_tokens": 60, "cache_creation_input_tokens": 5}}}
            ),
        },
        (75, None, 60, 5, None),
        {"usage_normalised"},
    ),
    # Langfuse: additive buckets, or OpenAI's own object.
    (
        {"langfuse.observation.type": "generation", "langfuse.observation.usage_details": '{"input": 3, "output": 4}'},
        (3, 4, None, None, None),
        set(),
    ),
    (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": json.dumps(
                {
                    "prompt_tokens": 50,
                    "completion_tokens": 9,
                    "total_tokens": 59,
                    "prompt_tokens_details": {"cached_tokens": 40},
                    "completion_tokens_details": {"reasoning_tokens": 3},
                }
            ),
        },
        (50, 9, 40, None, 3),
        set(),
    ),
    (
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.usage_details": json.dumps(
                {"input_tokens": 5, "cache_read_input_tokens": 40, "cache_creation_input_tokens": 2, "output_tokens": 1}
            ),
        },
        (47, 1, 40, 2, None),
        {"usage_normalised"},
    ),
    ({"langfuse.observation.type": "generation", "langfuse.observation.usage_details": "broken{"}, (None,) * 5, set()),
]


@pytest.mark.parametrize(("attributes", "expected", "flags"), TABLE)
def test_usage_is_inclusive_whatever_the_source(
    attributes: dict[str, Any], expected: Expected, flags: set[str]
) -> None:
    span = one({**CHAT, **attributes}, parent=9)
    found = (
        span.input_tokens,
        span.output_tokens,
        span.cache_read_tokens,
        span.cache_write_tokens,
        span.reasoning_tokens,
    )
    assert found == expected
    assert set(span.flags) == flags


@pytest.mark.parametrize(
    ("attributes", "nano"),
    [
        ({"llm.cost.total": 0.00123}, 1_230_000),
        ({"llm.cost.prompt": 0.001, "llm.cost.completion": 0.002}, 3_000_000),
        ({"gen_ai.usage.cost": "0.5"}, 500_000_000),
        ({"operation.cost": 1e-9}, 1),
        ({"langfuse.observation.cost_details": '{"input": 0.1, "output": 0.2}'}, 300_000_000),
        ({"langfuse.observation.cost_details": '{"input": 0.1, "output": 0.2, "total": 0.4}'}, 400_000_000),
        ({"llm.cost.total": -1.0}, None),
        ({"llm.cost.total": True}, None),
        ({"llm.cost.total": "free"}, None),
        ({"llm.cost.total": float("nan")}, None),
        ({}, None),
    ],
)
def test_a_reported_cost_is_kept_in_nano_dollars_beside_ours(attributes: dict[str, Any], nano: int | None) -> None:
    assert one({**CHAT, **attributes}, parent=9).cost_reported_nano_usd == nano


def test_usage_of_an_agent_span_is_not_the_spans_usage() -> None:
    span = one({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5, "llm.cost.total": 1.0})
    assert span.input_tokens is None
    assert span.cost_reported_nano_usd is None
    assert span.flags == ("usage_not_counted",)
    assert span.attributes["gen_ai.usage.input_tokens"] == 5
