"""pydantic-ai agents under the guard of the real portal, with the framework's own test model."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from agentops_client import Aborted, AsyncClient, NoRun, Rejected
from agentops_client.adapters.pydantic_ai import Guard
from pydantic import BaseModel
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults
from pydantic_ai.capabilities import NativeTool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, FunctionModel
from pydantic_ai.native_tools import WebSearchTool
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.toolsets import ExternalToolset
from pydantic_ai.usage import RequestUsage

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


class Payment(BaseModel):
    order_id: str
    amount_minor: int


class Told:
    """A model that follows a script, and remembers what it was asked with."""

    def __init__(self, story: list[tuple[str, dict[str, Any]]]) -> None:
        self.story = list(story)
        self.asked: list[tuple[list[ModelMessage], AgentInfo]] = []

    def model(self, name: str = MODEL) -> FunctionModel:
        profile = ModelProfile(supported_native_tools=frozenset({WebSearchTool}))
        return FunctionModel(self.reply, model_name=name, profile=profile)

    def reply(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.asked.append((list(messages), info))
        usage = RequestUsage(
            input_tokens=USAGE["input"], output_tokens=USAGE["output"], cache_read_tokens=USAGE["cached"]
        )
        if not self.story:
            return ModelResponse([TextPart(ANSWER)], usage=usage)
        tool, arguments = self.story.pop(0)
        return ModelResponse([ToolCallPart(tool, arguments)], usage=usage)

    def results(self) -> list[str]:
        """What the model was told of its calls, in order."""
        messages, _ = self.asked[-1]
        return [str(part.content) for m in messages for part in m.parts if isinstance(part, ToolReturnPart)]


def agent_of(desk: Desk, model: FunctionModel, **guard: Any) -> Agent[None, Any]:
    return Agent(
        model,
        tools=[desk.look_up_order, desk.refund],
        capabilities=[Guard(provider="openai", **guard)],
        output_type=[str, DeferredToolRequests],
    )


def play(desk: Desk, agent: Agent[None, Any], **more: Any) -> tuple[Any, Any]:
    async def story() -> tuple[Any, Any]:
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.run(**desk.run) as run:
            played.append(run)
            result = await agent.run("refund ord_9", **more)
        return run, result

    played: list[Any] = []
    try:
        return play_out(story())
    except Exception as error:
        error.run = played[0] if played else None  # type: ignore[attr-defined]
        raise


def test_a_whole_run_allowed_refused_replanned_confirmed(desk: Desk) -> None:
    told = Told(STORY)
    with desk.person():
        run, result = play(desk, agent_of(desk, told.model()))
    assert result.output == ANSWER
    assert_told_why(told.results()[0])
    assert told.results()[1:] == ["ord_1 was delivered", "refunded"]
    assert_played(desk, run)


def test_a_killed_run_takes_no_further_step(desk: Desk) -> None:
    desk.kills_at = "look_up_order"
    told = Told([("look_up_order", {"order_id": "ord_1"}), ("refund", REFUND)])
    with pytest.raises(Aborted, match="it refunds everybody") as stopped:
        play(desk, agent_of(desk, told.model()))
    assert stopped.value.code == "killed"
    assert len(told.asked) == 1 and desk.ran == [("look_up_order", {"order_id": "ord_1"})]
    assert stopped.value.run.receipt.status == "killed"  # type: ignore[attr-defined]


def test_the_same_refusal_again_and_again_ends_the_run_and_repeated_ids_do_not_hide_it(desk: Desk) -> None:
    class Stubborn(Told):
        def reply(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
            made = super().reply(messages, info)
            made.parts = [ToolCallPart("look_up_order", {"order_id": "ord_9"}, tool_call_id="always")]
            return made

    told = Stubborn([])
    with pytest.raises(Aborted) as stopped:
        play(desk, agent_of(desk, told.model()))
    assert stopped.value.code == "repetition"
    assert len(told.asked) == 3 and desk.ran == []


def test_without_a_run_nothing_is_asked_of_a_model(desk: Desk) -> None:
    told = Told(STORY)
    with pytest.raises(NoRun):
        play_out(agent_of(desk, told.model()).run("hello"))
    assert told.asked == []


def test_a_person_s_no_is_told_to_the_model(desk: Desk) -> None:
    told = Told([("refund", REFUND)])
    with desk.person("refused"):
        run, result = play(desk, agent_of(desk, told.model()))
    assert result.output == ANSWER
    assert "confirmation_refused" in told.results()[0]
    assert desk.ran == [] and run.receipt.status == "ok"


def test_who_does_not_wait_tells_the_model_where_a_person_decides(desk: Desk) -> None:
    told = Told([("refund", REFUND)])
    play(desk, agent_of(desk, told.model(), wait=0))
    assert f"{desk.portal.url}/t/acme/confirmations/" in told.results()[0]
    assert desk.ran == []


def test_a_deferred_call_runs_when_the_portal_says_so_and_not_when_the_framework_does(desk: Desk) -> None:
    told = Told([("refund", REFUND)])
    agent = agent_of(desk, told.model(), wait=0, when_pending="defer")

    async def first() -> tuple[Any, dict[str, Any]]:
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.run(**desk.run) as run:
            result = await agent.run("refund")
            return result, run.detach()

    async def again(result: Any, state: dict[str, Any], *, leave: bool) -> tuple[Any, Any]:
        [call] = result.output.approvals
        yes = DeferredToolResults(approvals={call.tool_call_id: True})
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.resume(state) as run:
            found = await agent.run(message_history=result.all_messages(), deferred_tool_results=yes)
            if leave:
                run.detach()
        return run, found

    result, state = play_out(first())
    assert isinstance(result.output, DeferredToolRequests)
    _, still = play_out(again(result, state, leave=True))
    assert isinstance(still.output, DeferredToolRequests) and desk.ran == []  # approved by the framework alone
    assert desk.decide() == 1
    run, done = play_out(again(still, state, leave=False))
    assert done.output == ANSWER and desk.ran == [("refund", REFUND)]
    assert desk.confirmations() == ["executed"] and run.receipt.status == "ok"


def test_the_length_of_an_answer_is_what_the_portal_leaves_of_it(desk: Desk) -> None:
    told = Told([])
    play(desk, agent_of(desk, told.model()), model_settings={"max_tokens": 64})
    assert told.asked[0][1].model_settings["max_tokens"] == 64  # type: ignore[index]
    with pytest.raises(Rejected) as refused:
        play(desk, agent_of(desk, told.model("gpt-unheard-of")))
    assert refused.value.code == "model_not_allowed" and len(told.asked) == 1


def test_a_tool_with_one_model_as_its_argument_asks_with_the_fields(desk: Desk) -> None:
    def refund(payment: Payment) -> str:
        assert isinstance(payment, Payment)
        return desk.refund(**payment.model_dump())

    told = Told([("refund", REFUND)])
    agent = Agent(told.model(), tools=[refund], capabilities=[Guard(provider="openai")])
    with desk.person():
        play(desk, agent)
    assert desk.ran == [("refund", REFUND)]


def test_a_streamed_answer_is_settled_at_its_end(desk: Desk) -> None:
    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str | dict[int, DeltaToolCall]]:
        yield "Your refund "
        yield "is on its way."

    agent = Agent(FunctionModel(stream_function=stream, model_name=MODEL), capabilities=[Guard(provider="openai")])

    async def story() -> Any:
        async with (
            AsyncClient(desk.portal.url, desk.key()) as client,
            client.run(**desk.run) as run,
            agent.run_stream("hello") as streamed,
        ):
            assert await streamed.get_output() == ANSWER
        return run

    receipt = play_out(story()).receipt
    assert receipt.counted["llm_calls"] == 1 and receipt.counted["held_usd"] == "0.000000"
    assert 0 < receipt.counted["tokens"] < 200


def test_a_model_the_portal_chose_is_called_instead(desk: Desk) -> None:
    routing = {"cheap": CHEAPER, "premium": MODEL, "cheap_tasks": ["small"]}
    routed = open_desk(desk.portal, desk.organisation, routing=routing)
    dear, cheap = Told([]), Told([])

    async def story() -> None:
        guard = Guard(provider="openai", task_class="small", resolve=lambda name: cheap.model(name))
        async with AsyncClient(routed.portal.url, routed.key()) as client, client.run(**routed.run):
            await Agent(dear.model(), capabilities=[guard]).run("hello")

    play_out(story())
    assert dear.asked == [] and len(cheap.asked) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"toolsets": [ExternalToolset([ToolDefinition(name="wire_money")])]},
        {"capabilities": [Guard(provider="openai"), NativeTool(WebSearchTool())]},
    ],
    ids=["external", "native"],
)
def test_what_would_run_elsewhere_is_refused_before_the_model_is_asked(desk: Desk, more: dict[str, Any]) -> None:
    told = Told([])
    parts: dict[str, Any] = {"capabilities": [Guard(provider="openai")], **more}
    with pytest.raises(Aborted, match="outside the guard"):
        play(desk, Agent(told.model(), output_type=[str, DeferredToolRequests], **parts))
    assert told.asked == []


def test_an_output_function_is_a_tool_that_nobody_was_asked_about_and_does_not_run(desk: Desk) -> None:
    ran: list[str] = []

    def wire_money(order_id: str) -> str:
        ran.append(order_id)
        return "done"

    told = Told([("final_result", {"order_id": "ord_9"})])
    with pytest.raises(Aborted, match="wire_money would run outside the guard"):
        play(desk, Agent(told.model(), output_type=wire_money, capabilities=[Guard(provider="openai")]))
    assert ran == []
    payment = Told([("final_result", {"order_id": "ord_9", "amount_minor": 5})])
    run, result = play(desk, Agent(payment.model(), output_type=Payment, capabilities=[Guard(provider="openai")]))
    assert (result.output, run.receipt.status) == (Payment(order_id="ord_9", amount_minor=5), "ok")
