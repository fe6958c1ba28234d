"""From agent versions and tool versions to what their pages show: words, not decisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.html import format_html

from agentops.catalog.types import (
    GrantDetail,
    OutputCache,
    Repetition,
    Reversal,
    Routing,
    ToolVersionDetail,
    VersionDetail,
)
from agentops.portal.templatetags.words import duration, duration_text, short_id

_REPETITION = {
    "same_tool": ("The same tool in a row", "more than {} times"),
    "identical": ("The same call", "more than {} times"),
    "cycle": ("Two tools taking turns", "more than {} times"),
    "same_error": ("The same error", "{} times"),
}

EXAMPLE = """\
agent:
  name: support-bot
  version: "1"
  model: claude-sonnet-4-5-20250929        # exact; a floating name is flagged
  prompt_hash: "sha256:…"
  caps: {llm_calls: 20, cost_usd: "2.00"}  # absent: the platform's defaults
tools:
  - name: refund
    version: "1"
    effect: charge                         # read | write | delete | send | charge | escalate
    tier: 3                                # an approver confirms exactly these bytes
    reversible: {how: "void the refund", within_seconds: 86400}
    phrase: "refund {amount_minor} {currency}"
    arguments:                             # JSON Schema 2020-12
      type: object
      additionalProperties: false
      required: [order_id, amount_minor, currency]
      properties:
        order_id: {type: string, pattern: "^ord_[0-9]+$"}
        amount_minor: {type: integer}
        currency: {enum: [USD, EUR]}
    rules:                                 # all must hold
      - code: amount_in_range
        expression: "args.amount_minor > 0 && args.amount_minor <= 500000"
        pointer: /amount_minor
        expected: between 1 and 500000 minor units
    grant: {scope: {order_id: "user.order_ids"}}
"""
"""A manifest as people begin with: shown where there is no agent yet."""


@dataclass(frozen=True, slots=True)
class GrantLine:
    """A tool of a version in its table."""

    grant: GrantDetail
    held: str  # Enforced, Advisory, "" where none of its calls ran lately
    last_used_at: datetime | None

    @property
    def scope(self) -> str:
        return ", ".join(f"{argument} in {path}" for argument, path in self.grant.scope.items())


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version of an agent on its page."""

    version: VersionDetail
    facts: Sequence[tuple[str, Any]]
    limits: Sequence[tuple[str, Any]]
    grants: Sequence[GrantLine]


def version_view(
    version: VersionDetail,
    *,
    caps: Sequence[tuple[str, str]],
    held: Mapping[str, str],
    used: Mapping[str, datetime],
) -> VersionView:
    """A version with its caps in words, how its tools are held, and when each was last allowed."""
    return VersionView(
        version=version,
        facts=_facts(version),
        limits=[*caps, *_repetition(version.repetition)],
        grants=[GrantLine(grant, held.get(grant.tool, ""), used.get(grant.tool)) for grant in version.grants],
    )


def _facts(version: VersionDetail) -> list[tuple[str, Any]]:
    return [
        ("Prompt", _digest(version.prompt_hash)),
        ("Tool definitions", _digest(version.tool_definitions_hash)),
        ("Content", _digest(version.content_digest)),
        ("Which model", routing_words(version.routing, version.models)),
        ("When the portal cannot be reached", "reads may go on" if version.reads_when_offline else "nothing goes on"),
        ("Stored answers", cache_words(version.output_cache)),
        ("Gate", f"{version.gate.label}{f': {version.gate_detail}' if version.gate_detail else ''}"),
    ]


def cache_words(cache: OutputCache) -> str:
    """Whether, how long and for whom answers are stored."""
    if not cache.seconds:
        return "none: every run is made"
    who = "whoever asks the same" if cache.is_for_everybody else "the same user"
    return f"serve {who} for {duration_text(cache.seconds, 's')}"


def routing_words(routing: Routing, models: Sequence[str]) -> str:
    """How the model of a call is chosen."""
    if not routing.is_on:
        return "the one the agent asks for" if len(models) > 1 else "the only one"
    tasks = ", ".join(routing.cheap_tasks) or "no task"
    premium = f"; {', '.join(routing.premium_tasks)} always by {routing.premium}" if routing.premium_tasks else ""
    return (
        f"{routing.cheap} for {tasks}, else {routing.premium}{premium}; {routing.premium} too where more than "
        f"{routing.max_failure_rate:.0%} of the cheap one's calls failed"
    )


def _repetition(said: Repetition) -> list[tuple[str, str]]:
    return [
        (label, words.format(value))
        for name, (label, words) in _REPETITION.items()
        if (value := getattr(said, name)) is not None
    ]


def _digest(text: str) -> Any:
    if not text:
        return ""
    return format_html('<span class="id" title="{}">{}</span>', text, short_id(text.removeprefix("sha256:")))


# -- tools ------------------------------------------------------------------------------------------------------------


def tool_facts(detail: ToolVersionDetail) -> list[tuple[str, Any]]:
    """What a definition says beyond its schema and rules."""
    definition = detail.definition
    found = [
        ("Can it be taken back?", reversal_words(detail)),
        ("Typed to confirm it", definition["phrase"]),
        ("Acts on", definition["resource"]),
        ("Pays", definition["payee"]),
        ("Amount", definition["amount"]),
        ("Does not make a call another one", ", ".join(definition["cosmetic"])),
        ("Why tier 1", detail.tier_because),
        ("Definition", _digest(detail.digest)),
        ("Schema", _digest(detail.schema_digest)),
    ]
    return [(label, value) for label, value in found if value]


def reversal_words(detail: ToolVersionDetail) -> Any:
    """Can what it does be taken back, how and how long?"""
    if detail.reversal != Reversal.YES:
        return {Reversal.NO: "No", Reversal.UNKNOWN: "Nobody said"}[detail.reversal]
    if detail.reversible_seconds is None:
        return f"Yes: {detail.recipe}"
    return format_html("Yes, within {}: {}", duration(detail.reversible_seconds, "s"), detail.recipe)
