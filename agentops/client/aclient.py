"""The client for asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import httpx

from . import answers, tracing, verbs
from .answers import Admission, AnswerKey, Started
from .calls import ModelCall, ToolCall
from .errors import Aborted, PortalError, Rejected, Throttled
from .exchange import Link
from .run import RunFacts, current_run, model_body, model_span, start_body, tool_span
from .verbs import Version
from .wire import AsyncWire

T = TypeVar("T")


class AsyncClient:
    """The portal, for one key with the scope `guard`. Close it, or use it as an async context manager. See Client."""

    def __init__(
        self,
        url: str = "",
        key: str = "",
        *,
        retry_seconds: float = 15.0,
        patience_seconds: float = 30.0,
        timeout_seconds: float = 10.0,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self.link = Link(retry_seconds, patience_seconds, timeout_seconds)
        self._wire = AsyncWire(url, key, self.link, http)
        self._endings: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Wait for settlements and results that are still under way, then close."""
        while self._endings:
            await asyncio.wait(set(self._endings))
        await self._wire.aclose()

    @asynccontextmanager
    async def run(
        self,
        *,
        agent: str,
        agent_version: str,
        user: str,
        session: str = "",
        scope: Mapping[str, Any] | None = None,
        parent: RunFacts | str | None = None,
        input: Any = None,
        answer_key: AnswerKey | None = None,
    ) -> AsyncIterator[AsyncRun]:
        """Start a run, finish it at the end of the block; `run.receipt` says how it went. See Client.run."""
        parent_id = parent.run_id if isinstance(parent, RunFacts) else parent or ""
        body = start_body(
            agent=agent,
            agent_version=agent_version,
            user=user,
            session=session,
            scope=scope,
            parent_run_id=parent_id,
            input=input,
            answer_key=answer_key,
        )
        started = await self._wire.drive(verbs.start(self.link, body))
        run = AsyncRun(self, started, agent=agent, agent_version=agent_version, user=user, session=session)
        async with self._running(run):
            yield run

    @asynccontextmanager
    async def resume(self, state: Mapping[str, Any]) -> AsyncIterator[AsyncRun]:
        """Go on with a run that `run.detach()` left open, here or in another process; it is finished at the end."""
        said = {name: state[name] for name in ("agent", "agent_version", "user")}
        run = AsyncRun(self, answers.started(state["started"]), **said)
        run._attach(state)
        async with self._running(run):
            yield run

    @asynccontextmanager
    async def _running(self, run: AsyncRun) -> AsyncIterator[None]:
        token = current_run.set(run)
        try:
            with tracing.run_span(run.run_id, run.agent, run._span_attributes()):
                yield
        except BaseException as error:
            await self.ending(self._finish(run, error))
            raise
        else:
            await self.ending(run._repay() if run.is_detached else self._finish(run, None))
        finally:
            current_run.reset(token)

    async def ending(self, told: Coroutine[Any, Any, T], *, of: set[asyncio.Task[Any]] | None = None) -> T:
        """Wait for what must be told even if the caller is cancelled: it goes on in a task of its own."""
        task = asyncio.ensure_future(told)
        for group in (self._endings, of if of is not None else set()):
            group.add(task)
            task.add_done_callback(group.discard)
        return await asyncio.shield(task)

    async def _finish(self, run: AsyncRun, error: BaseException | None) -> None:
        while run._telling:  # settlements of cancelled calls, still on their way
            await asyncio.wait(set(run._telling))
        run.receipt = await self._wire.drive(verbs.finish(self.link, run._owed, run.run_id, run._finish_body(error)))


class AsyncRun(RunFacts):
    """A run in progress."""

    def __init__(self, client: AsyncClient, started: Started, **said: str) -> None:
        super().__init__(client.link, started, **said)
        self.client = client
        self._wire = client._wire
        self._telling: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def model_call(
        self,
        *,
        input_tokens: int,
        max_output_tokens: int,
        model: str = "",
        provider: str = "",
        task_class: str = "",
        call_id: str = "",
        span: bool = True,
    ) -> AsyncIterator[ModelCall]:
        """Reserve a model call, settle it at the end of the block, once, also when cancelled. See Run.model_call."""
        call_id = call_id or verbs.new_call_id()
        body = model_body(call_id, model, provider, task_class, input_tokens, max_output_tokens)
        await self._repay()
        call = ModelCall(call_id, await self._reserve(call_id, body))
        self._advised(call.advice)
        try:
            with model_span(self.run_id, call, provider, own=span):
                yield call
        except BaseException as error:
            call.ended_by(error)
            raise
        finally:
            await self.client.ending(self._settle(call), of=self._telling)

    @asynccontextmanager
    async def tool_call(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        reason: str = "",
        tainted: bool = False,
        wait: float | None = None,
        call_id: str = "",
        resource_version: Version = "",
        current: Any = None,
        span: bool = True,
    ) -> AsyncIterator[ToolCall]:
        """Ask for a tool call, wait for people where it needs them, tell the result at the end. See Run.tool_call."""
        call = await self.ask(
            tool,
            arguments,
            reason=reason,
            tainted=tainted,
            wait=wait,
            call_id=call_id,
            resource_version=resource_version,
            current=current,
        )
        async with self.doing(call, span=span):
            yield call

    async def ask(
        self,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        reason: str = "",
        tainted: bool = False,
        wait: float | None = None,
        call_id: str = "",
        resource_version: Version = "",
        current: Any = None,
    ) -> ToolCall:
        """The first half of `tool_call`: permission, or an exception. What was permitted belongs into `doing`."""
        call_id = call_id or self._new_call_id(tool, arguments)
        body = verbs.body_of_call(
            call_id,
            tool,
            arguments,
            reason=reason,
            tainted=tainted,
            resource_version=resource_version,
            current=current,
        )
        version_now = resource_version if callable(resource_version) else None
        with self._deciding(call_id, tool, arguments):
            await self._repay()
            permission = await self._wire.drive(
                verbs.propose(
                    self._link,
                    self.started,
                    body,
                    wait=wait,
                    version_now=version_now,
                    has_ended=self.has_ended,
                )
            )
        call = ToolCall(call_id, tool, permission)
        self._advised(call.advice)
        return call

    @asynccontextmanager
    async def doing(self, call: ToolCall, *, span: bool = True) -> AsyncIterator[None]:
        """The second half of `tool_call`: the block runs the tool, and its end is told."""
        try:
            with tool_span(self.run_id, call, own=span):
                yield
        except BaseException as error:
            call.ended_by(error)
            raise
        finally:
            await self.client.ending(self._tell(call), of=self._telling)

    async def _settle(self, call: ModelCall) -> None:
        call.cost_usd = await self._wire.drive(
            verbs.settle(self._link, self._owed, self.run_id, call.call_id, call.settlement())
        )

    async def _reserve(self, call_id: str, body: Mapping[str, Any]) -> Admission:
        try:
            with self._noting_its_end():
                return await self._wire.drive(verbs.reserve(self._link, self.run_id, body))
        except (Rejected, Throttled, Aborted, PortalError):
            raise  # decided: nothing is held
        except BaseException:
            self._forget(call_id)
            raise

    async def _tell(self, call: ToolCall) -> None:
        if not call.is_offline:
            with self._noting_its_end():
                await self._wire.drive(
                    verbs.tell_result(self._link, self._owed, self.run_id, call.call_id, call.result())
                )

    async def _repay(self) -> None:
        if self._owed and not self._link.is_away():
            await self._wire.drive(verbs.repay(self._link, self._owed))
