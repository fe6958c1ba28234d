"""What an agent did, as a tree of steps, before any dialect puts it into attributes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

Json = Any
Message = dict[str, Json]


class Kind(enum.Enum):
    RUN = "run"
    MODEL = "model"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    GUARDRAIL = "guardrail"
    PLAN = "plan"
    EFFECT = "effect"  # the call that changes something outside


@dataclass(frozen=True, slots=True)
class Model:
    """A model as it is asked for; `answers_as` where the provider names the exact version only in its answer."""

    provider: str
    name: str
    answers_as: str = ""
    reasons: bool = False
    caches: bool = True
    tokens_per_second: int = 70


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Json]

    def definition(self) -> dict[str, Json]:
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }


@dataclass(frozen=True, slots=True)
class Release:
    """A version of an agent. It runs from `hours` (before or after the demo began) on."""

    version: str
    hours: float
    model: Model
    prompt: str


@dataclass(frozen=True, slots=True, eq=False)
class Agent:
    """An agent of an organisation. `releases` are in order of time; the first runs from the beginning of time."""

    name: str
    tenant: str
    service: str
    dialect: str
    releases: tuple[Release, ...]
    tools: tuple[Tool, ...]
    captures_content: bool = True
    environment: str = "production"

    def release_at(self, hours: float) -> Release:
        """The release that runs so many hours after the demo began."""
        return [release for release in self.releases if release.hours <= hours or release is self.releases[0]][-1]


@dataclass(slots=True)
class Failure:
    """Why a step failed: `error.type`, and the message of its exception."""

    type: str
    message: str


@dataclass(slots=True)
class Step:
    """One span to be. A step with children lasts as long as they do, one after the other, and `seconds` more.

    Half of its `seconds` pass before the children begin, half after they have ended. With `is_parallel`, neighbours
    among the children that are runs begin together, as sub-agents do.
    """

    kind: Kind
    name: str
    seconds: float
    agent: Agent | None = None
    release: Release | None = None
    model: Model | None = None
    input: list[Message] = field(default_factory=list)
    output: list[Message] = field(default_factory=list)
    finish: str = "stop"
    usage: dict[str, int] = field(default_factory=dict)
    call_id: str = ""
    tool: Tool | None = None
    arguments: Json = None
    result: Json = None
    documents: list[Json] = field(default_factory=list)
    user: str = ""
    session: str = ""
    failure: Failure | None = None
    extra: dict[str, Json] = field(default_factory=dict)  # attributes as they are, whatever the dialect
    children: list[Step] = field(default_factory=list)
    is_quiet: bool = False  # content not captured
    is_parallel: bool = False
    then: Step | None = None  # of a root: the run of the person's next message, in the same session …
    pause: float = 0.0  # … and how long they took to write it

    def phases(self) -> Iterator[list[Step]]:
        """The children, one after the other; those that begin together are in one list."""
        together: list[Step] = []
        for child in self.children:
            if together and not (self.is_parallel and child.kind is Kind.RUN and together[-1].kind is Kind.RUN):
                yield together
                together = []
            together.append(child)
        if together:
            yield together

    def length(self) -> float:
        return self.seconds + sum(max(child.length() for child in phase) for phase in self.phases())

    def turns(self) -> Iterator[Step]:
        """The runs of a conversation, this one first."""
        turn: Step | None = self
        while turn is not None:
            yield turn
            turn = turn.then

    def walk(self) -> Iterator[Step]:
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Moment:
    """When and by whose dice a story happens. `hours` counts from the demo's beginning, negative before it."""

    rng: Random
    hours: float


Story = Callable[[Moment], Step]
"""A story makes the root step of one run."""


def text_message(role: str, text: str) -> Message:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def call_message(call_id: str, name: str, arguments: Json, thought: str = "") -> Message:
    parts: list[Json] = [{"type": "text", "content": thought}] if thought else []
    return {
        "role": "assistant",
        "parts": [*parts, {"type": "tool_call", "id": call_id, "name": name, "arguments": arguments}],
    }


def answer_message(call_id: str, result: Json) -> Message:
    return {"role": "tool", "parts": [{"type": "tool_call_response", "id": call_id, "response": result}]}
