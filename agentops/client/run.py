"""A run as its code sees it, whichever client drives it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any

from . import tracing, verbs
from .answers import AnswerKey, Receipt, Started, Status, StoredAnswer, Tool, Usage
from .calls import ModelCall, ToolCall
from .errors import Aborted, Pending, Rejected
from .exchange import Link, dumps

current_run: ContextVar[RunFacts | None] = ContextVar("agentops_client_run", default=None)
current_call: ContextVar[ToolCall | None] = ContextVar("agentops_client_call", default=None)


class RunFacts:
    """What was said when the run started, and what is noted while it goes on."""

    def __init__(
        self, link: Link, started: Started, *, agent: str, agent_version: str, user: str, session: str = ""
    ) -> None:
        self._link = link
        self.started = started
        self.session = session
        self.agent, self.agent_version, self.user = agent, agent_version, user
        self.is_detached = False
        self.status: Status = "ok"
        self.output: Any = None
        self.receipt: Receipt | None = None
        self.advice: list[str] = []
        self.has_ended = False  # as the portal said
        self._owed: verbs.Owed = []
        self._decided: set[str] = set()
        self._waiting: dict[str, str] = {}
        self._asking: set[str] = set()  # call ids that are under way: nobody else asks with them meanwhile
        self._ids = threading.Lock()

    @property
    def run_id(self) -> str:
        """32 hex digits; also the trace id."""
        return self.started.run_id

    @property
    def deadline(self) -> datetime:
        return self.started.deadline

    @property
    def caps(self) -> Mapping[str, Any]:
        return self.started.caps

    @property
    def tools(self) -> Mapping[str, Tool]:
        """The tools this run may use, by name."""
        return self.started.tools

    @property
    def stored_answer(self) -> StoredAnswer | None:
        """The answer that serves instead of a run, where one was stored: leave the block with its `output`."""
        return self.started.stored_answer

    @property
    def models(self) -> Sequence[str]:
        """The models this run may use; the first is the default."""
        return self.started.models

    def refuse(self, output: Any = None) -> None:
        """The agent declined what it was asked for; the run ends as `refused`."""
        self.status, self.output = "refused", output

    def escalate(self, output: Any = None) -> None:
        """The agent handed over to a person; the run ends as `escalated`."""
        self.status, self.output = "escalated", output

    def call_id_for(self, given: str, tool: str, arguments: Mapping[str, Any]) -> str:
        """A call id for a framework's. Asked again after waiting, or after a restart, it is the same; asked again after
        it was decided, it is a new call: a model that repeats its ids does not slip past the counters."""
        with self._ids:
            found = self._taken_up(tool, arguments)
            if not found:
                first = found = verbs.call_id_of(given, tool, arguments)
                number = 1
                while found in self._decided or found in self._asking:
                    number += 1
                    found = f"{first}:{number}"
            self._asking.add(found)
        return found

    def _new_call_id(self, tool: str, arguments: Mapping[str, Any]) -> str:
        with self._ids:
            found = self._taken_up(tool, arguments) or verbs.new_call_id()
            self._asking.add(found)
        return found

    def _taken_up(self, tool: str, arguments: Mapping[str, Any]) -> str:
        """The id of this call where it waits for people, "" where none does. The same call wanted twice at once is two:
        with one id, both would run by one decision."""
        found = self._waiting.get(verbs.call_id_of("", tool, arguments), "")
        return "" if found in self._asking else found

    @contextmanager
    def _deciding(self, call_id: str, tool: str, arguments: Mapping[str, Any]) -> Iterator[None]:
        """Note a call id as decided; while people decide, it stays the id of this call, whoever asks again for it."""
        key = verbs.call_id_of("", tool, arguments)
        try:
            with self._noting_its_end():
                yield
        except Pending:
            self._waiting[key] = call_id
            raise
        except (Rejected, Aborted):
            self._is_decided(key, call_id)
            raise
        else:
            self._is_decided(key, call_id)
        finally:
            self._asking.discard(call_id)

    def _is_decided(self, key: str, call_id: str) -> None:
        self._decided.add(call_id)
        if self._waiting.get(key) == call_id:
            del self._waiting[key]

    @contextmanager
    def _noting_its_end(self) -> Iterator[None]:
        try:
            yield
        except Aborted:
            self.has_ended = True
            raise

    def _advised(self, advice: str) -> None:
        if advice and advice not in self.advice:
            self.advice.append(advice)

    def _forget(self, call_id: str) -> None:
        """A reservation whose answer never came may have been made: it is given back with the next step."""
        body = {"outcome": "cancelled", "usage": Usage().as_json()}  # without an answer, no provider was asked
        self._owed.append((verbs.settlement_path(self.run_id, call_id), body))

    def detach(self) -> dict[str, Any]:
        """Leave the run open at the end of its block: it waits for people, or goes on elsewhere. Answers what
        `client.resume` needs, as JSON values."""
        self.is_detached = True
        return {
            "agent": self.agent,
            "agent_version": self.agent_version,
            "user": self.user,
            "session": self.session,
            "decided": sorted(self._decided),
            "waiting": dict(self._waiting),
            "started": dict(self.started.said),
        }

    def _attach(self, state: Mapping[str, Any]) -> None:
        self.session = state["session"]
        self._decided, self._waiting = set(state["decided"]), dict(state["waiting"])

    def _finish_body(self, error: BaseException | None) -> dict[str, Any]:
        body: dict[str, Any] = {"status": "error" if error is not None else self.status}
        try:
            dumps(self.output)
        except (TypeError, ValueError) as wrong:
            verbs.log.warning("the output of run %s is no JSON and is not told: %s", self.run_id, wrong)
            return body
        if self.output is not None:
            body["output"] = self.output
        return body

    def _span_attributes(self) -> dict[str, str]:
        return {
            "gen_ai.agent.name": self.agent,
            "gen_ai.agent.version": self.agent_version,
            "user.id": self.user,
            "session.id": self.session,
        }


def start_body(
    *,
    agent: str,
    agent_version: str,
    user: str,
    session: str,
    scope: Mapping[str, Any] | None,
    parent_run_id: str,
    input: Any,
    answer_key: AnswerKey | None,
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "call_id": verbs.new_call_id(),
        "agent": agent,
        "agent_version": agent_version,
        "user": user,
    }
    more = {"session": session, "scope": scope, "parent_run_id": parent_run_id, "input": input}
    if answer_key is not None:
        more["answer_key"] = answer_key.as_json()
    return body | {name: value for name, value in more.items() if value}


def model_body(
    call_id: str, model: str, provider: str, task_class: str, input_tokens: int, max_output_tokens: int
) -> dict[str, Any]:
    body: dict[str, Any] = {
        "call_id": call_id,
        "input_tokens": input_tokens,
        "max_output_tokens": max_output_tokens,
    }
    more = {"model": model, "provider": provider, "task_class": task_class}
    return body | {name: value for name, value in more.items() if value}


@contextmanager
def model_span(run_id: str, call: ModelCall, provider: str, *, own: bool) -> Iterator[None]:
    """The span of a model call: our own, or a mark on the one that somebody else made."""
    if not own:
        tracing.mark(run_id, call.call_id)
        yield
        return
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": call.model,
        "gen_ai.provider.name": provider,
        "gen_ai.request.max_tokens": call.max_output_tokens,
    }
    with tracing.call_span(f"chat {call.model}", run_id, call.call_id, attributes):
        try:
            yield
        finally:
            tracing.note({f"gen_ai.usage.{name}": count for name, count in call.counted().items()})


@contextmanager
def tool_span(run_id: str, call: ToolCall, *, own: bool) -> Iterator[None]:
    """The span of a tool call, and the call as the current one inside."""
    token = current_call.set(call)
    try:
        if not own:
            tracing.mark(run_id, call.call_id)
            yield
            return
        attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": call.tool,
            "gen_ai.tool.call.id": call.call_id,
        }
        with tracing.call_span(f"execute_tool {call.tool}", run_id, call.call_id, attributes):
            yield
    finally:
        current_call.reset(token)
