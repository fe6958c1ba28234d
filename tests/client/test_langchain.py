"""LangChain agents under the guard of the real portal, with a chat model that follows a script; sync and async."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from agentops_client import Aborted, AsyncClient, Client, NoRun
from agentops_client.adapters.langchain import Guard
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import StructuredTool, ToolException
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

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

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "refund ord_9"}]}


class Told(BaseChatModel):
    """A chat model that follows a script, and remembers what it was asked with."""

    model_name: str = MODEL
    story: list[Any] = []
    asked: list[Any] = []

    @property
    def _llm_type(self) -> str:
        return "told"

    def bind_tools(self, tools: Any, **more: Any) -> Any:
        return self.bind(**more)

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **more: Any
    ) -> ChatResult:
        self.asked.append((list(messages), more))
        usage: Any = {
            "input_tokens": USAGE["input"],
            "output_tokens": USAGE["output"],
            "total_tokens": USAGE["input"] + USAGE["output"],
            "input_token_details": {"cache_read": USAGE["cached"]},
        }
        reply = AIMessage(ANSWER, usage_metadata=usage)
        if self.story:
            tool, arguments = self.story.pop(0)
            call: Any = {"name": tool, "args": arguments, "id": f"call_{len(self.asked)}"}
            reply = AIMessage("", tool_calls=[call], usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=reply)])

    def results(self) -> list[tuple[str, str]]:
        """(status, text) of what the model was told of its calls, in order."""
        return [(message.status, message.text) for message in self.asked[-1][0] if isinstance(message, ToolMessage)]


def told(story: list[Any], **more: Any) -> Told:
    return Told(story=list(story), asked=[], **more)


def agent_of(desk: Desk, model: Told, *, checkpointer: Any = None, **guard: Any) -> Any:
    tools = [StructuredTool.from_function(desk.look_up_order), StructuredTool.from_function(desk.refund)]
    return create_agent(model, tools, middleware=[Guard(provider="openai", **guard)], checkpointer=checkpointer)


def play_sync(desk: Desk, agent: Any) -> tuple[Any, Any]:
    with Client(desk.portal.url, desk.key()) as client, client.run(**desk.run) as run:
        RUNS[:] = [run]
        result = agent.invoke(HELLO)
    return run, result


def play_async(desk: Desk, agent: Any) -> tuple[Any, Any]:
    async def story() -> tuple[Any, Any]:
        async with AsyncClient(desk.portal.url, desk.key()) as client, client.run(**desk.run) as run:
            RUNS[:] = [run]
            return run, await agent.ainvoke(HELLO)

    return play_out(story())


RUNS: list[Any] = []
Play = Callable[[Desk, Any], tuple[Any, Any]]
both = pytest.mark.parametrize("play", [play_sync, play_async], ids=["sync", "async"])


@both
def test_a_whole_run_allowed_refused_replanned_confirmed(desk: Desk, play: Play) -> None:
    model = told(STORY)
    with desk.person():
        run, result = play(desk, agent_of(desk, model))
    assert result["messages"][-1].text == ANSWER
    [(status, why), *rest] = model.results()
    assert status == "error"
    assert_told_why(why)
    assert rest == [("success", "ord_1 was delivered"), ("success", "refunded")]
    assert_played(desk, run)


@both
def test_a_killed_run_takes_no_further_step(desk: Desk, play: Play) -> None:
    desk.kills_at = "look_up_order"
    model = told([("look_up_order", {"order_id": "ord_1"}), ("refund", REFUND)])
    with pytest.raises(Aborted, match="it refunds everybody") as stopped:
        play(desk, agent_of(desk, model))
    assert stopped.value.code == "killed"
    assert len(model.asked) == 1 and desk.ran == [("look_up_order", {"order_id": "ord_1"})]
    assert RUNS[0].receipt.status == "killed"


@both
def test_the_same_refusal_again_and_again_ends_the_run(desk: Desk, play: Play) -> None:
    with pytest.raises(Aborted) as stopped:
        play(desk, agent_of(desk, told([("look_up_order", {"order_id": "ord_9"})] * 3)))
    assert stopped.value.code == "repetition" and desk.ran == []


def test_without_a_run_nothing_is_asked_of_a_model(desk: Desk) -> None:
    model = told(STORY)
    with pytest.raises(NoRun):
        agent_of(desk, model).invoke(HELLO)
    assert model.asked == []


def test_an_interrupted_graph_goes_on_when_the_portal_says_so_and_not_when_it_is_resumed(desk: Desk) -> None:
    model = told([("refund", REFUND)])
    agent = agent_of(desk, model, wait=0, when_pending="interrupt", checkpointer=InMemorySaver())
    thread: Any = {"configurable": {"thread_id": "1"}}
    with Client(desk.portal.url, desk.key()) as client:
        with client.run(**desk.run) as run:
            first = agent.invoke(HELLO, thread)
            state = json.loads(json.dumps(run.detach()))
        [asked] = first["__interrupt__"]
        assert asked.value["url"].startswith(f"{desk.portal.url}/t/acme/confirmations/")
        with client.resume(state) as run:
            still = agent.invoke(Command(resume="approved, says the framework"), thread)
            assert still["__interrupt__"] and desk.ran == []
            assert desk.decide() == 1
            done = agent.invoke(Command(resume=True), thread)
    assert done["messages"][-1].text == ANSWER
    assert desk.ran == [("refund", REFUND)] and desk.confirmations() == ["executed"]
    assert run.receipt.status == "ok" and run.receipt.counted["llm_calls"] == 2


def test_who_does_not_wait_tells_the_model_where_a_person_decides_and_asking_again_goes_on(desk: Desk) -> None:
    class Patient(Told):
        def _generate(self, messages: list[BaseMessage], *args: Any, **more: Any) -> ChatResult:
            if len(self.asked) == 1:
                desk.decide()
            return super()._generate(messages, *args, **more)

    model = Patient(story=[("refund", REFUND)] * 2, asked=[])
    play_sync(desk, agent_of(desk, model, wait=0))
    [(status, text), last] = model.results()
    assert status == "error" and f"{desk.portal.url}/t/acme/confirmations/" in text
    assert last == ("success", "refunded")
    assert desk.confirmations() == ["executed"]


def test_a_tool_that_fails_is_told_as_a_failure_though_the_framework_makes_it_a_message(desk: Desk) -> None:
    def look_up_order(order_id: str) -> str:
        """The state of an order."""
        raise ToolException("the shop is closed")

    tool = StructuredTool.from_function(look_up_order, handle_tool_error=True)
    model = told([("look_up_order", {"order_id": "ord_1"})] * 3)
    agent = create_agent(model, [tool], middleware=[Guard(provider="openai")])
    with pytest.raises(Aborted) as stopped:
        play_sync(desk, agent)
    assert model.results() == [("error", "the shop is closed")] * 2
    assert stopped.value.code == "repetition"


def test_a_tool_that_breaks_is_told_as_a_failure_and_breaks_the_run(desk: Desk) -> None:
    def look_up_order(order_id: str) -> str:
        """The state of an order."""
        raise ValueError("the shop is closed")

    tool = StructuredTool.from_function(look_up_order)
    agent = create_agent(
        told([("look_up_order", {"order_id": "ord_1"})]), [tool], middleware=[Guard(provider="openai")]
    )
    with pytest.raises(ValueError, match="the shop is closed"):
        play_sync(desk, agent)
    assert RUNS[0].receipt.status == "error"


def test_a_model_the_portal_chose_is_called_with_the_length_it_left(desk: Desk) -> None:
    routing = {"cheap": CHEAPER, "premium": MODEL, "cheap_tasks": ["small"]}
    routed = open_desk(desk.portal, desk.organisation, routing=routing)
    dear, cheap = told([]), told([], model_name=CHEAPER)
    play_sync(routed, agent_of(routed, dear, task_class="small", resolve={CHEAPER: cheap}.__getitem__))
    assert dear.asked == []
    assert cheap.asked[0][1]["max_tokens"] == 4_096
