"""One word for one thing: providers, finish reasons, model names."""

from __future__ import annotations

import functools
import re
from typing import Any

from agentops.traces.normalise.values import parsed, text

# Names that frameworks and older conventions give; the right side is OpenTelemetry's gen_ai.provider.name.
_PROVIDERS = {
    "amazon-bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "aws-bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "az.ai.inference": "azure.ai.inference",
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure-openai": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "azure.openai": "azure.ai.openai",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google_generative_ai": "gcp.gemini",
    "gcp": "gcp.gen_ai",
    "google-vertex": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "vertex": "gcp.vertex_ai",
    "grok": "x_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "watsonx": "ibm.watsonx.ai",
    "ibm": "ibm.watsonx.ai",
    "openai-chat": "openai",
    "openai-responses": "openai",
    "claude": "anthropic",
}
# Frameworks that put themselves where the provider belongs: no provider is better than a wrong one.
_FRAMEWORKS = frozenset(
    {
        "langchain",
        "langgraph",
        "llamaindex",
        "llama_index",
        "litellm",
        "crewai",
        "haystack",
        "traceloop",
        "vercel",
        "unknown",
    }
)
_TWO_SEGMENTS = ("aws.", "azure.", "gcp.", "ibm.", "az.")
_HOSTS = (
    ("openai.azure.com", "azure.ai.openai"),
    ("models.ai.azure.com", "azure.ai.inference"),
    ("services.ai.azure.com", "azure.ai.inference"),
    ("api.openai.com", "openai"),
    ("anthropic.com", "anthropic"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("cohere.com", "cohere"),
    ("cohere.ai", "cohere"),
    ("deepseek.com", "deepseek"),
    ("groq.com", "groq"),
    ("mistral.ai", "mistral_ai"),
    ("moonshot.ai", "moonshot_ai"),
    ("moonshot.cn", "moonshot_ai"),
    ("perplexity.ai", "perplexity"),
    ("x.ai", "x_ai"),
    ("openrouter.ai", "openrouter"),
    ("together.xyz", "together"),
    ("fireworks.ai", "fireworks"),
    ("ml.cloud.ibm.com", "ibm.watsonx.ai"),
)
_FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "complete": "stop",
    "completed": "stop",
    "eos": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_call",
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "refusal": "content_filter",
    "safety": "content_filter",
    "content_filtered": "content_filter",
    "guardrail_intervened": "content_filter",
    "recitation": "content_filter",
    "blocklist": "content_filter",
    "prohibited_content": "content_filter",
    "spii": "content_filter",
    "malformed_function_call": "error",
}
_MAX_REASONS = 16
# A date (2024-08-06, 20240806), a short version (0613, 2407, 002) or a Bedrock version (v1:0) pins a model.
_PINNED = re.compile(r"(?:[-@_.](?:20\d\d-?[01]\d-?[0-3]\d|\d{3,4}|[01]\d-20\d\d|[01]\d-[0-3]\d)(?![\d.])|-v\d+:\d+)")


@functools.lru_cache(maxsize=2048)
def provider(name: str) -> str:
    """OpenTelemetry's name of a model provider; a framework's own name becomes ""."""
    lowered = name.strip().lower()
    known = _PROVIDERS.get(lowered)
    if known is None and "." in lowered and not lowered.startswith(_TWO_SEGMENTS):
        two = _PROVIDERS.get(".".join(lowered.split(".")[:2]))
        lowered = lowered.partition(".")[0]  # Vercel: "openai.chat", "anthropic.messages"
        known = two or _PROVIDERS.get(lowered)
    found = known or lowered
    return "" if found in _FRAMEWORKS else found


@functools.lru_cache(maxsize=4096)
def provider_of_host(host: str) -> str:
    """The provider behind a host name, or "" for a host that is no known model host."""
    lowered = host.strip().lower().rstrip(".").partition(":")[0]
    if lowered.startswith("bedrock") and lowered.endswith((".amazonaws.com", ".amazonaws.com.cn")):
        return "aws.bedrock"
    for suffix, name in _HOSTS:
        if lowered == suffix or lowered.endswith(("." + suffix, "-" + suffix)):
            return name
    return ""


@functools.lru_cache(maxsize=4096)
def is_floating(model: str) -> bool:
    """Whether a model name can mean another model tomorrow: no date or version in it, or "-latest"."""
    return "latest" in model or _PINNED.search(model[:200]) is None


@functools.lru_cache(maxsize=1024)
def finish_reason(reason: str) -> str:
    """stop, length, tool_call, content_filter or error; a reason nobody knows stays, in lower case."""
    lowered = reason.strip().lower().replace("-", "_")[:64]
    return _FINISH.get(lowered, lowered)


def finish_reasons(value: Any) -> tuple[str, ...]:
    """Finish reasons from a list, a JSON list in a string, or one name."""
    found = parsed(value)
    reasons = found if isinstance(found, list) else [found]
    return tuple(finish_reason(text(reason, 64)) for reason in reasons[:_MAX_REASONS] if reason not in (None, ""))
