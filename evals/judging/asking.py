"""Asking a judge's model, through pydantic-ai with structured output. An ask ends in a value and never raises.

The model libraries are imported inside the functions that use them: the web never asks, and they take seconds to import.
"""

from __future__ import annotations

import asyncio
import json
import queue
import threading
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agentops.outbox.addresses import Closed
from evals.judging.rubrics import Content, Criterion
from evals.types import EndpointKind

REASON_MOST = 2_000
RETRIES = 2  # of an answer that does not have the form
LONGEST_SECONDS = 180.0  # of an ask with its retries
DETAIL_MOST = 500
TOKENS_MOST = 1_000_000_000  # of one ask; who tells of more is not believed
# What went wrong, and whether another try may help.
FINAL = frozenset({"refused", "closed_address", "malformed", "too_large"})
PATIENCE = "rate_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One judgement to be asked for."""

    id: uuid.UUID
    tenant: uuid.UUID
    claim: uuid.UUID
    endpoint: uuid.UUID
    kind: str
    base_url: str
    key: str = field(repr=False)
    model: str
    settings: Mapping[str, Any]
    content: Content
    instructions: str
    material: str
    spans: frozenset[str]  # that may be named as evidence

    @property
    def longest_seconds(self) -> float:
        return longest(self.settings)


@dataclass(frozen=True, slots=True)
class Given:
    """What the judge gave for one criterion."""

    criterion: str
    value: str
    score: float
    reason: str
    spans: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How an ask ended: with `given` for every criterion, or with a code and why."""

    question: Question
    given: Sequence[Given] = ()
    code: str = ""
    detail: str = ""
    retry_after: float | None = None
    is_usage_known: bool = True  # False: the model may have worked, and nobody said how much
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    requests: int = 0

    @property
    def may_help_later(self) -> bool:
        return self.code not in FINAL


def longest(settings: Mapping[str, Any]) -> float:
    """How long one ask may take in all, its retries included."""
    return min(LONGEST_SECONDS, float(settings["timeout_seconds"]) * (RETRIES + 1))


class Asker:
    """A thread with an event loop that asks many at once; `submit` from the outside, and take what ends from `ended`."""

    def __init__(self, *, connections: int) -> None:
        self.ended: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self.in_flight = 0  # submitted and not taken yet; only the outside counts
        self._connections = connections
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="asker", daemon=True)
        self._client: Any = None
        self._agents: dict[Any, Any] = {}

    def __enter__(self) -> Asker:
        from evals.judging import transport

        self._thread.start()
        self._client = transport.client(connections=self._connections)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def submit(self, question: Question) -> None:
        self.in_flight += 1
        asyncio.run_coroutine_threadsafe(self._ask(question), self._loop)

    def take(self, *, seconds: float) -> Answer | None:
        """The next that ended; None if none did in this time."""
        try:
            answer = self.ended.get(timeout=seconds)
        except queue.Empty:
            return None
        self.in_flight -= 1
        return answer

    async def _ask(self, question: Question) -> None:
        try:
            answer = await ask(question, self._client, self._agents)
        except BaseException as error:  # a slot that is lost for ever would be worse than an error without a name
            answer = Answer(question=question, code="server_error", detail=type(error).__name__)
        self.ended.put(answer)

    async def _close(self) -> None:
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.aclose()


async def ask(question: Question, http: Any, agents: dict[Any, Any]) -> Answer:
    """Ask once, with retries of answers that do not have the form. `agents` keeps what takes long to make."""
    from pydantic_ai.usage import RunUsage

    usage = RunUsage()
    said: dict[str, Any] = {}
    try:
        agent = _agent(question, http, agents)
        async with asyncio.timeout(question.longest_seconds):
            result = await agent.run(
                question.material,
                instructions=question.instructions,
                usage=usage,
                model_settings=_settings(question),
            )
        said["given"] = _given(question, result.output)
    except Exception as error:
        said = _failure(error)
    return Answer(question=question, requests=max(usage.requests, 1), **(_used(usage) | said))


def _used(usage: Any) -> dict[str, Any]:
    """What the endpoint told of tokens. Who answered and told of none, or of what cannot be, is charged at the hold."""
    names = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
    told = {name: getattr(usage, name) for name in names}
    if not all(0 <= tokens <= TOKENS_MOST for tokens in told.values()):
        return {"is_usage_known": False}
    return told | {"is_usage_known": not usage.requests or any(told.values())}


def _agent(question: Question, http: Any, agents: dict[Any, Any]) -> Any:
    """The libraries' objects for a judge: the same for all of its questions, as long as nothing of it changes."""
    from pydantic_ai import Agent

    key = (
        question.kind,
        question.base_url,
        question.key,
        question.model,
        tuple(sorted(question.settings.items())),
        question.content,
    )
    if key not in agents:
        agents[key] = Agent(_model(question, http), output_type=_output(question), retries=RETRIES)
    return agents[key]


def _model(question: Question, http: Any) -> Any:
    seconds = float(question.settings["timeout_seconds"])
    if question.kind == EndpointKind.ANTHROPIC:
        from anthropic import AsyncAnthropic
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        claude = AsyncAnthropic(
            api_key=question.key or "none", base_url=question.base_url, http_client=http, max_retries=0, timeout=seconds
        )
        return AnthropicModel(question.model, provider=AnthropicProvider(anthropic_client=claude))
    from openai import AsyncOpenAI
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    gpt = AsyncOpenAI(
        api_key=question.key or "none", base_url=question.base_url, http_client=http, max_retries=0, timeout=seconds
    )
    return OpenAIChatModel(question.model, provider=OpenAIProvider(openai_client=gpt))


def _settings(question: Question) -> Any:
    return {
        "temperature": question.settings["temperature"],
        "max_tokens": question.settings["max_output_tokens"],
        "timeout": float(question.settings["timeout_seconds"]),
    }


def _output(question: Question) -> Any:
    """The form of an answer: one object, a field for each criterion, its reason before its value."""
    from pydantic_ai import NativeOutput, PromptedOutput, ToolOutput

    form = _form(question.content)
    match question.settings["output"]:
        case "json":
            return NativeOutput(form, name="judgement")
        case "prompt":
            return PromptedOutput(form, name="judgement")
    return ToolOutput(form, name="judgement", description="Give your judgement, one entry for each criterion.")


def _form(content: Content) -> Any:
    from pydantic import Field, create_model

    fields: dict[str, Any] = {
        f"criterion_{place}": (_entry(one, place), Field(alias=one.key, description=one.title))
        for place, one in enumerate(content.criteria)
    }
    return create_model("Judgement", **fields)


def _entry(one: Criterion, place: int) -> Any:
    from pydantic import BaseModel, Field, create_model

    values = tuple(int(level.value) if one.kind == "number" else level.value for level in one.levels)
    fields: dict[str, Any] = {
        "reason": (str, Field(min_length=1, description="One to three sentences.")),
        "value": (Literal[values], Field(description=one.title)),
        "spans": (list[str], Field(default_factory=list, description="Ids of the steps that the reason rests on.")),
    }
    return create_model(f"Criterion{place}", __base__=BaseModel, **fields)


def _given(question: Question, output: Any) -> list[Given]:
    found = []
    for place, one in enumerate(question.content.criteria):
        entry = getattr(output, f"criterion_{place}")
        value = str(entry.value)
        score = one.score_of(value)
        assert score is not None, "the form holds values of the scale only"
        spans = dict.fromkeys(span.strip("[] ").lower() for span in entry.spans[:50])
        found.append(
            Given(
                criterion=one.key,
                value=value,
                score=score,
                reason=entry.reason.replace("\x00", "")[:REASON_MOST],
                spans=tuple(span for span in spans if span in question.spans)[:20],
            )
        )
    return found


def _failure(error: Exception) -> dict[str, Any]:
    """Code, detail and what is known beside, of an ask that failed."""
    from pydantic_ai import exceptions as of

    from evals.judging.transport import TooMuch

    chain = list(_chain(error))
    closed = next((one for one in chain if isinstance(one, Closed | ValueError) and _is_address(one)), None)
    if closed is not None:
        return _said("closed_address", str(closed))
    if any(isinstance(one, TooMuch) for one in chain):
        return _said("too_large", "The answer is larger than any judgement is.")
    if any(isinstance(one, json.JSONDecodeError) for one in chain):
        return _said("malformed", "It answered with something that is no JSON.", is_usage_known=False)
    status = next((found for one in chain if isinstance(found := getattr(one, "status_code", None), int)), 0)
    if 300 <= status < 400:
        return _said("refused", f"It answered with a redirect ({status}), which is not followed.")
    match error:
        case of.ModelRateLimitError():
            return _said(PATIENCE, _words(error), retry_after=error.retry_after)
        case of.ModelQuotaExceededError():
            return _said("quota", _words(error), retry_after=error.retry_after)
        case of.ModelTimeoutError() | of.ModelRequestTimeout() | TimeoutError():
            return _said("timeout", "It did not answer in time.", is_usage_known=False)
        case of.ModelConnectionError():
            was_connected = not any(type(one).__name__ in ("ConnectError", "ConnectTimeout") for one in chain)
            return _said("unreachable", _words(chain[-1]), is_usage_known=not was_connected)
        case of.ModelHTTPError() if error.status_code == 429:
            return _said(PATIENCE, _words(error), retry_after=error.retry_after)
        case of.ModelHTTPError() if error.status_code == 408:
            return _said("timeout", _words(error))
        case of.ModelHTTPError() if error.status_code < 500:
            return _said("refused", _words(error))
        case of.ModelHTTPError() | of.ModelServerError() | of.ModelUnavailableError():
            return _said("server_error", _words(error), retry_after=error.retry_after)
        case of.UnexpectedModelBehavior():
            return _said("malformed", _words(error))
        case of.ModelAPIError():
            return _said("unreachable", _words(error), is_usage_known=False)
    return _said("malformed" if isinstance(error, ValueError) else "server_error", _words(error), is_usage_known=False)


def _said(code: str, detail: str, **more: Any) -> dict[str, Any]:
    return {"code": code, "detail": " ".join(detail.replace("\x00", "").split())[:DETAIL_MOST], **more}


def _is_address(error: BaseException) -> bool:
    return isinstance(error, Closed) or (type(error) is ValueError and "address" in str(error))


def _words(error: BaseException) -> str:
    """What went wrong, in the endpoint's own words where it has some."""
    return str(error) or type(error).__name__


def _chain(error: BaseException) -> Sequence[BaseException]:
    found: list[BaseException] = []
    place: BaseException | None = error
    while place is not None and place not in found and len(found) < 20:
        found.append(place)
        place = place.__cause__ or place.__context__
    return found
