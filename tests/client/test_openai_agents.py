"""openai-agents under the guard of the real portal, with a model that follows a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from agentops_client import Aborted, AsyncClient, NoRun
from agentops_client.adapters.openai_agents import Guard
from agents import (
    Agent,
    FunctionTool,
    Model,
    ModelResponse,
    Runner,
    RunState,
    Usage,
    WebSearchTool,
    function_tool,
    set_tracing_disabled,
)
from openai.types.responses import (
    Response,
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
    ResponseUsage,
)
from openai.types.responses.response_usage import InputTokensDetails, OutputTokensDetails

from tests.client.desk import (
    ANSWER,
    CHEAPER,
    MODEL,
    REFUND,
    STORY,
    USAGE,
    Desk,
    assert_played,
    assert_told_why,
    open_desk,
)
from tests.client.playing import play_out

set_tracing_disabled(True)


class Told(Model):
    """A model that follows a script, and remembers what it was asked with."""

    model = MODEL

    def __init__(self, story: list[tuple[str, dict[str, Any]]]) -> None:
        self.story = list(story)
        self.asked: list[tuple[Any, Any]] = []

    async def get_response(
        self, system: Any, input: Any, model_settings: Any, *args: Any, **more: Any
    ) -> ModelResponse:
        return ModelResponse(output=self._reply(input, model_settings), usage=usage(), response_id=None)

    async def stream_response(
        self, system: Any, input: Any, model_settings: Any, *args: Any, **more: Any
    ) -> AsyncIterator[Any]:
        said = usage()
        response = Response(
            id="r",
            created_at=0,
            model=MODEL,
            object="response",
            output=self._reply(input, model_settings),
            tool_choice="none",
            tools=[],
            parallel_tool_calls=False,
            usage=ResponseUsage(
                input_tokens=said.input_tokens,
                output_tokens=said.output_tokens,
                total_tokens=said.total_tokens,
                input_tokens_details=said.input_tokens_details,
                output_tokens_details=said.output_tokens_details,
            ),
        )
        yield ResponseCompletedEvent(type="response.completed", response=response, sequence_number=0)

    def _reply(self, input: Any, settings: Any) -> list[Any]:
        self.asked.append((input, settings))
        number = len(self.asked)
        if not self.story:
            text = ResponseOutputText(text=ANSWER, type="output_text", annotations=[])
            return [
                ResponseOutputMessage(
                    id=f"m{number}", type="message", role="assistant", content=[text], status="completed"
                )
            ]
        tool, arguments = self.story.pop(0)
        return [
            ResponseFunctionToolCall(
                id=f"f{number}",
                call_id=f"{id(self)}-{number}",
                type="function_call",
                name=tool,
                arguments=json.dumps(arguments),
            )
        ]

    def results(self) -> list[str]:
        """What the model was told of its calls, in order."""
        return [item["output"] for item in self.asked[-1][0] if item.get("type") == "function_call_output"]


def usage() -> Usage:
    return Usage(
        requests=1,
        input_tokens=USAGE["input"],
        output_tokens=USAGE["output"],
        total_tokens=USAGE["input"] + USAGE["output"],
        input_tokens_details=InputTokensDetails(cached_tokens=USAGE["cached"], cache_write_tokens=0),
        output_tokens_details=OutputTokensDetails(reasoning_tokens=0),
    )


def agent_of(desk: Desk, model: Model) -> Agent[Any]:
    return Agent(name="desk", model=model, tools=[function_tool(desk.look_up_order), function_tool(desk.refund)])


def play(desk: Desk, agent: Agent[Any]) -> tuple[Any, Any]:
    async def story() -> tuple[Any, Any]:
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.run(**desk.run) as run:
            played.append(run)
            return run, await Runner.run(agent, "refund ord_9")

    played: list[Any] = []
    try:
        return play_out(story())
    except Exception as error:
        error.run = played[0] if played else None  # type: ignore[attr-defined]
        raise


def test_a_whole_run_allowed_refused_replanned_confirmed(desk: Desk) -> None:
    told = Told(STORY)
    with desk.person():
        run, result = play(desk, Guard().agent(agent_of(desk, told)))
    assert result.final_output == ANSWER
    assert_told_why(told.results()[0])
    assert told.results()[1:] == ["ord_1 was delivered", "refunded"]
    assert_played(desk, run)


def test_a_killed_run_takes_no_further_step(desk: Desk) -> None:
    desk.kills_at = "look_up_order"
    told = Told([("look_up_order", {"order_id": "ord_1"}), ("refund", REFUND)])
    with pytest.raises(Aborted, match="it refunds everybody") as stopped:
        play(desk, Guard().agent(agent_of(desk, told)))
    assert stopped.value.code == "killed"
    assert len(told.asked) == 1 and desk.ran == [("look_up_order", {"order_id": "ord_1"})]
    assert stopped.value.run.receipt.status == "killed"  # type: ignore[attr-defined]


def test_a_tool_call_that_ends_the_run_ends_it_as_what_it_is(desk: Desk) -> None:
    told = Told([("look_up_order", {"order_id": "ord_9"})] * 3)
    with pytest.raises(Aborted) as stopped:
        play(desk, Guard().agent(agent_of(desk, told)))
    assert stopped.value.code == "repetition" and desk.ran == []


def test_an_agent_that_is_handed_over_to_is_guarded_too(desk: Desk) -> None:
    told = Told([("look_up_order", {"order_id": "ord_9"})])
    first = Told([("transfer_to_desk", {})])
    front = Agent(name="front", model=first, handoffs=[agent_of(desk, told)])
    run, result = play(desk, Guard().agent(front))
    assert result.final_output == ANSWER
    assert_told_why(told.results()[-1])
    assert run.receipt.counted["llm_calls"] == 3


def test_what_would_run_elsewhere_is_refused_before_the_model_is_asked(desk: Desk) -> None:
    told = Told([])
    inner = agent_of(desk, told)
    for tool in (WebSearchTool(), inner.as_tool("ask_desk", "asks the desk")):
        with pytest.raises(Aborted, match="outside the guard"):
            Guard().agent(Agent(name="a", model=told, tools=[tool]))
    guarded = Guard().agent(agent_of(desk, told))
    guarded.tools.append(WebSearchTool())
    with pytest.raises(Aborted, match="outside the guard"):
        play(desk, guarded)
    assert told.asked == []


def test_without_a_run_nothing_is_asked_of_a_model(desk: Desk) -> None:
    told = Told([])
    with pytest.raises(NoRun):
        play_out(Runner.run(Guard().agent(agent_of(desk, told)), "hello"))
    assert told.asked == []


def test_an_interrupted_call_runs_when_the_portal_says_so_and_not_when_the_framework_does(desk: Desk) -> None:
    told = Told([("refund", REFUND)])
    guard = Guard(wait=0, when_pending="interrupt")
    agent = guard.agent(agent_of(desk, told))

    async def story() -> tuple[Any, Any]:
        async with AsyncClient(desk.portal.url, desk.key()) as client:
            async with client.run(**desk.run) as run:
                result = await Runner.run(agent, "refund")
                kept, state = result.to_state().to_string(), run.detach()
            assert len(result.interruptions) == 1 and desk.ran == []
            async with client.resume(json.loads(json.dumps(state))) as run:
                woken = await RunState.from_string(agent, kept)
                woken.approve(woken.get_interruptions()[0])
                await asyncio.to_thread(decide)
                return run, await Runner.run(agent, woken)

    def decide() -> None:
        from django.db import connection

        assert desk.decide() == 1
        connection.close()

    run, result = play_out(story())
    assert result.final_output == ANSWER and desk.ran == [("refund", REFUND)]
    assert desk.confirmations() == ["executed"] and run.receipt.status == "ok"


def test_approved_by_the_framework_alone_nothing_runs(desk: Desk) -> None:
    told = Told([("refund", REFUND)])
    agent = Guard(wait=0, when_pending="interrupt").agent(agent_of(desk, told))

    async def story() -> Any:
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.run(**desk.run):
            result = await Runner.run(agent, "refund")
            state = result.to_state()
            state.approve(state.get_interruptions()[0])
            return await Runner.run(agent, state)

    play_out(story())
    assert desk.ran == [] and desk.confirmations() == ["invalidated"]
    assert f"{desk.portal.url}/t/acme/confirmations/" in told.results()[0]


def test_a_tool_that_fails_is_told_as_a_failure_though_the_framework_makes_it_text(desk: Desk) -> None:
    @function_tool
    def look_up_order(order_id: str) -> str:
        raise ValueError("the shop is closed")

    told = Told([("look_up_order", {"order_id": "ord_1"})] * 3)
    with pytest.raises(Aborted) as stopped:
        play(desk, Guard().agent(Agent(name="desk", model=told, tools=[look_up_order])))
    assert stopped.value.code == "repetition"
    assert ("abort", "repetition") in desk.decisions(stopped.value.run.run_id)  # type: ignore[attr-defined]


def test_a_tool_that_takes_too_long_has_an_unknown_outcome_and_people_are_not_timed(desk: Desk) -> None:
    async def slow(context: Any, arguments: str) -> str:
        await asyncio.sleep(30)
        return "never"

    tool = FunctionTool(
        name="refund",
        description="",
        params_json_schema={"type": "object", "properties": {}, "additionalProperties": True},
        on_invoke_tool=slow,
        strict_json_schema=False,
        timeout_seconds=0.2,
    )
    told = Told([("refund", REFUND)])
    with desk.person():
        play(desk, Guard().agent(Agent(name="desk", model=told, tools=[tool])))
    assert "timed out" in told.results()[0]
    assert desk.confirmations() == ["outcome_unknown"]


def test_a_streamed_answer_is_settled(desk: Desk) -> None:
    told = Told([("look_up_order", {"order_id": "ord_1"})])

    async def story() -> Any:
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.run(**desk.run) as run:
            streamed = Runner.run_streamed(Guard().agent(agent_of(desk, told)), "hello")
            async for _ in streamed.stream_events():
                pass
            assert streamed.final_output == ANSWER
        return run

    receipt = play_out(story()).receipt
    assert (receipt.counted["llm_calls"], receipt.counted["held_usd"]) == (2, "0.000000")
    assert receipt.counted["tokens"] == 2 * (USAGE["input"] + USAGE["output"])


def test_a_model_the_portal_chose_is_called_with_the_length_it_left(desk: Desk) -> None:
    routing = {"cheap": CHEAPER, "premium": MODEL, "cheap_tasks": ["small"]}
    routed = open_desk(desk.portal, desk.organisation, routing=routing)
    dear, cheap = Told([]), Told([])
    names: list[str] = []

    def resolve(name: str) -> Model:
        names.append(name)
        return cheap

    guard = Guard(task_class="small", resolve=resolve)
    play(routed, guard.agent(Agent(name="desk", model=dear)))
    assert dear.asked == [] and names == [CHEAPER]
    assert cheap.asked[0][1].max_tokens == 4_096
