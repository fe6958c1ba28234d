"""openai-agents in an eval: `evals.run_suite(…, call=agent_call(agent))`.

The agent's models, and those of the agents it hands over to, are asked as ever, and noted; function tools answer from the
recording. What would run elsewhere (hosted tools) is refused before the model is asked.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from typing import Any

from agents import Agent, FunctionTool, Handoff, Model, ModelProvider, MultiProvider, RunConfig, Runner, Tool
from agents.exceptions import AgentsException
from agents.items import ModelResponse
from agents.run_context import RunContextWrapper
from agents.tool_context import ToolContext

from ..answers import Usage
from ..evals_session import Case, Diverged, RecordedError, Session
from .common import beyond_the_guard


class DivergedHere(Diverged, AgentsException):
    """Diverged, in the framework's family: it passes other exceptions of tools on as something else."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.run_data = None


def agent_call(
    agent: Agent[Any], *, provider: ModelProvider | None = None, **options: Any
) -> Callable[[Case, Session], Awaitable[Any]]:
    """The agent as `call`. `provider`: whom to ask for models by name; `options` go to `Runner.run`."""

    async def call(case: Case, session: Session) -> Any:
        given: Any = case.prompt
        if case.history:
            history = [
                {"role": each.get("role", "user"), "content": str(each.get("content", ""))} for each in case.history
            ]
            given = [*history, {"role": "user", "content": case.prompt}]
        settings = {"run_config": RunConfig(tracing_disabled=True), **options}
        result = await Runner.run(Recorded(session, provider=provider).agent(agent), given, **settings)
        return result.final_output

    return call


class Recorded:
    """A session's recordings in the place of an agent's tools."""

    def __init__(self, session: Session, *, provider: ModelProvider | None = None) -> None:
        self.session, self.provider = session, provider or MultiProvider()
        self._agents: dict[int, Agent[Any]] = {}

    def agent(self, agent: Agent[Any]) -> Agent[Any]:
        """A copy whose tools are the recorded ones, and so on for those it hands over to."""
        if id(agent) not in self._agents:  # agents may hand over in circles
            made = _RecordedAgent(**{each.name: getattr(agent, each.name) for each in fields(agent) if each.init})
            self._agents[id(agent)] = made
            made.recorded = self
            made.model = _NotedModel(agent.model, self)
            own = [self.tool(tool) for tool in agent.tools]
            names = {tool.name for tool in own}
            made.tools = [
                *own,
                *(self._offered(each) for each in self.session.case.offers if each["name"] not in names),
            ]
            made.handoffs = [self._handoff(next_) for next_ in agent.handoffs]
        return self._agents[id(agent)]

    def tool(self, tool: Tool) -> Tool:
        """A function tool that answers from the recording. Raises Aborted for one that runs elsewhere."""
        if not isinstance(tool, FunctionTool):
            raise beyond_the_guard(f"the tool {tool.name}")
        made = copy.copy(tool)
        made.on_invoke_tool = self._invoking(tool.name)
        return made

    def _offered(self, said: Any) -> Tool:
        return FunctionTool(
            name=said["name"],
            description=said["description"],
            params_json_schema=dict(said["arguments"]) or {"type": "object", "properties": {}},
            on_invoke_tool=self._invoking(said["name"]),
            strict_json_schema=False,
        )

    def _invoking(self, name: str) -> Callable[[ToolContext[Any], str], Awaitable[Any]]:
        async def invoke(context: ToolContext[Any], arguments: str) -> Any:
            try:
                found = self.session.call(name, json.loads(arguments or "{}"))
            except RecordedError as error:
                return error.for_model()
            except TimeoutError as error:
                return f"The call failed (timeout): {error}"
            except Diverged as diverged:
                raise DivergedHere(str(diverged)) from diverged
            return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

        return invoke

    def _handoff(self, next_: Agent[Any] | Handoff[Any, Any]) -> Agent[Any] | Handoff[Any, Any]:
        if isinstance(next_, Agent):
            return self.agent(next_)
        found = next_.on_invoke_handoff

        async def on_invoke_handoff(context: RunContextWrapper[Any], arguments: str) -> Agent[Any]:
            return self.agent(await found(context, arguments))

        return replace(next_, on_invoke_handoff=on_invoke_handoff)


class _RecordedAgent(Agent[Any]):
    """An agent all of whose tools, also those that its MCP servers list at run time, are recorded ones."""

    recorded: Recorded  # no field of the data class: set on each instance

    async def get_all_tools(self, run_context: RunContextWrapper[Any]) -> list[Tool]:
        return [self.recorded.tool(tool) for tool in await super().get_all_tools(run_context)]


class _NotedModel(Model):
    def __init__(self, model: Model | str | None, recorded: Recorded) -> None:
        self._given, self._recorded = model, recorded

    async def get_response(self, *args: Any, **more: Any) -> ModelResponse:
        model = self._given if isinstance(self._given, Model) else self._recorded.provider.get_model(self._given)
        response = await model.get_response(*args, **more)
        used = Usage(input_tokens=response.usage.input_tokens, output_tokens=response.usage.output_tokens)
        name = str(getattr(model, "model", "") or self._given or "")
        self._recorded.session.model_call(name, used, output=[_said(item) for item in response.output])
        return response

    def stream_response(self, *args: Any, **more: Any) -> Any:
        raise NotImplementedError("evals run agents without streaming")


def _said(item: Any) -> dict[str, Any]:
    """What the model answered: a text, or a call it asked for."""
    if getattr(item, "type", "") == "function_call":
        try:
            return {"tool": item.name, "arguments": json.loads(item.arguments or "{}")}
        except ValueError:
            return {"tool": item.name, "arguments": item.arguments}
    texts = [getattr(part, "text", "") for part in getattr(item, "content", None) or ()]
    return {"text": "".join(texts)}
