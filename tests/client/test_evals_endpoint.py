"""The portal runs a suite by asking an agent's address; the client package answers there. Real HTTP, both ways."""

from __future__ import annotations

import io
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from wsgiref.simple_server import make_server

import httpx
import pytest
from agentops_client import evals_serve
from django.core.management import CommandError, call_command
from django.db import connection

from agentops.common import clock
from agentops.common.queues import Queue
from agentops.common.scope import staff_scope, tenant_scope
from evals import queries, services
from evals.models import AgentEndpoint, CaseRun
from evals.tasks import judging
from evals.tasks import sets as tasks
from evals.types import Runner as Where
from tests.client.test_evals_replay import spans_of, weather_run
from tests.evals import rowsof
from tests.evals.judgeserver import Reply, judge_server, verdict
from tests.evals.sets.made import case, make_set
from tests.evals.sets.runner import Runner
from tests.runtime.guarded import shift
from tests.server import Portal
from tests.world import OPERATOR, Organisation, World

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
        shown = set_address(world, url, max_in_flight=3, agent=name)
        made = evals_serve.application(agent, secret=secret or shown, tools=[weather])
        return url

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def begin(world: World, *, agent: str = "desk", of: Organisation | None = None) -> str:
    tenant = (of or world.acme).id
    asked = services.Asked(agent=agent, agent_version="1", eval_set="weather")
    with tenant_scope(tenant):
        made = services.begin_suite_run(
            tenant=tenant, asked=asked, runner=Where.ENDPOINT, trigger="schedule", by=OPERATOR, at=clock.now()
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
        (200, b'{"a\\u0000b": 1}', "there is no such member"),
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


def test_an_address_that_asks_for_patience_rests_costs_no_attempt_and_is_given_up_in_the_end(
    world: World, settings: Any
) -> None:
    """Two suites at one address, which takes two cases at once: 429 for a minute, then nothing but 503."""
    settings.WEBHOOK_ALLOWED_HOSTS, acme = ["127.0.0.1"], world.acme
    make_set(acme, "weather", **{f"c{number}": case(title=str(number)) for number in range(4)})
    answer = Reply(status=429, headers={"Retry-After": "60"})
    with judge_server(lambda number, body: answer) as server:
        set_address(world, server.url, max_in_flight=2)
        suites = [begin(world), begin(world)]
        for _ in range(4):
            assert tasks.run_due() == 0
        assert len(server.requests) == 2, "nobody asks while it rests, for whichever suite"
        with tenant_scope(acme.id):
            endpoint = AgentEndpoint.objects.get(tenant_id=acme.id)
            rows = CaseRun.objects.filter(tenant_id=acme.id)
            assert set(rows.values_list("state", "attempts", "claim")) == {("planned", 0, None)}
            assert "asked for patience; it rests until" in rows.filter(suite_run=suites[0]).order_by("key")[0].detail
        assert endpoint.paused_until is not None
        assert 50 < (endpoint.paused_until - clock.now()).total_seconds() <= 60
        answer = Reply(status=503, raw=b"")
        for rest in (15, 600, 600):  # as long again as it has given nothing, ten minutes at most
            shift(acme, "evals_agentendpoint", "paused_until", -timedelta(hours=1))
            assert tasks.run_due() == 0
            with tenant_scope(acme.id):
                endpoint.refresh_from_db()
            assert rest - 5 < (endpoint.paused_until - clock.now()).total_seconds() <= rest
            shift(acme, "evals_suiterun", "last_seen_at", -timedelta(hours=2))
    shift(acme, "evals_agentendpoint", "paused_until", -timedelta(hours=1))
    assert tasks.run_due() == 0, "nobody is there any more"
    with tenant_scope(acme.id):
        assert set(rows.values_list("state", "attempts")) == {("planned", 0)}
        assert "could not be reached" in " ".join(rows.values_list("detail", flat=True))
    assert tasks.settle() == 8, "six hours without one answer"
    found = Runner(acme).suite(suites[1])
    assert (found["state"], found["results"][0]["status"]) == ("abandoned", "errored")
    assert found["results"][0]["runs"][0]["detail"] == "the agent's address ended no case for six hours"


def test_an_address_is_asked_for_no_more_at_once_than_it_takes_by_however_many_workers(
    world: World, settings: Any
) -> None:
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    make_set(world.acme, "weather", **{f"c{number}": case(title=str(number)) for number in range(6)})
    with judge_server(lambda number, body: Reply(raw=b'{"output": "refund"}', seconds=0.1)) as server:
        set_address(world, server.url, max_in_flight=1)
        suite = begin(world)

        def work() -> None:
            try:
                tasks.run_due()
            finally:
                connection.close()

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tasks.run_due()
        assert (server.most_in_flight, len(server.requests)) == (1, 6)
    assert Runner(world.acme).suite(suite)["passed"] == 6


def test_slow_addresses_hold_up_neither_other_organisations_nor_judges(
    world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Acme's five addresses and its judge give nothing until they are told to; Globex's answers at once."""
    settings.WEBHOOK_ALLOWED_HOSTS = ["127.0.0.1"]
    monkeypatch.setattr(judging, "WAIT_SECONDS", 0.1)
    assert {each.goes_to for each in (tasks.run_due, tasks.run_at_endpoint)} == {Queue.JUDGING}
    agents, go_on = [f"slow-{number}" for number in range(5)], threading.Event()
    for organisation in (world.acme, world.globex):
        make_set(organisation, "weather", good=case())

    def hold(number: int, body: dict[str, Any]) -> Reply:
        assert go_on.wait(100)
        return Reply(verdict()) if "messages" in body else Reply(raw=b'{"output": "refund"}')

    with judge_server(hold) as slow, judge_server(lambda number, body: Reply(raw=b'{"output": "refund"}')) as quick:
        for agent in agents:
            set_address(world, slow.url, max_in_flight=1, agent=agent, seconds=120)
        set_address(world, quick.url, max_in_flight=1, of=world.globex)
        suites = [begin(world, agent=agent) for agent in agents]
        other = begin(world, of=world.globex)
        with staff_scope():
            assert (world.globex.id, uuid.UUID(other)) in queries.suites_at_endpoints()[:2], (
                "each has its first one first"
            )
        rowsof.judge(world.acme, url=slow.url)
        rowsof.planned(world.acme, 1)
        done: list[int] = []

        def work(task: Any, **ids: str) -> None:
            try:
                done.append(task(**ids))
            finally:
                connection.close()

        asks = [{"tenant_id": str(world.acme.id), "suite_run_id": suite} for suite in suites]
        threads = [threading.Thread(target=work, args=[tasks.run_at_endpoint], kwargs=ids) for ids in asks]
        threads.append(threading.Thread(target=work, args=[judging.ask_judges]))
        for thread in threads:
            thread.start()
        until = time.monotonic() + 60
        while (slow.in_flight, done) != (4, [0, 0]):
            assert time.monotonic() < until, (slow.in_flight, done)
            time.sleep(0.02)
        assert tasks.run_due() == 1, "Globex's; three of one organisation are asked at once"
        assert Runner(world.globex).suite(other)["state"] == "done"
        assert judging.ask_judges() == 0, "one round at a time"
        assert (slow.in_flight, len(done)) == (4, 2), "nobody waited for those that are slow"
        go_on.set()
        for thread in threads:
            thread.join()
        assert done == [0, 0, 1, 1, 1, 1]
        assert tasks.run_due() == 2, "who had no turn is gone on with"


def set_address(
    world: World,
    url: str,
    *,
    max_in_flight: int,
    agent: str = "desk",
    of: Organisation | None = None,
    seconds: int = 5,
) -> str:
    tenant = (of or world.acme).id
    with tenant_scope(tenant):
        _, secret = services.set_agent_endpoint(
            tenant=tenant,
            agent=agent,
            url=url,
            timeout_seconds=seconds,
            max_in_flight=max_in_flight,
            by=OPERATOR,
            at=clock.now(),
        )
    return secret


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
