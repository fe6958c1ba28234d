"""Words and values of the guard."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.db import models

from agentops.common.partitions import Partitioned

CALL_PARTITIONS = Partitioned(table="runtime_guardcall", every="month", ahead=2, back=2)
DECISION_PARTITIONS = Partitioned(table="runtime_decision", every="month", ahead=2, back=2)


HOLD_LASTS = timedelta(minutes=10)  # an admitted model call that nobody settled by then is charged at its hold


class RunStatus(models.IntegerChoices):
    RUNNING = 1, "Running"
    OK = 2, "Ok"
    ERROR = 3, "Error"
    REFUSED = 4, "Refused"
    ESCALATED = 5, "Escalated"
    ABORTED = 6, "Aborted"  # by a cap or a detector
    KILLED = 7, "Killed"  # by a kill switch
    EXPIRED = 8, "Expired"  # past its deadline


class Verb(models.IntegerChoices):
    START = 1, "Start"
    MODEL_CALL = 2, "Model call"
    SETTLEMENT = 3, "Settlement"
    TOOL_CALL = 4, "Tool call"
    REDEMPTION = 5, "Redemption"
    RESULT = 6, "Result"
    FINISH = 7, "Finish"


class CallState(models.IntegerChoices):
    REJECTED = 1, "Rejected"
    WAITING = 2, "Waiting for a person"
    ADMITTED = 3, "Admitted"
    CLOSED = 4, "Closed"  # settled, or its result is known


class SwitchScope(models.TextChoices):
    TENANT = "tenant", "Organisation"
    AGENT = "agent", "Agent"
    USER = "user", "End user"


class SwitchMode(models.TextChoices):
    BLOCK_NEW = "block_new", "No new runs"
    STOP_NEXT_STEP = "stop_next_step", "Stop at the next step"


class Answer(StrEnum):
    """The five answers of the guard. `abort` ends the run."""

    ALLOW = "allow"
    REJECT = "reject"
    CONFIRM = "confirm"
    THROTTLE = "throttle"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Asker:
    """Which key asked; the agent behind it is the run's."""

    key_id: uuid.UUID
    key_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveCaps:
    """What holds for one run: the smallest of agent, organisation and plan. Money in nano-dollars, time in seconds."""

    llm_calls: int
    tool_calls: int
    depth: int
    tokens: int
    cost_nano_usd: int
    duration_seconds: int
    runs_per_user: int
    runs_per_tenant: int
    runs_per_minute: int  # of one user
    tenant_runs_per_minute: int

    @classmethod
    def of(cls, stored: Mapping[str, int]) -> EffectiveCaps:
        return cls(**stored)


@dataclass(frozen=True, slots=True)
class CapWords:
    """A cap in words."""

    label: str
    meaning: str


CAP_WORDS: Mapping[str, CapWords] = {
    "llm_calls": CapWords("Model calls per run", "The next one ends the run."),
    "tool_calls": CapWords("Tool calls per run", "The next one ends the run."),
    "depth": CapWords("Depth", "How many levels of runs one run may begin below it."),
    "tokens": CapWords("Tokens per run", "Input and output of all model calls; a call that could pass it is refused."),
    "cost_nano_usd": CapWords(
        "Cost per run (USD)", "A model call that could pass it is refused, or its answer shortened."
    ),
    "duration_seconds": CapWords("Duration of a run (seconds)", "Waiting for people does not count."),
    "runs_per_user": CapWords("Runs at once, per user", "The next one is told to come back."),
    "runs_per_tenant": CapWords("Runs at once, organisation", "The next one is told to come back."),
    "runs_per_minute": CapWords("Runs per minute, per user", "The next one is told to come back."),
    "tenant_runs_per_minute": CapWords("Runs per minute, organisation", "The next one is told to come back."),
}
"""By the names of EffectiveCaps."""


@dataclass(slots=True)
class Verdict:
    """What a verb answers, before it is written down. `body` goes to the caller as JSON, after `decision` and `code`."""

    answer: Answer
    code: str = ""
    detail: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)  # for the decision's row, beyond the columns
    tier: int = 0
    model: str = ""
    tool_version: str = ""
    amount_nano_usd: int = 0

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"decision": self.answer.value}
        if self.code:
            found["code"] = self.code
        if self.detail:
            found["detail"] = self.detail
        found.update(self.body)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolProposal:
    """What an agent wants to do, parsed strictly. `arguments` are canonical bytes (RFC 8785), `value` what they say."""

    call_id: str
    tool: str
    arguments: bytes
    value: Any
    reason: str
    is_tainted: bool
    digest: bytes
    resource_version: str = ""  # which version of what it acts on the agent has seen
    current: str = ""  # JSON: what it acts on, as the tool gives it now


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProposal:
    call_id: str
    model: str
    provider: str
    task_class: str
    input_tokens: int
    max_output_tokens: int
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerKey:
    """What makes two runs of an agent version the same: its answer may be stored, and serve the next."""

    prompt_hash: str
    model: str
    tool_definitions_hash: str
    input_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    call_id: str
    agent: str
    agent_version: str
    user: str
    session: str
    scope: Mapping[str, Any]
    parent: uuid.UUID | None
    digest: bytes
    answer_key: AnswerKey | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    outcome: str
    error: str  # what went wrong, for the detector of repeated errors; "" when nothing did
    external_system: str
    external_id: str
    idempotency_key: str
    digest: bytes
    args_digest: str = ""  # of the arguments that ran, as whoever ran them tells


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRow:
    """One decision as pages and exports read it."""

    id: uuid.UUID
    decided_at: datetime
    run_id: uuid.UUID | None
    call_id: str
    verb: Verb
    decision: str
    code: str
    detail: str
    agent: str
    agent_version: str
    user_id: str
    tool: str
    tool_version: str
    model: str
    tier: int
    policy_version: int
    amount_nano_usd: int
    took_us: int
    data: Mapping[str, Any]


TERMINAL: Sequence[RunStatus] = tuple(status for status in RunStatus if status is not RunStatus.RUNNING)
