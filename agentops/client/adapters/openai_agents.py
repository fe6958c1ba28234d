"""openai-agents: `Runner.run(Guard().agent(agent), …)`, inside `async with client.run(…)`.

The agent's model, and those of the agents it hands over to, are wrapped: each call is reserved and settled. Each function
tool, those of MCP servers too, is wrapped around its invocation: asked for, run with the arguments that came back, and
its result told. What a model could use and the guard could not see (hosted tools, shells, handoffs to agents that are not
known beforehand) is refused before the model is called. A refusal goes to the model as the tool's output.
"""

from __future__ import annotations

import asyncio
import copy
import json
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Any, Literal

from agents import (
    Agent,
    AgentOutputSchemaBase,
    FunctionTool,
    Handoff,
    Model,
    ModelProvider,
    ModelSettings,
    ModelTracing,
    MultiProvider,
    Tool,
    ToolTimeoutError,
    TResponseInputItem,
)
from agents.exceptions import AgentsException
from agents.items import ModelResponse, TResponseStreamEvent
from agents.run_context import RunContextWrapper
from agents.tool import resolve_function_tool_failure_error_function, set_function_tool_failure_error_function
from agents.tool_context import ToolContext
from agents.usage import Usage as FrameworkUsage

from ..answers import Usage
from ..calls import ModelCall, ToolCall, estimate_tokens
from ..errors import Aborted, GuardError, Pending, Rejected
from ..run import current_call
from .common import DEFAULT_OUTPUT_TOKENS, async_run, beyond_the_guard, no_such_model

_GUARDED = "_agentops_guarded"


class Stopped(Aborted, AgentsException):
    """Aborted, in the framework's family: it passes other exceptions of tools on as something else."""

    def __init__(self, aborted: Aborted) -> None:
        Aborted.__init__(self, aborted.detail, code=aborted.code)
        self.run_data = None


class Guard:
    """The portal's guard. See Client for what is refused how.

    `wait`: seconds to wait for people, None as long as their question lives. `when_pending`: after that, "tell" the model
    that it waits, or "interrupt" the framework's run, which then has an interruption to wake up from. Approving it there
    decides nothing: the resumed call asks the portal again. `provider`: whom to ask for models by name; `resolve` how to
    call one that the portal chose instead. `price_provider`: the models' provider as the portal's prices know it.
    """

    def __init__(
        self,
        *,
        wait: float | None = None,
        when_pending: Literal["tell", "interrupt"] = "tell",
        provider: ModelProvider | None = None,
        resolve: Callable[[str], Model] | None = None,
        price_provider: str = "openai",
        task_class: str = "",
    ) -> None:
        self.wait, self.when_pending = wait, when_pending
        self.provider = provider or MultiProvider()
        self.resolve = resolve or self.provider.get_model
        self.price_provider, self.task_class = price_provider, task_class
        self._agents: dict[int, Agent[Any]] = {}  # by the id of the original, as long as that lives
        self._asked: dict[tuple[str, str], ToolCall | GuardError] = {}

    def agent(self, agent: Agent[Any]) -> Agent[Any]:
        """A copy of an agent, guarded, and so on for those it hands over to."""
        return self._agent(agent)

    def model(self, model: Model | str | None, name: str = "") -> Model:
        """A guarded model: for RunConfig.model. `name` where the model has no attribute `model` that tells it."""
        return model if isinstance(model, _GuardedModel) else _GuardedModel(model, name, self)

    def tool(self, tool: Tool) -> Tool:
        """A guarded copy of a function tool. Raises Aborted for tools that run elsewhere."""
        if not isinstance(tool, FunctionTool):
            raise beyond_the_guard(f"the tool {tool.name}")
        if hasattr(tool, _GUARDED):
            return tool
        if tool._is_agent_tool and not isinstance(tool._agent_instance, _GuardedAgent):
            raise beyond_the_guard(f"the agent behind the tool {tool.name} (guard it, then make it a tool)")
        return _GuardedTool(tool, self).outer

    def _agent(self, agent: Agent[Any]) -> Agent[Any]:
        if isinstance(agent, _GuardedAgent):
            return agent
        if id(agent) not in self._agents:  # agents may hand over in circles
            made = _GuardedAgent(**{field.name: getattr(agent, field.name) for field in fields(agent) if field.init})
            self._agents[id(agent)] = made
            weakref.finalize(agent, self._agents.pop, id(agent), None)
            made.guard = self
            made.model = self.model(agent.model)
            made.tools = [self.tool(tool) for tool in agent.tools]
            made.handoffs = [self._handoff(next_) for next_ in agent.handoffs]
        return self._agents[id(agent)]

    def _handoff(self, next_: Agent[Any] | Handoff[Any, Any]) -> Agent[Any] | Handoff[Any, Any]:
        if isinstance(next_, Agent):
            return self._agent(next_)
        found = next_.on_invoke_handoff

        async def on_invoke_handoff(context: RunContextWrapper[Any], arguments: str) -> Agent[Any]:
            return self._agent(await found(context, arguments))

        return replace(next_, on_invoke_handoff=on_invoke_handoff)


class _GuardedAgent(Agent[Any]):
    """An agent all of whose tools, also those that its MCP servers list at run time, are guarded."""

    guard: Guard  # no field of the data class: set on each instance

    async def get_all_tools(self, run_context: RunContextWrapper[Any]) -> list[Tool]:
        return [self.guard.tool(tool) for tool in await super().get_all_tools(run_context)]

    def clone(self, **kwargs: Any) -> Agent[Any]:
        made = super().clone(**kwargs)
        assert isinstance(made, _GuardedAgent)
        made.guard = self.guard
        return made


class _GuardedModel(Model):
    def __init__(self, model: Model | str | None, name: str, guard: Guard) -> None:
        self._given, self._name, self._guard = model, name, guard

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        **more: Any,
    ) -> ModelResponse:
        async with self._reserved(system_instructions, input, model_settings, tools) as (call, model, settings):
            response = await model.get_response(
                system_instructions, input, settings, tools, output_schema, handoffs, tracing, **more
            )
            _settle(call, response.usage)
            return response

    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[TResponseInputItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Handoff],
        tracing: ModelTracing,
        **more: Any,
    ) -> AsyncIterator[TResponseStreamEvent]:
        async with self._reserved(system_instructions, input, model_settings, tools) as (call, model, settings):
            async for event in model.stream_response(
                system_instructions, input, settings, tools, output_schema, handoffs, tracing, **more
            ):
                said: Any = event
                if said.type == "response.completed" and said.response.usage:  # last; what broke off stays unknown
                    _settle_stream(call, said.response.usage)
                yield event

    @asynccontextmanager
    async def _reserved(
        self, system_instructions: str | None, input: Any, settings: ModelSettings, tools: list[Tool]
    ) -> AsyncIterator[tuple[ModelCall, Model, ModelSettings]]:
        for tool in tools:
            if not hasattr(tool, _GUARDED):
                raise Stopped(beyond_the_guard(f"the tool {tool.name}"))
        run = async_run("a model call")
        model = self._given if isinstance(self._given, Model) else self._guard.provider.get_model(self._given)
        name = self._name or str(getattr(model, "model", "") or self._given or "")
        schemas = [getattr(tool, "params_json_schema", None) for tool in tools]
        try:
            async with run.model_call(
                model=name,
                provider=self._guard.price_provider,
                task_class=self._guard.task_class,
                input_tokens=estimate_tokens([system_instructions, input, schemas]),
                max_output_tokens=settings.max_tokens or DEFAULT_OUTPUT_TOKENS,
                span=False,
            ) as call:
                if call.model != name:
                    model = self._resolved(call, name)
                yield call, model, replace(settings, max_tokens=call.max_output_tokens)
        except Aborted as aborted:
            raise Stopped(aborted) from aborted

    def _resolved(self, call: ModelCall, name: str) -> Model:
        try:
            return self._guard.resolve(call.model)
        except Exception as error:
            call.not_sent()
            raise no_such_model(call.model, name) from error


class _GuardedTool:
    """`outer` is what the framework sees; `inner` is the tool, told to say when it fails."""

    def __init__(self, tool: FunctionTool, guard: Guard) -> None:
        self._guard = guard
        self.inner = copy.copy(tool)
        _notice_failures(self.inner)
        self.outer = copy.copy(tool)
        self.outer.on_invoke_tool = self._invoke
        self.outer.timeout_seconds = None  # holds for the tool, not for the people it waits for
        if guard.when_pending == "interrupt":
            self.outer.needs_approval = self._must_wait
        setattr(self.outer, _GUARDED, self)

    async def _must_wait(self, context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        """Whether the framework should interrupt: only when people have not decided. The answer is kept for the call."""
        key = (async_run(self.inner.name).run_id, call_id)
        try:
            self._guard._asked[key] = await self._ask(arguments, call_id)
        except Pending:
            return True
        except GuardError as refused:
            self._guard._asked[key] = refused
        return False

    async def _invoke(self, context: ToolContext[Any], arguments: str) -> Any:
        try:
            asked = self._guard._asked.pop((async_run(self.inner.name).run_id, context.tool_call_id), None)
            if isinstance(asked, GuardError):
                raise asked
            call = asked or await self._ask(json.loads(arguments or "{}"), context.tool_call_id)
            async with async_run(self.inner.name).doing(call, span=False):
                return await self._run(context, call)
        except Aborted as aborted:
            raise Stopped(aborted) from aborted
        except (Rejected, Pending) as refused:
            return refused.for_model()

    async def _ask(self, arguments: dict[str, Any], given: str) -> ToolCall:
        run = async_run(self.inner.name)
        call_id = run.call_id_for(given, self.inner.name, arguments)
        return await run.ask(self.inner.name, arguments, wait=self._guard.wait, call_id=call_id)

    async def _run(self, context: ToolContext[Any], call: ToolCall) -> Any:
        tool = self.inner
        context._function_tool_arguments = None  # parsed before the portal answered; what came back is what runs
        running = tool.on_invoke_tool(context, json.dumps(call.arguments))
        if tool.timeout_seconds is None:
            return await running
        try:
            return await asyncio.wait_for(running, tool.timeout_seconds)
        except TimeoutError as late:
            call.unknown()
            error = ToolTimeoutError(tool_name=tool.name, timeout_seconds=tool.timeout_seconds)
            if tool.timeout_behavior == "raise_exception":
                raise error from late
            if tool.timeout_error_function is None:
                return str(error)
            said = tool.timeout_error_function(context, error)
            return said if isinstance(said, str) else await said


def _notice_failures(tool: FunctionTool) -> None:
    """The framework turns a function's exception into text for the model; note it on the call on its way."""
    told = resolve_function_tool_failure_error_function(tool)
    if told is None:
        return

    def noted(context: RunContextWrapper[Any], error: Exception) -> Any:
        call = current_call.get()
        if call is not None:
            call.ended_by(error)
        return told(context, error)

    set_function_tool_failure_error_function(tool, noted)


def _settle_stream(call: ModelCall, said: Any) -> None:
    details = {"input_tokens_details": said.input_tokens_details, "output_tokens_details": said.output_tokens_details}
    counts = {"input_tokens": said.input_tokens, "output_tokens": said.output_tokens, "total_tokens": said.total_tokens}
    _settle(call, FrameworkUsage(requests=1, **counts, **details))


def _settle(call: ModelCall, usage: FrameworkUsage) -> None:
    if not usage.requests:
        return  # the provider did not say, so nobody knows
    call.used(
        Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.input_tokens_details.cached_tokens,
            cache_write_tokens=getattr(usage.input_tokens_details, "cache_write_tokens", 0) or 0,
            reasoning_tokens=usage.output_tokens_details.reasoning_tokens,
        )
    )
