"""The client for code that waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from . import answers, tracing, verbs
from .answers import Admission, AnswerKey, Started
from .calls import ModelCall, ToolCall
from .errors import Aborted, PortalError, Rejected, Throttled
from .exchange import Link
from .run import RunFacts, current_run, model_body, model_span, start_body, tool_span
from .verbs import Version
from .wire import Wire


class Client:
    """The portal, for one key with the scope `guard`. Thread-safe; close it, or use it as a context manager.

    `url` and `key` default to AGENTOPS_URL and AGENTOPS_KEY. `retry_seconds`: how long a request is sent again while the
    portal is away. `patience_seconds`: how long to wait when told to come back later.
    """

    def __init__(
        self,
        url: str = "",
        key: str = "",
        *,
        retry_seconds: float = 15.0,
        patience_seconds: float = 30.0,
        timeout_seconds: float = 10.0,
        http: httpx.Client | None = None,
    ) -> None:
        self.link = Link(retry_seconds, patience_seconds, timeout_seconds)
        self._wire = Wire(url, key, self.link, http)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._wire.close()

    @contextmanager
    def run(
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
    ) -> Iterator[Run]:
        """Start a run, finish it at the end of the block; `run.receipt` says how it went. Also a decorator.

        `parent` (a run or its id) makes a child run, on the parent's counters. Raises Rejected, Throttled, Aborted,
        Unreachable, PortalError. An exception inside the block finishes the run as `error`, and goes on.
        """
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
        started = self._wire.drive(verbs.start(self.link, body))
        run = Run(self, started, agent=agent, agent_version=agent_version, user=user, session=session)
        with self._running(run):
            yield run

    @contextmanager
    def resume(self, state: Mapping[str, Any]) -> Iterator[Run]:
        """Go on with a run that `run.detach()` left open, here or in another process; it is finished at the end."""
        said = {name: state[name] for name in ("agent", "agent_version", "user")}
        run = Run(self, answers.started(state["started"]), **said)
        run._attach(state)
        with self._running(run):
            yield run

    @contextmanager
    def _running(self, run: Run) -> Iterator[None]:
        token = current_run.set(run)
        try:
            with tracing.run_span(run.run_id, run.agent, run._span_attributes()):
                yield
        except BaseException as error:
            self._finish(run, error)
            raise
        else:
            if run.is_detached:
                run._repay()
            else:
                self._finish(run, None)
        finally:
            current_run.reset(token)

    def _finish(self, run: Run, error: BaseException | None) -> None:
        run.receipt = self._wire.drive(verbs.finish(self.link, run._owed, run.run_id, run._finish_body(error)))


class Run(RunFacts):
    """A run in progress."""

    def __init__(self, client: Client, started: Started, **said: str) -> None:
        super().__init__(client.link, started, **said)
        self._wire = client._wire

    @contextmanager
    def model_call(
        self,
        *,
        input_tokens: int,
        max_output_tokens: int,
        model: str = "",
        provider: str = "",
        task_class: str = "",
        call_id: str = "",
        span: bool = True,
    ) -> Iterator[ModelCall]:
        """Reserve a model call, settle it at the end of the block, once.

        Call `call.model` with at most `call.max_output_tokens`, then say `call.used(Usage(…))`. What is not said counts
        as unknown and costs what was held. Raises Rejected, Throttled, Aborted, Unreachable, PortalError.
        """
        call_id = call_id or verbs.new_call_id()
        body = model_body(call_id, model, provider, task_class, input_tokens, max_output_tokens)
        self._repay()
        call = ModelCall(call_id, self._reserve(call_id, body))
        self._advised(call.advice)
        try:
            with model_span(self.run_id, call, provider, own=span):
                yield call
        except BaseException as error:
            call.ended_by(error)
            raise
        finally:
            call.cost_usd = self._wire.drive(
                verbs.settle(self._link, self._owed, self.run_id, call_id, call.settlement())
            )

    @contextmanager
    def tool_call(
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
    ) -> Iterator[ToolCall]:
        """Ask for a tool call, wait for people where it needs them, tell the result at the end of the block.

        Run the tool with `call.arguments`, and with nothing else. `wait`: how many seconds people may take, None as long
        as the question lives; 0 raises Pending at once, and the same `call_id` asks again later. `current` is what the
        call acts on as it is now (JSON; shown to people beside the change), `resource_version` its version, or a
        function that tells it: that one is asked again before an approval is taken up, and if the resource has changed
        since people saw it, nothing runs. Raises Rejected, Pending, Throttled, Aborted, Unreachable, PortalError;
        Aborted also at the end, when the failure was one too many.
        """
        call = self.ask(
            tool,
            arguments,
            reason=reason,
            tainted=tainted,
            wait=wait,
            call_id=call_id,
            resource_version=resource_version,
            current=current,
        )
        with self.doing(call, span=span):
            yield call

    def ask(
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
            self._repay()
            permission = self._wire.drive(
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

    @contextmanager
    def doing(self, call: ToolCall, *, span: bool = True) -> Iterator[None]:
        """The second half of `tool_call`: the block runs the tool, and its end is told."""
        try:
            with tool_span(self.run_id, call, own=span):
                yield
        except BaseException as error:
            call.ended_by(error)
            raise
        finally:
            self._tell(call)

    def _reserve(self, call_id: str, body: Mapping[str, Any]) -> Admission:
        try:
            with self._noting_its_end():
                return self._wire.drive(verbs.reserve(self._link, self.run_id, body))
        except (Rejected, Throttled, Aborted, PortalError):
            raise  # decided: nothing is held
        except BaseException:
            self._forget(call_id)
            raise

    def _tell(self, call: ToolCall) -> None:
        if not call.is_offline:
            with self._noting_its_end():
                self._wire.drive(verbs.tell_result(self._link, self._owed, self.run_id, call.call_id, call.result()))

    def _repay(self) -> None:
        if self._owed and not self._link.is_away():
            self._wire.drive(verbs.repay(self._link, self._owed))
