"""Run an agent under the portal's guard: ask before each model call and each tool call, and tell how it went.

Knows HTTP only. Tool servers find permits in `agentops_client.permits`, frameworks in `agentops_client.adapters`.
"""

from .aclient import AsyncClient, AsyncRun
from .answers import Admission, AnswerKey, Permission, Receipt, Started, StoredAnswer, Tool, Usage
from .calls import ModelCall, OutcomeUnknown, ToolCall, estimate_tokens
from .client import Client, Run
from .decorators import model_call, tool
from .errors import (
    Aborted,
    Confirmation,
    GuardError,
    NoRun,
    Pending,
    PortalError,
    Problem,
    Rejected,
    Throttled,
    Unreachable,
)
from .run import current_call, current_run

__all__ = [
    "Aborted",
    "Admission",
    "AnswerKey",
    "AsyncClient",
    "AsyncRun",
    "Client",
    "Confirmation",
    "GuardError",
    "ModelCall",
    "NoRun",
    "OutcomeUnknown",
    "Pending",
    "Permission",
    "PortalError",
    "Problem",
    "Receipt",
    "Rejected",
    "Run",
    "Started",
    "StoredAnswer",
    "Throttled",
    "Tool",
    "ToolCall",
    "Unreachable",
    "Usage",
    "current_call",
    "current_run",
    "estimate_tokens",
    "model_call",
    "tool",
]
