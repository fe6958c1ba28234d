"""A manifest as values, after it was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentops.catalog.types import Effect, Reversal
from agentops.common.errors import InputProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentForm:
    """One agent version. `caps`, `repetition`, `routing` and `output_cache` hold the fields of the types of these
    names that were given, money in nano-dollars."""

    name: str
    version: str
    models: Sequence[str]
    prompt_hash: str = ""
    caps: Mapping[str, int] = field(default_factory=dict)
    repetition: Mapping[str, int] = field(default_factory=dict)
    routing: Mapping[str, Any] = field(default_factory=dict)
    reads_when_offline: bool = False
    output_cache: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolForm:
    """One tool as this agent may call it. `definition` is all that a review is of, with defaults filled in."""

    name: str
    version: str
    description: str
    effect: Effect
    tier: int
    tier_because: str
    reversal: Reversal
    recipe: str
    reversible_seconds: int | None
    cosmetic: Sequence[str]
    resource: str
    payee: str
    amount: str
    phrase: str
    arguments: Mapping[str, Any]
    rules: Sequence[Mapping[str, str]]
    raise_tier: Sequence[Mapping[str, str]]
    scope: Mapping[str, str]

    @property
    def definition(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "description": self.description,
            "effect": str(self.effect),
            "tier": self.tier,
            "tier_because": self.tier_because,
            "reversal": str(self.reversal),
            "recipe": self.recipe,
            "reversible_seconds": self.reversible_seconds,
            "cosmetic": list(self.cosmetic),
            "resource": self.resource,
            "payee": self.payee,
            "amount": self.amount,
            "phrase": self.phrase,
            "arguments": self.arguments,
            "rules": [dict(rule) for rule in self.rules],
            "raise_tier": [dict(each) for each in self.raise_tier],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """`warnings` are no reason to refuse: a floating model, arguments that are left open."""

    agent: AgentForm
    tools: Sequence[ToolForm] = ()
    warnings: Sequence[InputProblem] = ()
