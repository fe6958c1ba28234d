"""One case being run: tool calls are answered from what was recorded, and everything is noted.

No tool ever runs here. A call is matched by tool, canonical arguments and order; one that nobody recorded is a
divergence, which is noted and raised. Faults are put in at a place that depends on nothing but the case.
"""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, is_dataclass
from typing import Any

import rfc8785

from .answers import Admission, Usage
from .calls import ModelCall

current_session: ContextVar[Session | None] = ContextVar("agentops_client_session", default=None)
Step = dict[str, Any]
_MESSAGE_MOST = 4_000


class Diverged(Exception):
    """The agent made a call that nobody recorded; nothing was run. Let it end the agent: the case is decided by it."""


class RecordedError(Exception):
    """The recording of this call is a failure (or chaos made it one). `type` is what the tool would have raised or said."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message or type)
        self.type, self.message = type, message or type

    def for_model(self) -> str:
        """As a model is told it."""
        return f"The call failed ({self.type}): {self.message}"


class RecordedRefusal(RecordedError):
    """People refused this call when it was recorded."""

    def __init__(self) -> None:
        super().__init__("confirmation_refused", "A person was asked and refused; nothing was done.")


@dataclass(frozen=True)
class Case:
    """What is to be run. `input` is a text, or what the agent's callable takes."""

    key: str
    input: Any
    title: str = ""
    offers: Sequence[Mapping[str, Any]] = ()
    turn: int = 1
    fault: str = ""

    @property
    def prompt(self) -> str:
        """The input as one text, for agents that take a prompt: the last message of a conversation, documents after it."""
        value = self.input
        if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
            return "\n\n".join(str(message.get("content", "")) for message in value["messages"][-1:])
        if isinstance(value, Mapping) and "prompt" in value:
            documents = [f"{each.get('title', '')}\n{each.get('text', '')}" for each in value.get("documents", ())]
            return "\n\n".join([str(value["prompt"]), *documents])
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

    @property
    def history(self) -> list[Mapping[str, Any]]:
        """The messages before the last one, where the input is a conversation."""
        value = self.input
        if isinstance(value, Mapping) and isinstance(value.get("messages"), list):
            return list(value["messages"][:-1])
        return []


class Session:
    """Answers the calls of one case, and notes what the agent does. Thread-safe."""

    def __init__(self, case: Case, recordings: Sequence[Mapping[str, Any]], *, answers: Sequence[Any] = ()) -> None:
        self.case = case
        self.steps: list[Step] = []
        self.usage = Usage()
        self.cost_usd = ""
        self.diverged = ""
        self._left = [_Entry(entry, int(entry.get("times", 1))) for entry in sorted(recordings, key=_strictness)]
        self._fails_at = (case.turn - 1) % max(1, len(recordings)) if case.fault else -1
        self._matched = 0
        self._answers = list(answers)
        self._lock = threading.Lock()

    def call(self, tool: str, arguments: Mapping[str, Any] | None = None) -> Any:
        """What the tool answered when it was recorded. Raises RecordedError, TimeoutError (chaos), Diverged."""
        asked = plain(dict(arguments or {}))
        step: Step = {"kind": "tool", "tool": tool, "arguments": asked, "recorded": True}
        with self._lock:
            self.steps.append(step)
            entry = next((each for each in self._left if each.fits(tool, asked)), None)
            if entry is None:
                return self._diverge(step)
            is_faulty = self._matched == self._fails_at
            self._matched += 1
            if is_faulty:
                return self._fail(step, entry.said)
            entry.left -= 1
        if "confirmation" in entry.said:
            step["confirmation"] = entry.said["confirmation"]
            if step["confirmation"] == "refused":
                refusal = RecordedRefusal()
                step["error"] = {"type": refusal.type, "message": refusal.message}
                raise refusal
        if "error" in entry.said:
            error = RecordedError(entry.said["error"]["type"], entry.said["error"].get("message", ""))
            step["error"] = dict(entry.said["error"])
            raise error
        step["result"] = entry.said.get("result")
        return json.loads(json.dumps(step["result"]))  # the agent may change what it is given

    def tool(self, name: str, like: Callable[..., Any] | None = None) -> Callable[..., Any]:
        """A function that is called by keywords and answers from the recording. `like`: whose name, words and signature it
        has (for frameworks that look at them); that one is never called."""

        def recorded(*args: Any, **kwargs: Any) -> Any:
            if like is not None and args:
                import inspect

                kwargs = dict(inspect.signature(like).bind(*args, **kwargs).arguments)
            elif args:
                raise TypeError(f"{name} is called by keywords here")
            return self.call(name, kwargs)

        if like is None:
            recorded.__name__ = name
            return recorded
        made = functools.wraps(like)(recorded)
        made.__name__ = name
        return made

    def model_call(self, model: str, usage: Usage | None = None, *, output: Any = None) -> None:
        """Note a model call that was made."""
        used = usage or Usage()
        step: Step = {
            "kind": "model",
            "model": model,
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
        }
        if output is not None:
            step["output"] = plain(output)
        with self._lock:
            self.steps.append(step)
            total = {name: count + getattr(used, name) for name, count in self.usage.as_json().items()}
            self.usage = Usage(**total)

    @contextmanager
    def unguarded(self, model: str, max_output_tokens: int) -> Iterator[ModelCall]:
        """A model call of a guarded function, made without the guard: nothing is reserved in an eval."""
        call = ModelCall("eval", Admission(model, max_output_tokens, "0", "", ""))
        try:
            yield call
        finally:
            self.model_call(model, Usage(**call.counted()))

    def next_answer(self) -> Any:
        """The next answer that a model gave when the run was recorded (replays only). Raises Diverged beyond the last."""
        with self._lock:
            if self._answers:
                return self._answers.pop(0)
            self.diverged = self.diverged or "a model was asked more often than in the recording"
        raise Diverged(self.diverged)

    def told(self, output: Any, broke: str) -> dict[str, Any]:
        """As it is told to the portal."""
        usage: dict[str, Any] = {
            "input_tokens": self.usage.input_tokens,
            "output_tokens": self.usage.output_tokens,
        }
        if self.cost_usd:
            usage["cost_usd"] = self.cost_usd
        told: dict[str, Any] = {"output": plain(output), "steps": list(self.steps), "usage": usage}
        if broke:
            told["error"] = plain(broke)[:_MESSAGE_MOST]
        return told

    def _diverge(self, step: Step) -> Any:
        step["recorded"] = False
        self.diverged = f"{step['tool']} was called with {json.dumps(step['arguments'])[:300]}, which nobody recorded"
        step["error"] = {"type": "diverged", "message": "nobody recorded this call; nothing was run"}
        raise Diverged(self.diverged)

    def _fail(self, step: Step, said: Mapping[str, Any]) -> Any:
        step["fault"] = self.case.fault
        if self.case.fault == "malformed":
            text = json.dumps(said.get("result", said.get("error")), ensure_ascii=False)
            step["result"] = '{"data": ' + text[: max(1, len(text) // 2)]  # cut off in the middle
            return step["result"]
        if self.case.fault == "timeout":
            step["error"] = {"type": "timeout", "message": "the tool did not answer in time"}
            raise TimeoutError("the tool did not answer in time")
        step["error"] = {"type": "http_500", "message": "the tool answered with status 500"}
        raise RecordedError("http_500", "the tool answered with status 500")


class _Entry:
    """A recorded call, and how often it may still be used."""

    def __init__(self, said: Mapping[str, Any], left: int) -> None:
        self.said, self.left = said, left

    def fits(self, tool: str, arguments: Mapping[str, Any]) -> bool:
        if self.left < 1 or self.said["tool"] != tool:
            return False
        if "arguments" in self.said:
            return canonical(self.said["arguments"]) == canonical(arguments)
        wanted: Mapping[str, Any] = self.said.get("arguments_include", {})
        return all(name in arguments and canonical(arguments[name]) == canonical(each) for name, each in wanted.items())


def _strictness(entry: Mapping[str, Any]) -> int:
    """The exact before those that leave something open; among equals the order in which they were recorded."""
    return 0 if "arguments" in entry else 1 if "arguments_include" in entry else 2


def canonical(value: Any) -> bytes:
    """RFC 8785, after what only Python tells apart is made alike."""
    return rfc8785.dumps(value)


def plain(value: Any) -> Any:
    """A value as JSON has it: models and data classes as objects, sets as sorted lists, what is not known as text."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**53 else str(value)
    if isinstance(value, float):
        if value != value or abs(value) >= 2**53:
            return str(value)
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {str(plain(str(name))): plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, set | frozenset):
        return sorted((plain(inner) for inner in value), key=lambda inner: json.dumps(inner, sort_keys=True))
    if hasattr(value, "model_dump"):
        return plain(value.model_dump(mode="json"))
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    return plain(str(value))
