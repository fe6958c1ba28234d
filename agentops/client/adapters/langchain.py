"""LangChain and LangGraph: `create_agent(…, middleware=[…, Guard()])`, invoked inside `with client.run(…)`.

Give the guard last: the first middleware is the outermost, and nothing should change a call behind the guard. In sync
code it uses the run of a Client, in async code that of an AsyncClient. A refusal goes to the model as the tool's message
with the status "error". A node that is run again from its top (after an interrupt, a restart) asks with the same call id,
so it is asked once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ExtendedModelResponse
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage, convert_to_openai_messages
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command, interrupt

from ..answers import Usage
from ..calls import ModelCall, ToolCall, estimate_tokens
from ..errors import Pending, Rejected
from ..run import RunFacts
from .common import DEFAULT_OUTPUT_TOKENS, async_run, beyond_the_guard, no_such_model, sync_run


class Guard(AgentMiddleware[Any, Any, Any]):
    """The portal's guard as a middleware.

    `wait`: seconds to wait for people, None as long as their question lives. `when_pending`: after that, "tell" the model
    that it waits, or "interrupt" the graph (which needs a checkpointer). Whatever it is resumed with decides nothing: the
    portal is asked again. `resolve`: how to call a model that the portal chose instead. `model_name` and `provider`: what
    the portal's prices call the model, where the model's attributes do not say. `max_tokens_setting`: what the model's
    integration calls the longest answer.
    """

    def __init__(
        self,
        *,
        wait: float | None = None,
        when_pending: Literal["tell", "interrupt"] = "tell",
        resolve: Callable[[str], BaseChatModel] | None = None,
        model_name: str = "",
        provider: str = "",
        task_class: str = "",
        max_tokens_setting: str = "max_tokens",
    ) -> None:
        super().__init__()
        self.wait, self.when_pending, self.resolve = wait, when_pending, resolve
        self.model_name, self.provider, self.task_class = model_name, provider, task_class
        self.max_tokens_setting = max_tokens_setting

    # -- model calls --------------------------------------------------------------------------------------------------

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]:
        with sync_run("a model call").model_call(**self._asked(request), span=False) as call:
            response = handler(self._chosen(request, call))
            _settle(call, response)
            return response

    async def awrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]]
    ) -> ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]:
        async with async_run("a model call").model_call(**self._asked(request), span=False) as call:
            response = await handler(self._chosen(request, call))
            _settle(call, response)
            return response

    def _asked(self, request: ModelRequest[Any]) -> dict[str, Any]:
        for tool in request.tools:
            if isinstance(tool, dict) and "function" not in tool and "input_schema" not in tool:
                raise beyond_the_guard(f"the provider's own tool {tool.get('type', '')}")
        messages = [*([request.system_message] if request.system_message else []), *request.messages]
        schemas = [tool if isinstance(tool, dict) else tool.get_input_jsonschema() for tool in request.tools]
        return {
            "model": self._name_of(request.model),
            "provider": self.provider,
            "task_class": self.task_class,
            "input_tokens": estimate_tokens([convert_to_openai_messages(messages), schemas]),
            "max_output_tokens": self._longest(request),
        }

    def _longest(self, request: ModelRequest[Any]) -> int:
        name = self.max_tokens_setting
        said = request.model_settings.get(name) or getattr(request.model, name, None)
        return said if isinstance(said, int) and said > 0 else DEFAULT_OUTPUT_TOKENS

    def _chosen(self, request: ModelRequest[Any], call: ModelCall) -> ModelRequest[Any]:
        model, name = request.model, self._name_of(request.model)
        if call.model != name:
            if self.resolve is None:
                call.not_sent()
                raise no_such_model(call.model, name)
            model = self.resolve(call.model)
        settings = {**request.model_settings, self.max_tokens_setting: call.max_output_tokens}
        return request.override(model=model, model_settings=settings)

    def _name_of(self, model: BaseChatModel) -> str:
        return self.model_name or str(getattr(model, "model_name", "") or getattr(model, "model", ""))

    # -- tool calls ---------------------------------------------------------------------------------------------------

    def wrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], ToolMessage | Command[Any]]
    ) -> ToolMessage | Command[Any]:
        run = sync_run(request.tool_call["name"])
        while True:
            try:
                call = run.ask(**self._proposal(run, request))
            except (Rejected, Pending) as refused:
                told = self._told(refused, request)
                if told is not None:
                    return told
                continue  # woken up: whether it may run now, the portal says
            with run.doing(call, span=False):
                result = handler(_with_arguments(request, call))
                _note(call, result)
                return result

    async def awrap_tool_call(
        self, request: ToolCallRequest, handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]]
    ) -> ToolMessage | Command[Any]:
        run = async_run(request.tool_call["name"])
        while True:
            try:
                call = await run.ask(**self._proposal(run, request))
            except (Rejected, Pending) as refused:
                told = self._told(refused, request)
                if told is not None:
                    return told
                continue  # woken up: whether it may run now, the portal says
            async with run.doing(call, span=False):
                result = await handler(_with_arguments(request, call))
                _note(call, result)
                return result

    def _proposal(self, run: RunFacts, request: ToolCallRequest) -> dict[str, Any]:
        said = request.tool_call
        call_id = run.call_id_for(said.get("id") or "", said["name"], said["args"])
        return {"tool": said["name"], "arguments": said["args"], "wait": self.wait, "call_id": call_id}

    def _told(self, refused: Rejected | Pending, request: ToolCallRequest) -> ToolMessage | None:
        """What the model is told; None after an interrupt was resumed."""
        if isinstance(refused, Pending) and self.when_pending == "interrupt":
            asks = refused.confirmation
            interrupt({"confirmation": asks.id, "url": asks.url, "tier": asks.tier, "call_id": refused.call_id})
            return None
        said = request.tool_call
        return ToolMessage(refused.for_model(), tool_call_id=said.get("id") or "", name=said["name"], status="error")


def _with_arguments(request: ToolCallRequest, call: ToolCall) -> ToolCallRequest:
    return request.override(tool_call={**request.tool_call, "args": call.arguments})


def _note(call: ToolCall, result: ToolMessage | Command[Any]) -> None:
    if isinstance(result, ToolMessage) and result.status == "error":
        call.failed(result.text)


def _settle(call: ModelCall, response: ModelResponse[Any] | AIMessage | ExtendedModelResponse[Any]) -> None:
    if isinstance(response, ExtendedModelResponse):
        response = response.model_response
    messages = [response] if isinstance(response, AIMessage) else response.result
    said = next((m.usage_metadata for m in messages if isinstance(m, AIMessage) and m.usage_metadata), None)
    if said is None:
        return  # the provider did not say, so nobody knows
    inputs, outputs = said.get("input_token_details", {}), said.get("output_token_details", {})
    call.used(
        Usage(
            input_tokens=said["input_tokens"],
            output_tokens=said["output_tokens"],
            cache_read_tokens=inputs.get("cache_read", 0) or 0,
            cache_write_tokens=inputs.get("cache_creation", 0) or 0,
            reasoning_tokens=outputs.get("reasoning", 0) or 0,
        )
    )
