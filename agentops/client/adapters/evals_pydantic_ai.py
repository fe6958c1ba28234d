"""pydantic-ai in an eval: `evals.run_suite(…, call=agent_call(agent))`.

The agent's model is asked as ever, and noted; its tools answer from the recording, whatever toolset they come from. Build
it without the guard: nothing that could be guarded runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import RunContext, Tool
from pydantic_ai.toolsets import AbstractToolset, FunctionToolset, WrapperToolset
from pydantic_ai.toolsets.abstract import ToolsetTool

from ..answers import Usage
from ..evals_session import Case, RecordedError, Session
from .pydantic_ai import _as_json


def agent_call(agent: Agent[Any, Any], **options: Any) -> Callable[[Case, Session], Awaitable[Any]]:
    """The agent as `call`. `options` go to `agent.run` (deps, model, …). Tools that a case offers are added to those it has."""

    async def call(case: Case, session: Session) -> Any:
        result = await agent.run(
            case.prompt,
            message_history=[_message(each) for each in case.history] or None,
            toolsets=[_offered(case, agent)],
            capabilities=[Recorded(session)],
            **options,
        )
        return result.output

    return call


@dataclass(init=False)
class Recorded(AbstractCapability[Any]):
    """A session's recordings as a capability of one run."""

    session: Session

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def get_ordering(self) -> CapabilityOrdering:
        return CapabilityOrdering(position="innermost")

    def get_wrapper_model(self, model: Model) -> Model:
        return _NotedModel(model, self.session)

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        return _RecordedToolset(toolset, self.session)


@dataclass(init=False)
class _NotedModel(WrapperModel):
    session: Session

    def __init__(self, wrapped: Model, session: Session) -> None:
        super().__init__(wrapped)
        self.session = session

    async def request(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
    ) -> ModelResponse:
        response = await self.wrapped.request(messages, model_settings, model_request_parameters)
        used = Usage(input_tokens=response.usage.input_tokens, output_tokens=response.usage.output_tokens)
        self.session.model_call(response.model_name or self.wrapped.model_name, used, output=_said(response))
        return response


@dataclass
class _RecordedToolset(WrapperToolset[Any]):
    session: Session

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], tool: ToolsetTool[Any]
    ) -> Any:
        try:
            return self.session.call(name, _as_json(tool_args, tool))
        except RecordedError as error:
            raise ToolFailed(error.for_model()) from error
        except TimeoutError as error:
            raise ToolFailed(f"The call failed (timeout): {error}") from error


def _offered(case: Case, agent: Agent[Any, Any]) -> FunctionToolset[Any]:
    """The case's tools, for an agent that lacks them. Their functions are never called: the wrapper answers."""
    own = {name for toolset in agent.toolsets for name in getattr(toolset, "tools", ())}

    def never(**_: Any) -> None:
        raise AssertionError("a tool of a case has nothing to run")

    return FunctionToolset(
        [
            Tool.from_schema(never, each["name"], each["description"], dict(each["arguments"]) or {"type": "object"})
            for each in case.offers
            if each["name"] not in own
        ]
    )


def _message(said: Any) -> ModelMessage:
    text = str(said.get("content", ""))
    match said.get("role"):
        case "assistant":
            return ModelResponse([TextPart(text)])
        case "system":
            return ModelRequest([SystemPromptPart(text)])
        case _:
            return ModelRequest([UserPromptPart(text)])


def _said(response: ModelResponse) -> list[dict[str, Any]]:
    """What the model answered: its texts and the calls it asked for."""
    found: list[dict[str, Any]] = []
    for part in response.parts:
        if isinstance(part, TextPart):
            found.append({"text": part.content})
        elif isinstance(part, ToolCallPart):
            found.append({"tool": part.tool_name, "arguments": part.args_as_dict()})
    return found
