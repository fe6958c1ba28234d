"""Words and values of the catalog: what the guard knows of an agent when it decides."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.db import models

from agentops.common.errors import InputProblem


class Effect(models.TextChoices):
    """What a tool does to the world."""

    READ = "read", "Reads"
    WRITE = "write", "Writes"
    DELETE = "delete", "Deletes"
    SEND = "send", "Sends"
    CHARGE = "charge", "Charges"
    ESCALATE = "escalate", "Escalates"


class Review(models.TextChoices):
    """What a reviewer said of a tool's definition."""

    PENDING = "pending", "Waiting for review"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Reversal(models.TextChoices):
    """Can what a tool does be taken back?"""

    UNKNOWN = "unknown", "Nobody said"
    YES = "yes", "Reversible"
    NO = "no", "Not reversible"


class Gate(models.TextChoices):
    """What the quality gate says of an agent version. `evals` writes it through `services.record_gate`."""

    NONE = "none", "No gate"
    REQUIRED = "required", "A gate stands before it"
    PASSED = "passed", "Passed its gate"
    FAILED = "failed", "Failed its gate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One reason why a tool call is refused. `pointer` is relative to the arguments; empty for the call as a whole."""

    code: str
    pointer: str
    expected: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCaps:
    """What an agent says of its own limits; None where it leaves that to the platform. The names are those of
    `runtime.types.EffectiveCaps`."""

    llm_calls: int | None = None
    tool_calls: int | None = None
    depth: int | None = None
    tokens: int | None = None
    cost_nano_usd: int | None = None
    duration_seconds: int | None = None
    runs_per_user: int | None = None
    runs_per_tenant: int | None = None
    runs_per_minute: int | None = None
    tenant_runs_per_minute: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Repetition:
    """Thresholds of the detectors; None where the platform's hold."""

    same_tool: int | None = None
    identical: int | None = None
    cycle: int | None = None
    same_error: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """How the model tier is chosen; off unless the manifest says otherwise. Both models are among the allowed."""

    is_on: bool = False
    cheap: str = ""
    premium: str = ""
    cheap_tasks: Sequence[str] = ()
    premium_tasks: Sequence[str] = ()
    max_failure_rate: float = 0.2


class ArgumentSchema(Protocol):
    """A compiled JSON Schema."""

    def check(self, arguments: Any) -> list[Rejection]:
        """Everything wrong with the arguments (`arguments_invalid`), the first few; empty when they fit."""
        ...


class RuleSet(Protocol):
    """Compiled semantic rules."""

    @property
    def needs_contacts(self) -> bool: ...

    def check(self, knowledge: Mapping[str, Any]) -> list[Rejection]:
        """The rules that do not hold (`rule_violated`). A rule that breaks does not hold."""
        ...

    def raised(self, knowledge: Mapping[str, Any]) -> list[str]:
        """Why the tier rises by one for this call; empty when it does not. A condition that breaks raises it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPolicy:
    """A granted tool, compiled. `tier` is the floor of what its calls need."""

    name: str
    version: str
    tool_version_id: uuid.UUID
    effect: Effect
    tier: int
    schema_digest: str
    arguments_schema: Mapping[str, Any]
    cosmetic: Sequence[str]
    is_reviewed: bool
    grant_scope: Mapping[str, str]  # argument (name or pointer) -> path into the knowledge, such as "user.order_ids"
    schema: ArgumentSchema
    rules: RuleSet
    description: str = ""
    reversal: Reversal = Reversal.UNKNOWN
    recipe: str = ""  # how to take it back
    reversible_seconds: int | None = None
    resource: str = ""  # pointers into the arguments: what is acted on, who is paid, how much
    payee: str = ""
    amount: str = ""
    phrase: str = ""  # what a person types at tier 3, with {argument} places


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPolicy:
    """All that is true of one agent version at one policy version. Shared between requests: never changed."""

    agent_id: uuid.UUID
    agent: str
    version_id: uuid.UUID
    version: str
    policy_version: int
    is_approved: bool
    models: Sequence[str]  # what may be called; the first is the default
    caps: AgentCaps
    repetition: Repetition
    routing: Routing
    reads_when_offline: bool
    tools: Mapping[str, ToolPolicy] = field(default_factory=dict)  # granted tools, reviewed or not


# -- what services answer with ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedTool:
    """A tool of a manifest that was applied."""

    name: str
    version: str
    revision: int
    tool_version_id: uuid.UUID
    digest: str
    tier: int
    review: Review
    is_new: bool  # this definition was not known before


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What a manifest came to. `was_changed` is False where everything stood so before."""

    agent: str
    version: str
    agent_id: uuid.UUID
    version_id: uuid.UUID
    policy_version: int
    is_approved: bool
    is_new: bool  # the version
    was_changed: bool
    lost_approval: bool
    tools: Sequence[AppliedTool]
    revoked: Sequence[str]  # tools of the manifest that a person took away; they stay away
    warnings: Sequence[InputProblem]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contacts:
    """A set of contacts, of everybody (`user` is "") or of one end user."""

    name: str
    user: str
    contacts: Sequence[str]
    set_at: datetime
    set_by: str
