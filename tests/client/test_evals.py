"""Suites by the client on the real portal: plain agents, pydantic-ai, openai-agents; tools never run."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from agentops_client import Client, PortalError, evals
from agentops_client.adapters import evals_openai_agents, evals_pydantic_ai
from agents import Agent as OpenAIAgent
from agents import OpenAIChatCompletionsModel, WebSearchTool, function_tool, set_tracing_disabled
from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.client.conftest import PACKAGE
from tests.evals.sets.made import case, make_set
from tests.server import Portal
from tests.stubs.model_server import ANSWER, ModelServer, model_server
from tests.world import World

set_tracing_disabled(True)
WEATHER = {"tool": "weather", "arguments": {"city": "Paris"}, "result": {"sky": "sunny"}}
RAN: list[str] = []


def weather(city: str) -> str:
    """The weather in a city."""
    RAN.append(city)
    return "it ran"


def a_case(**more: Any) -> Any:
    plain = {
        "input": "How is the weather in Paris?",
        "tools": [WEATHER],
        "expect": [{"kind": "contains", "all": ["sunny"]}, {"kind": "must_call", "tool": "weather"}],
    }
    return case(**{**plain, **more})


@pytest.fixture
def portal(live_portal: Portal, world: World) -> Iterator[Any]:
    RAN.clear()
    with Client(live_portal.url, world.acme.keys["evals"]) as client:
        yield client
    assert RAN == [], "a tool ran"


def run(client: Any, call: Any, **more: Any) -> Any:
    return evals.run_suite(
        client, agent="desk", version="1", set="weather", call=call, tools=[weather], wait_seconds=5, **more
    )


def plain_agent(given: Any, session: Any) -> str:
    return f"It is {session.tools['weather']('Paris')['sky']} in Paris."


@contextmanager
def losing_the_first_answer(portal: str) -> Iterator[str]:
    """An address before the portal: the first request is taken there, and its answer lost on the way back."""
    lost: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
            answer = httpx.request(self.command, f"{portal}{self.path}", content=body, headers=headers)
            if not lost:
                lost.append(self.path)
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["content-type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_POST = do_GET

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
    assert lost == ["/api/v1/suite-runs"]


def test_a_suite_whose_first_answer_was_lost_is_begun_once(live_portal: Portal, world: World) -> None:
    make_set(world.acme, "weather", good=a_case())
    with (
        losing_the_first_answer(live_portal.url) as url,
        Client(url, world.acme.keys["evals"]) as client,
    ):
        assert run(client, plain_agent).passed
    assert world.acme.actions().count("suite.begun") == 1


def test_what_an_agent_did_that_cannot_be_told_leaves_its_case_errored_and_the_suite_goes_on(
    portal: Any, world: World
) -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = [deep]
    answers: dict[str, Any] = {"deep": deep, "long": "x" * 5_000_000, "round": [], "odd": ValueError("a\0b \ud800")}
    answers["round"].append(answers["round"])
    make_set(world.acme, "weather", good=a_case(), **{key: a_case(title=key) for key in answers})

    def agent(given: Any, session: Any) -> Any:
        answer = answers.get(given.key)
        if isinstance(answer, Exception):
            raise answer
        return answer or plain_agent(given, session)

    suite = run(portal, agent)
    assert (suite.said["state"], suite.said["passed"], suite.said["cases"]) == ("done", 1, 5), str(suite)
    told = {each.key: (each.state, each.detail) for each in suite.failures}
    assert {state for state, _ in told.values()} == {"errored"}
    assert "a\ufffdb ?" in told["odd"][1]
    assert "cannot be told: RecursionError" in told["round"][1]
    assert "cannot be told" in told["deep"][1] and "levels of nesting" in told["deep"][1]
    assert "cannot be told" in told["long"][1] and "larger than" in told["long"][1]


def test_a_plain_agent_passes_what_it_can_and_the_rest_is_named_with_its_reason(portal: Any, world: World) -> None:
    make_set(
        world.acme,
        "weather",
        good=a_case(),
        strange=a_case(title="Strange", tools=[{**WEATHER, "arguments": {"city": "Rome"}}]),
        poor=a_case(title="Poor", expect=[{"kind": "contains", "all": ["rain"]}]),
        broken=a_case(title="Broken", tools=[{**WEATHER, "result": {}}]),
    )
    suite = run(portal, plain_agent, workers=3)
    assert not suite.passed and suite.said["passed"] == 1
    assert sorted(str(each).partition(": ")[0] for each in suite.failures) == ["broken", "poor", "strange"]
    told = str(suite)
    assert 'strange: diverged: it called weather with {"city": "Paris"}, which nobody recorded' in told
    assert "poor: failed: it does not say “rain”" in told
    assert "broken: errored: the agent broke: KeyError: 'sky'" in told


def test_repeats_show_which_case_passes_only_at_times(portal: Any, world: World) -> None:
    make_set(world.acme, "weather", good=a_case(), other=a_case(title="Other"))

    def moody(given: Any, session: Any) -> str:
        return plain_agent(given, session) if (given.key, given.turn) != ("other", 2) else "no idea"

    suite = run(portal, moody, repeats=3)
    assert (suite.said["passed"], suite.said["flaky"], suite.said["failed"]) == (1, 1, 0)
    assert not suite.passed
    assert run(portal, plain_agent).passed


def test_in_chaos_an_agent_that_copes_passes_and_one_that_breaks_fails(portal: Any, world: World) -> None:
    make_set(world.acme, "weather", good=a_case(), quiet=a_case(title="Quiet", tools=None))

    def copes(given: Any, session: Any) -> str:
        for _ in range(2):
            try:
                found = session.call("weather", {"city": "Paris"})
                return f"It is {found['sky']}."
            except (evals.RecordedError, TimeoutError, TypeError):
                continue
        return "I cannot say."

    suite = run(portal, copes, mode="chaos")
    assert suite.passed and suite.said["cases"] == 3, str(suite)
    assert sorted(each.fault for each in suite.cases) == ["error", "malformed", "timeout"]
    suite = run(portal, plain_agent, mode="chaos")
    assert suite.said["failed"] == 3
    suite = run(portal, lambda *_: "I never ask.", mode="chaos")
    assert {each.state for each in suite.cases} == {"errored"}
    assert "nothing could fail" in suite.cases[0].detail


def test_a_runner_that_died_is_followed_by_another_one(portal: Any, world: World) -> None:
    make_set(world.acme, "weather", good=a_case(), other=a_case(title="Other"))

    def dies(given: Any, session: Any) -> str:
        if given.key == "other":
            raise KeyboardInterrupt
        return plain_agent(given, session)

    with pytest.raises(KeyboardInterrupt):
        run(portal, dies)
    [begun] = portal_list(portal)
    assert (begun["state"], begun["open"]) == ("running", 1)


def portal_list(portal: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = evals._ask(portal, "GET", "/api/v1/suite-runs")["results"]
    return found


def test_what_cannot_be_begun_says_why(portal: Any, world: World) -> None:
    with pytest.raises(PortalError, match="there are: none yet") as refused:
        run(portal, plain_agent)
    assert refused.value.status == 404


# -- frameworks -------------------------------------------------------------------------------------------------------


class Follows:
    """A pydantic-ai model that follows a script."""

    def __init__(self, *story: tuple[str, dict[str, Any]]) -> None:
        self.story, self.asked = list(story), list[list[ModelMessage]]()

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        self.asked.append(list(messages))
        called = sum(isinstance(part, ToolCallPart) for message in messages for part in message.parts)
        if called < len(self.story):
            tool, arguments = self.story[called]
            return ModelResponse([ToolCallPart(tool, arguments)])
        return ModelResponse([TextPart(ANSWER)])


def test_a_pydantic_ai_agent_runs_with_its_tools_recorded(portal: Any, world: World) -> None:
    make_set(
        world.acme,
        "weather",
        good=a_case(),
        twice=a_case(title="Twice", tools=[{**WEATHER, "arguments": {"city": "Rome"}}]),
    )
    follows = Follows(("weather", {"city": "Paris"}))
    agent = Agent(FunctionModel(follows, model_name="m-1"), tools=[weather])
    suite = run(portal, evals_pydantic_ai.agent_call(agent))
    assert {each.key: each.state for each in suite.cases} == {"good": "passed", "twice": "diverged"}
    returned = [part.content for part in follows.asked[1][-1].parts if part.part_kind == "tool-return"]
    assert returned == [{"sky": "sunny"}]
    steps = steps_of(world, "good")
    assert [(step["kind"], step.get("tool", step.get("model"))) for step in steps] == [
        ("model", "m-1"),
        ("tool", "weather"),
        ("model", "m-1"),
    ]
    assert steps[0]["output"] == [{"tool": "weather", "arguments": {"city": "Paris"}}]


def test_a_pydantic_ai_agent_without_tools_is_given_those_the_case_offers(portal: Any, world: World) -> None:
    arguments = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    offer = {"name": "weather", "description": "The weather.", "arguments": arguments}
    refused = {"tool": "weather", "error": {"type": "http_500", "message": "down"}}
    make_set(
        world.acme, "weather", good=a_case(offers=[offer]), down=a_case(title="Down", offers=[offer], tools=[refused])
    )
    follows = Follows(("weather", {"city": "Paris"}))
    suite = evals.run_suite(
        portal,
        agent="desk",
        version="1",
        set="weather",
        call=evals_pydantic_ai.agent_call(Agent(FunctionModel(follows, model_name="m-1"))),
        wait_seconds=5,
    )
    assert suite.passed, str(suite)
    told = [part.content for asked in follows.asked for part in asked[-1].parts if part.part_kind == "tool-return"]
    assert any("down" in str(each) for each in told), "a recorded failure reaches the model"


def test_a_pydantic_ai_agent_against_an_openai_compatible_server(portal: Any, world: World) -> None:
    make_set(world.acme, "weather", good=a_case())
    with model_server() as server:

        async def call(given: Any, session: Any) -> Any:
            async with AsyncOpenAI(base_url=server.url, api_key="k") as client:
                model = OpenAIChatModel("gpt-4o-2024-08-06", provider=OpenAIProvider(openai_client=client))
                return await evals_pydantic_ai.agent_call(Agent(model, tools=[weather]))(given, session)

        suite = run(portal, call)
    assert suite.passed, str(suite)
    assert_asked(server)
    assert [step.get("input_tokens") for step in steps_of(world, "good")] == [100, None, 100]


def test_an_openai_agents_agent_against_an_openai_compatible_server(portal: Any, world: World) -> None:
    make_set(
        world.acme,
        "weather",
        good=a_case(),
        strange=a_case(title="Strange", tools=[{**WEATHER, "arguments": {"city": "Rome"}}]),
        down=a_case(title="Down", tools=[{"tool": "weather", "error": {"type": "http_500", "message": "down"}}]),
    )
    with model_server() as server:
        suite = run(portal, openai_call(server))
    assert {each.key: each.state for each in suite.cases} == {"good": "passed", "strange": "diverged", "down": "passed"}
    assert_asked(server)
    tool_messages = [m["content"] for request in server.requests for m in request["messages"] if m["role"] == "tool"]
    assert any("down" in content for content in tool_messages)


def test_an_openai_agents_agent_with_a_tool_that_runs_elsewhere_is_refused_before_the_model_is_asked(
    portal: Any, world: World
) -> None:
    make_set(world.acme, "weather", good=a_case())
    with model_server() as server:
        suite = run(portal, openai_call(server, WebSearchTool()))
    assert suite.cases[0].state == "errored" and "web_search" in suite.cases[0].detail
    assert server.requests == []


def openai_call(server: ModelServer, *more: Any) -> Any:
    """An openai-agents agent behind a client of its own, as `call`."""

    async def call(given: Any, session: Any) -> Any:
        async with AsyncOpenAI(base_url=server.url, api_key="k") as client:
            model = OpenAIChatCompletionsModel("gpt-4o-2024-08-06", client)
            agent = OpenAIAgent[Any](name="desk", model=model, tools=[function_tool(weather), *more])
            return await evals_openai_agents.agent_call(agent)(given, session)

    return call


def assert_asked(server: ModelServer) -> None:
    """The model was told the recorded result."""
    told = [m["content"] for request in server.requests for m in request["messages"] if m["role"] == "tool"]
    assert any("sunny" in content for content in told), told


def steps_of(world: World, key: str) -> list[dict[str, Any]]:
    from agentops.common.scope import tenant_scope
    from evals.models import CaseRun

    with tenant_scope(world.acme.id):
        found: list[dict[str, Any]] = CaseRun.objects.get(tenant_id=world.acme.id, key=key).steps
    return found


# -- the command ------------------------------------------------------------------------------------------------------


def command(portal: Portal, world: World, directory: Path, *args: str) -> subprocess.CompletedProcess[str]:
    (directory / "agentops_client").symlink_to(PACKAGE)
    (directory / "mine.py").write_text(
        "def weather(city):\n    raise SystemExit('it ran')\n"
        "def agent(case, session):\n    return 'It is ' + session.tools['weather']('Paris')['sky']\n"
        "def poor(case, session):\n    session.tools['weather']('Paris')\n    return 'no idea'\nTOOLS = [weather]\n"
    )
    return subprocess.run(
        [sys.executable, "-W", "error", "-m", "agentops_client.evals", *args],
        cwd=directory,
        env={"PYTHONPATH": str(directory), "AGENTOPS_URL": portal.url, "AGENTOPS_KEY": world.acme.keys["evals"]},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("name", "set_", "code", "said"),
    [
        ("agent", "weather", 0, '"passed": 1'),
        ("poor", "weather", 1, '"failed": 1'),
        ("agent", "nothing", 2, "there are: weather"),
        ("missing", "weather", 2, "MODULE:NAME is expected"),
    ],
)
def test_the_command_tells_by_its_exit_code(
    live_portal: Portal, world: World, tmp_path: Path, name: str, set_: str, code: int, said: str
) -> None:
    make_set(world.acme, "weather", good=a_case())
    done = command(
        live_portal, world, tmp_path, "run", "--agent", "desk", "--version", "1", "--set", set_, "--call", f"mine:{name}",
        "--tools", "mine:TOOLS", "--json",
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert said in (done.stdout if code < 2 else done.stderr)
    if code < 2:
        assert json.loads(done.stdout)["state"] == "done"
