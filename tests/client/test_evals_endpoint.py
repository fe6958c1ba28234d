"""The portal runs a suite by asking an agent's address; the client package answers there. Real HTTP, both ways."""

from __future__ import annotations

import io
import json
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from wsgiref.simple_server import make_server

import httpx
import pytest
from agentops_client import evals_serve
from django.core.management import CommandError, call_command

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals import services
from evals.tasks import sets as tasks
from evals.types import Runner as Where
from tests.client.test_evals_replay import spans_of, weather_run
from tests.evals.sets.made import case, make_set
from tests.evals.sets.runner import Runner
from tests.server import Portal
from tests.world import OPERATOR, World

WEATHER = {"tool": "weather", "arguments": {"city": "Paris"}, "result": {"sky": "sunny"}}


def weather(city: str) -> str:
    raise AssertionError("a tool ran")


def agent(given: Any, session: Any) -> str:
    return f"It is {session.tools['weather']('Paris')['sky']}."


@pytest.fixture
def address(world: World, settings: Any) -> Iterator[Any]:
    """Sets where `desk` answers, and with what."""
    servers: list[Any] = []
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]

    def serve(handler: Any = None, *, name: str = "desk", secret: str = "") -> str:
        server: Any
        if handler is None:
            server = make_server("127.0.0.1", 0, lambda *args: made(*args), evals_serve._Server, evals_serve._Quiet)
        else:
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_address[1]}/evals"
        with tenant_scope(world.acme.id):
            _, shown = services.set_agent_endpoint(
                tenant=world.acme.id,
                agent=name,
                url=url,
                timeout_seconds=5,
                max_in_flight=3,
                by=OPERATOR,
                at=clock.now(),
            )
        made = evals_serve.application(agent, secret=secret or shown, tools=[weather])
        return url

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def begin(world: World) -> str:
    asked = services.Asked(agent="desk", agent_version="1", eval_set="weather")
    with tenant_scope(world.acme.id):
        made = services.begin_suite_run(
            tenant=world.acme.id, asked=asked, runner=Where.ENDPOINT, trigger="schedule", by=OPERATOR, at=clock.now()
        )
    return str(made.id)


def cases(world: World) -> None:
    expect = [{"kind": "contains", "all": ["sunny"]}]
    make_set(
        world.acme,
        "weather",
        good=case(tools=[WEATHER], expect=expect),
        strange=case(title="Strange", tools=[{**WEATHER, "arguments": {"city": "Rome"}}], expect=expect),
        **{f"more-{number}": case(title=str(number), tools=[WEATHER], expect=expect) for number in range(5)},
    )


def test_a_suite_runs_at_the_agents_address_with_its_tools_recorded(world: World, address: Any) -> None:
    cases(world)
    address()
    suite = begin(world)
    assert tasks.run_due() == 7
    found = Runner(world.acme).suite(suite)
    assert (found["state"], found["passed"], found["failed"]) == ("done", 6, 1)
    assert {each["key"]: each["status"] for each in found["results"]}["strange"] == "diverged"
    assert tasks.run_due() == 0


def test_what_is_not_signed_with_the_secret_is_refused_unread(world: World, address: Any) -> None:
    cases(world)
    url = address(secret="whsec_" + "A" * 40)
    assert httpx.post(url, json={"key": "x"}).status_code == 401
    assert httpx.get(url).status_code == 405
    suite = begin(world)
    tasks.run_due()
    found = Runner(world.acme).suite(suite)
    assert found["failed"] == 7 and "status 401" in found["results"][0]["runs"][0]["detail"]


def answering(status: int, body: bytes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    return Handler


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b"oops", "status 500"),
        (302, b"", "status 302"),
        (200, b"not json", "cannot be read"),
        (200, b'{"output": 1, "state": "passed"}', "/state"),
        (200, b'{"output": "a\\u0000b"}', "/output"),
    ],
)
def test_an_answer_that_is_none_leaves_the_case_errored_and_says_why(
    world: World, address: Any, status: int, body: bytes, said: str
) -> None:
    make_set(world.acme, "weather", good=case())
    address(answering(status, body))
    suite = begin(world)
    tasks.run_due()
    [found] = Runner(world.acme).suite(suite)["results"]
    assert found["status"] == "errored" and said in found["runs"][0]["detail"], found


def test_an_address_that_asks_for_patience_is_asked_again_and_no_result_is_made_up(world: World, address: Any) -> None:
    make_set(world.acme, "weather", good=case())
    address(answering(503, b""))
    suite = begin(world)
    tasks.run_due()
    [found] = Runner(world.acme).suite(suite)["results"]
    assert found["status"] == "" and found["runs"][0]["state"] == "claimed"


def test_an_inner_address_is_not_asked(world: World, address: Any, settings: Any) -> None:
    make_set(world.acme, "weather", good=case())
    asked: list[Any] = []

    class Handler(answering(200, b"{}")):  # type: ignore[misc]
        def do_POST(self) -> None:
            asked.append(self.path)
            super().do_POST()

    address(Handler)
    settings.WEBHOOK_ALLOWED_HOSTS = []
    suite = begin(world)
    tasks.run_due()
    [found] = Runner(world.acme).suite(suite)["results"]
    assert asked == [] and "not sent" in found["runs"][0]["detail"]


def test_the_command_replays_a_run_at_the_agents_address(world: World, address: Any, live_portal: Portal) -> None:
    run_id = uuid.uuid4().hex
    headers = {"Authorization": f"Bearer {world.acme.keys['ingest']}"}
    spans = spans_of(run_id, weather_run(), output="It is sunny.")
    assert httpx.post(f"{live_portal.url}/api/v1/traces", json={"spans": spans}, headers=headers).status_code == 200
    address(name="summer")
    digests = []
    for _ in range(2):
        out = io.StringIO()
        call_command("replay", run_id, "--tenant", "acme", "--agent-endpoint", "--json", stdout=out)
        told = json.loads(out.getvalue())
        assert told["same"] is True
        digests.append(told["result_digest"])
    assert digests[0] == digests[1]
    with pytest.raises(SystemExit) as left:
        call_command("replay", run_id, "--tenant", "acme", stdout=io.StringIO())
    assert left.value.code == 2
    with pytest.raises(CommandError):
        call_command("replay", "nothing", "--tenant", "acme")
