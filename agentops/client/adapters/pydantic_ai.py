"""pydantic-ai: `Agent(…, capabilities=[Guard()])`, run inside `async with client.run(…)`.

Model requests are reserved and settled in a wrapper around the model of each attempt, tools are asked for in a wrapper
around the assembled toolset: both lie inside all other capabilities, so nothing changes a request or arguments behind
the guard's back. Output functions, which no toolset shows, do not run. A refusal goes to the model as the tool's failure,
and costs it no retry: the portal counts attempts.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.exceptions import ApprovalRequired, ModelConnectionError, ModelHTTPError, ToolFailed
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.output import OutputContext
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext
from pydantic_ai.toolsets import AbstractToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool
from pydantic_ai.usage import RequestUsage
from pydantic_core import to_jsonable_python

from ..answers import Usage
from ..calls import ModelCall, estimate_tokens
from ..errors import Pending, Rejected
from .common import DEFAULT_OUTPUT_TOKENS, async_run, beyond_the_guard, no_such_model

_NOT_SENT = ("pool", "connect")


@dataclass(init=False)
class Guard(AbstractCapability[Any]):
    """The portal's guard as a capability.

    `wait`: seconds to wait for people, None as long as their question lives. `when_pending`: after that, "tell" the model
    that it waits, or "defer" the call (the agent's output type must allow DeferredToolRequests). A deferred call that is
    resumed asks the portal again: whatever the framework was told, only the portal's approval counts.
    `resolve`: how to call a model that the portal chose instead. `provider`: the models' provider as the portal's prices
    know it, by default as the framework names it.
    """

    wait: float | None = None
    when_pending: Literal["tell", "defer"] = "tell"
    resolve: Callable[[str], Model] | None = field(default=None, repr=False)
    provider: str = ""
    task_class: str = ""

    def __init__(
        self,
        *,
        wait: float | None = None,
        when_pending: Literal["tell", "defer"] = "tell",
        resolve: Callable[[str], Model] | None = None,
        provider: str = "",
        task_class: str = "",
    ) -> None:
        super().__init__()
        self.wait, self.when_pending, self.resolve = wait, when_pending, resolve
        self.provider, self.task_class = provider, task_class

    def get_ordering(self) -> CapabilityOrdering:
        return CapabilityOrdering(position="innermost")

    def get_wrapper_model(self, model: Model) -> Model:
        return _GuardedModel(model, self)

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        return _GuardedToolset(toolset, self)

    async def before_output_process(self, ctx: RunContext[Any], *, output_context: OutputContext, output: Any) -> Any:
        if output_context.has_function:  # called as tools are, by the model, and no toolset shows it
            raise beyond_the_guard(f"the output function {output_context.function_name or ''}".rstrip())
        return output


@dataclass(init=False)
class _GuardedModel(WrapperModel):
    guard: Guard

    def __init__(self, wrapped: Model, guard: Guard) -> None:
        super().__init__(wrapped)
        self.guard = guard

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        async with self._reserved(messages, model_settings, model_request_parameters) as (call, model, settings):
            response = await model.request(messages, settings, model_request_parameters)
            _settle(call, response.usage)
            return response

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[Any] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        async with (
            self._reserved(messages, model_settings, model_request_parameters) as (call, model, settings),
            model.request_stream(messages, settings, model_request_parameters, run_context) as stream,
        ):
            yield stream
            if stream.get().state == "complete":  # usage comes last: of a stream that broke off nobody knows it
                _settle(call, stream.usage)

    @asynccontextmanager
    async def _reserved(
        self, messages: list[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
    ) -> AsyncGenerator[tuple[ModelCall, Model, ModelSettings]]:
        if parameters.native_tools:
            names = ", ".join(tool.kind for tool in parameters.native_tools)
            raise beyond_the_guard(f"the provider's own tool {names}")
        for tool in parameters.function_tools:
            if tool.kind == "external":
                raise beyond_the_guard(f"the external tool {tool.name}")
        run = async_run("a model request")
        chosen = ModelSettings(**(settings or {}))
        content = [ModelMessagesTypeAdapter.dump_json(messages).decode(), to_jsonable_python(parameters.tool_defs)]
        async with run.model_call(
            model=self.wrapped.model_name,
            provider=self.guard.provider or self.wrapped.system,
            task_class=self.guard.task_class,
            input_tokens=estimate_tokens(content),
            max_output_tokens=chosen.get("max_tokens") or DEFAULT_OUTPUT_TOKENS,
            span=False,
        ) as call:
            try:
                chosen["max_tokens"] = call.max_output_tokens
                yield call, self._model(call.model), chosen
            except Rejected:
                call.not_sent()
                raise
            except ModelHTTPError as error:
                call.failed(Usage() if 400 <= error.status_code < 500 and not error.in_stream else None)
                raise
            except ModelConnectionError as error:
                if error.phase in _NOT_SENT:
                    call.not_sent()
                raise

    def _model(self, chosen: str) -> Model:
        if chosen == self.wrapped.model_name:
            return self.wrapped
        if self.guard.resolve is None:
            raise no_such_model(chosen, self.wrapped.model_name)
        return self.guard.resolve(chosen)


@dataclass
class _GuardedToolset(WrapperToolset[Any]):
    guard: Guard

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        run = async_run(name)
        asked = _as_json(tool_args, tool)
        call_id = run.call_id_for(ctx.tool_call_id or "", name, asked)
        try:
            async with run.tool_call(name, asked, wait=self.guard.wait, call_id=call_id, span=False) as call:
                arguments = tool_args
                if call.arguments != asked:
                    context = ctx.validation_context
                    arguments = tool.args_validator.validate_python(call.arguments, context=context)
                return await super().call_tool(name, arguments, ctx, tool)
        except Rejected as refused:
            raise ToolFailed(refused.for_model()) from refused
        except Pending as pending:
            if self.guard.when_pending == "tell":
                raise ToolFailed(pending.for_model()) from pending
            asks = pending.confirmation
            raise ApprovalRequired({"confirmation": asks.id, "url": asks.url, "call_id": call_id}) from pending


def _as_json(arguments: dict[str, Any], tool: ToolsetTool[Any]) -> dict[str, Any]:
    """The arguments as the tool's schema has them: JSON, and without the name of a function's only, model-like one."""
    found: dict[str, Any] = to_jsonable_python(arguments)
    if len(found) == 1:
        [(name, inner)] = found.items()
        if isinstance(inner, dict) and name not in tool.tool_def.parameters_json_schema.get("properties", {}):
            return inner
    return found


def _settle(call: ModelCall, usage: RequestUsage) -> None:
    if usage.unmeasured_requests:
        return  # the provider did not say, so nobody knows
    call.used(
        Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cache_read_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            reasoning_tokens=usage.details.get("reasoning_tokens", 0),
        )
    )
