"""One model call, one tool call: what the caller notes while it is under way, and what is told of it at the end."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import httpx

from .answers import Admission, CallOutcome, Outcome, Permission, Usage
from .jws import digest

_BYTES_PER_TOKEN = 3
_LONGEST_ERROR = 2_000
_UNKNOWN = (TimeoutError, ConnectionError, asyncio.CancelledError, httpx.TransportError)


class OutcomeUnknown(Exception):
    """Raise it from a tool when nobody can say whether it took effect. It is never repeated by itself then."""


class ModelCall:
    """An admitted model call. Note its usage with `used`; what is not noted counts as unknown, and costs its hold."""

    def __init__(self, call_id: str, admission: Admission) -> None:
        self.call_id = call_id
        self.model = admission.model
        self.max_output_tokens = admission.max_output_tokens
        self.reserved_usd = admission.reserved_usd
        self.advice = admission.advice
        self.because = admission.because
        self.cost_usd = ""
        self._usage: Usage | None = None
        self._outcome: CallOutcome = "unknown"

    def used(self, usage: Usage) -> None:
        """The provider answered, and counted these tokens."""
        self._usage, self._outcome = usage, "ok"

    def failed(self, usage: Usage | None = None) -> None:
        """The provider answered with an error. `Usage()` where it charged nothing; None where that is not known."""
        self._usage, self._outcome = usage, "error"

    def not_sent(self) -> None:
        """The provider was never asked. Said as a number, as a cancelled call of unknown usage costs what was held."""
        self._usage, self._outcome = Usage(), "cancelled"

    def ended_by(self, error: BaseException) -> None:
        """An exception ended the call. What had been noted before stays true."""
        if self._outcome == "ok" and isinstance(error, Exception):
            self._outcome = "error"

    def counted(self) -> dict[str, int]:
        """The tokens noted so far, by class; empty where nothing was."""
        return self._usage.as_json() if self._usage is not None else {}

    def settlement(self) -> dict[str, Any]:
        body: dict[str, Any] = {"outcome": self._outcome}
        if self._usage is not None:
            body["usage"] = self._usage.as_json()
        return body


class ToolCall:
    """A permitted tool call. Run it with `arguments`, which may differ from those proposed, and hand `permit` on."""

    def __init__(self, call_id: str, tool: str, permission: Permission) -> None:
        self.call_id = call_id
        self.tool = tool
        self.arguments = permission.arguments
        # Before the tool has them: a tool may change what it is given, and this is about what it was given.
        self.args_digest = "" if permission.is_offline else digest(permission.arguments)
        self.permit = permission.permit
        self.advice = permission.advice
        self.is_offline = permission.is_offline
        self._outcome: Outcome = "ok"
        self._error: dict[str, str] | None = None
        self._external: dict[str, str] = {}

    def took_effect(self, *, external_system: str = "", external_id: str = "", idempotency_key: str = "") -> None:
        """What the other system calls this effect, so that people can find it there."""
        said = {
            "external_system": external_system,
            "external_id": external_id,
            "idempotency_key": idempotency_key,
        }
        self._external |= {name: value for name, value in said.items() if value}

    def failed(self, message: str, *, type: str = "error") -> None:
        """The tool said no; nothing needs to be raised."""
        said = message[:_LONGEST_ERROR].encode("utf-8", "replace").decode()  # a file's name may be no text
        self._outcome, self._error = "error", {"type": type, "message": said}

    def unknown(self) -> None:
        """Nobody can say whether it took effect."""
        self._outcome = "unknown"

    def ended_by(self, error: BaseException) -> None:
        """An exception ended the call: a failure, or, where the answer got lost, something that nobody knows."""
        if isinstance(error, (OutcomeUnknown, *_UNKNOWN)) or not isinstance(error, Exception):
            self._outcome = "unknown"
        else:
            self.failed(str(error), type=type(error).__name__)

    def result(self) -> dict[str, Any]:
        """What is told. Results themselves belong to the trace; of a failure its text, by which repetition is seen."""
        body: dict[str, Any] = {"outcome": self._outcome, "args_digest": self.args_digest, **self._external}
        if self._outcome == "error" and self._error:
            body["result"] = self._error
        return body


def estimate_tokens(content: Any) -> int:
    """Tokens that a text or a JSON value will hardly exceed. Holds are made for it; what was used is charged."""
    text = content if isinstance(content, str) else json.dumps(content, default=str, ensure_ascii=False)
    return math.ceil(len(text.encode("utf-8", "surrogatepass")) / _BYTES_PER_TOKEN)
