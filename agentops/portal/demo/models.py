"""The models that the agents use."""

from __future__ import annotations

from agentops.portal.demo.steps import Model

GPT_41 = Model("openai", "gpt-4.1-2025-04-14")
GPT_41_MINI = Model("openai", "gpt-4.1-mini-2025-04-14", tokens_per_second=110)
GPT_51 = Model("openai", "gpt-5.1-2025-11-13", reasons=True, tokens_per_second=85)
O4_MINI = Model("openai", "o4-mini-2025-04-16", reasons=True, tokens_per_second=120)
AZURE_MINI = Model("azure.ai.openai", "gpt-4.1-mini", answers_as="gpt-4.1-mini-2025-04-14", tokens_per_second=100)
SONNET_45 = Model("anthropic", "claude-sonnet-4-5-20250929")
HAIKU_45 = Model("anthropic", "claude-haiku-4-5-20251001", tokens_per_second=140)
OPUS_45 = Model("anthropic", "claude-opus-4-5-20251101", reasons=True, tokens_per_second=55)
BEDROCK_SONNET = Model("aws.bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0", tokens_per_second=60)
BEDROCK_HAIKU = Model("aws.bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", tokens_per_second=120)
MISTRAL = Model("mistral_ai", "mistral-medium-2508", caches=False)
# A name without a version: what answers today may be another model tomorrow, and the portal says so.
GPT_4O_FLOATING = Model("openai", "gpt-4o", caches=False, tokens_per_second=90)
# The bank's own model. No table has a price for it.
IN_HOUSE = Model("kestrel_ml", "kestrel-screen-7b-20260901", caches=False, tokens_per_second=160)
GEMINI_PRO = Model("gcp.gemini", "gemini-2.5-pro", reasons=True, tokens_per_second=90)
