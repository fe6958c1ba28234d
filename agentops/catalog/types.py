"""Words and values of the catalog: what the guard knows of an agent when it decides."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
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
    OVERRIDDEN = "overridden", "Failed its gate, and two people let it through"


GATE_OPEN = frozenset({Gate.NONE, Gate.PASSED, Gate.OVERRIDDEN})
"""What a version may be approved with; of an agent whose versions must pass, the last two only."""


class ApprovedKind(StrEnum):
    """On what people can be named as those who approve."""

    AGENT = "agent"
    TOOL = "tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approvers:
    """Who may approve, by user id, and where it says so: on the tool, on the agent, or (None) in their roles alone."""

    user_ids: frozenset[int]
    named_on: ApprovedKind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A person or a group who is named as an approver. `people`: whose agreement counts now through this name."""

    user: int | None
    group: uuid.UUID | None
    label: str
    people: frozenset[int]
    is_member: bool = True  # a person who has left stays named


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverBook:
    """Everybody who is named anywhere, read at once; `everybody`: all whose role approves."""

    everybody: frozenset[int]
    on_tools: Mapping[str, Sequence[Named]]
    on_agents: Mapping[str, Sequence[Named]]

    def of(self, *, agent: str, tool: str) -> Approvers:
        """As `queries.approvers` answers."""
        for kind, named in (
            (ApprovedKind.TOOL, self.on_tools.get(tool)),
            (ApprovedKind.AGENT, self.on_agents.get(agent)),
        ):
            if named:
                return Approvers(user_ids=frozenset().union(*(each.people for each in named)), named_on=kind)
        return Approvers(user_ids=self.everybody, named_on=None)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputCache:
    """Whether answers of whole runs are stored, and served where the same is asked again; off unless the manifest says
    otherwise. For `everybody` only where an answer says nothing about the user it was made for."""

    seconds: int = 0  # how long an answer serves; 0 is off
    is_for_everybody: bool = False


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
    output_cache: OutputCache
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


# -- what pages and the API read --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantDetail:
    """A tool of an agent version."""

    tool: str
    tool_version_id: uuid.UUID
    version: str
    revision: int
    effect: Effect
    tier: int
    review: Review
    definition: Mapping[str, Any]
    scope: Mapping[str, str]
    granted_at: datetime
    granted_by: str
    revoked_at: datetime | None
    revoked_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDetail:
    """An agent version. `approved_at` is None while nobody has approved what it is now."""

    id: uuid.UUID
    version: str
    content_digest: str
    prompt_hash: str
    tool_definitions_hash: str
    models: Sequence[str]
    floating_models: Sequence[str]
    caps: AgentCaps
    repetition: Repetition
    routing: Routing
    reads_when_offline: bool
    output_cache: OutputCache
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str
    approved_at: datetime | None
    approved_by: str
    gate: Gate
    gate_detail: str
    gate_at: datetime | None
    grants: Sequence[GrantDetail]  # in the manifest's order, revoked ones included

    @property
    def is_approved(self) -> bool:
        return self.approved_at is not None

    @property
    def waiting(self) -> Sequence[GrantDetail]:
        """Tools that cannot be called before somebody has reviewed them."""
        return [grant for grant in self.grants if grant.revoked_at is None and grant.review != Review.APPROVED]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDetail:
    """An agent with its versions, the newest first."""

    id: uuid.UUID
    name: str
    policy_version: int
    created_at: datetime
    created_by: str
    versions: Sequence[VersionDetail]
    is_gated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSummary:
    """One agent in a list. `latest` is the version that was changed last."""

    id: uuid.UUID
    name: str
    policy_version: int
    versions: int
    approved: int
    latest: str
    latest_is_approved: bool
    latest_gate: Gate
    is_gated: bool  # must its versions pass a gate?
    tools: int  # granted to the latest
    tools_waiting: int  # of these, not (or no more) approved
    highest_tier: int  # of these; 0 for none
    floating: bool  # does the latest name a model that can change by itself?
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersionSummary:
    """One tool version in a list; with its tenant, for staff who review for many."""

    tenant_id: uuid.UUID
    id: uuid.UUID
    tool: str
    version: str
    revision: int
    effect: Effect
    tier: int
    review: Review
    created_at: datetime
    created_by: str
    reviewed_at: datetime | None
    reviewed_by: str
    agents: Sequence[str]  # labels such as support-bot@2026-11-20, of those who were granted it


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One place where two definitions differ; None: not there."""

    pointer: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolVersionDetail:
    """A tool version as its reviewer sees it, beside the one before it, if there was one."""

    summary: ToolVersionSummary
    digest: str
    schema_digest: str
    definition: Mapping[str, Any]
    tier_because: str
    reversal: Reversal
    recipe: str
    reversible_seconds: int | None
    review_reason: str
    previous: ToolVersionSummary | None
    differences: Sequence[Difference]
