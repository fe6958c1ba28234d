"""Streams: every entry, in its order, to an address of the customer's; nothing is dropped, however the receiver fares."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.outbox import signing
from agentops.outbox import tasks as outbox
from agentops.outbox.models import Message
from audit import canonical, queries, services, tasks
from audit.errors import StreamRefused
from audit.models import Stream
from audit.services import streaming
from audit.types import ExportFormat, StreamState
from tests.audit.logs import Log, entry
from tests.outbox.receivers import Request, WebServer, web_server
from tests.world import World


@pytest.fixture
def hook(settings: Any) -> Iterator[WebServer]:
    """A receiver that webhooks may reach without TLS."""
    with web_server() as server:
        settings.WEBHOOK_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}"]
        yield server


@pytest.fixture
def log(world: World) -> Log:
    found = Log(world.acme)
    found.seal()
    return found


def address(hook: WebServer) -> str:
    return f"http://127.0.0.1:{hook.port}/in"


def streamed(log: Log, world: World, hook: WebServer, form: str = ExportFormat.NDJSON, **more: Any) -> uuid.UUID:
    """A stream that begins with what is recorded from now on; its own entry is the first."""
    given = {"destination": address(hook), "form": form, "from_beginning": False, **more}
    with tenant_scope(log.id):
        return services.set_stream(tenant=log.id, by=world.ada.actor, at=clock.now(), **given).id


def row(log: Log, stream: uuid.UUID) -> Stream:
    with tenant_scope(log.id):
        return queries.stream(tenant=log.id, stream=stream)


def batches(hook: WebServer) -> list[dict[str, Any]]:
    return [json.loads(request.body)["data"] for request in hook.requests]


def leaves(hook: WebServer) -> list[int]:
    return [each["leaf"] for batch in batches(hook) for each in batch["entries"]]


def due_now(log: Log) -> None:
    """Let the time of the next attempt come, and of the claim end."""
    with tenant_scope(log.id):
        Message.objects.filter(tenant_id=log.id, state="waiting").update(
            next_attempt_at=clock.now(), claimed_until=None
        )


def test_entries_arrive_in_the_order_of_their_leaves_and_each_once(log: Log, world: World, hook: WebServer) -> None:
    stream, first = streamed(log, world, hook), len(log.leaves())
    log.write(1200)
    log.seal()
    assert tasks.send_streams() == 3
    assert leaves(hook) == list(range(first, first + 1201))
    assert [len(batch["entries"]) for batch in batches(hook)] == [500, 500, 201]
    assert row(log, stream).next_leaf == first + 1201
    assert tasks.send_streams() == 0, "nothing is new"
    log.write(2)
    log.seal()
    assert tasks.send_streams() == 1
    assert leaves(hook)[-2:] == [first + 1201, first + 1202]


def test_a_stream_from_the_beginning_has_what_was_there_before_it(log: Log, world: World, hook: WebServer) -> None:
    streamed(log, world, hook, from_beginning=True)
    tasks.send_streams()
    assert leaves(hook) == list(range(len(log.leaves())))


def test_a_batch_is_signed_and_says_where_the_next_begins(log: Log, world: World, hook: WebServer) -> None:
    stream = streamed(log, world, hook)
    log.seal()
    tasks.send_streams()
    [request] = hook.requests
    secret = base64.b64decode(signing.secret(log.id, address(hook)).removeprefix("whsec_"))
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    wanted = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{wanted}" in request.headers["webhook-signature"]
    [batch] = batches(hook)
    assert batch["stream"] == str(stream)
    assert batch["next_leaf"] == batch["first_leaf"] + 1
    assert batch["checkpoint"] == log.checkpoints()[-1].note


def test_a_receiver_that_is_away_gets_everything_when_it_is_back(log: Log, world: World, hook: WebServer) -> None:
    stream, first = streamed(log, world, hook), len(log.leaves())
    log.write(3)
    log.seal()
    hook.answers = lambda _: (503, {})
    assert tasks.send_streams() == 0
    log.write(600)
    log.seal()
    assert tasks.send_streams() == 0, "one batch is on its way, and not due yet"
    assert len(hook.requests) == 1
    assert row(log, stream).next_leaf == first
    hook.answers = lambda _: (204, {})
    hook.requests.clear()
    due_now(log)
    outbox.sweep()
    tasks.send_streams()
    assert leaves(hook) == list(range(first, first + 604))


def test_a_batch_that_is_given_up_stops_the_stream_which_goes_on_with_it(
    log: Log, world: World, hook: WebServer
) -> None:
    stream, first = streamed(log, world, hook), len(log.leaves())
    log.write(2)
    log.seal()
    hook.answers = lambda _: (410, {})
    tasks.send_streams()
    stopped = row(log, stream)
    assert (stopped.state, stopped.next_leaf) == (StreamState.STOPPED, first)
    assert "410" in stopped.why_stopped
    assert log.organisation.actions()[-2:] == ["delivery.given_up", "audit.stream_stopped"]
    assert tasks.watch_streams() == 1
    [finding] = log.findings(kind=tasks.STREAM_STOPPED, ended_at=None)
    assert address(hook) in finding.detail
    log.seal()
    assert tasks.send_streams() == 0, "stopped means stopped"

    hook.answers = lambda _: (204, {})
    hook.requests.clear()
    with tenant_scope(log.id):
        services.resume_stream(tenant=log.id, stream=stream, by=world.ada.actor, at=clock.now())
    log.seal()
    tasks.send_streams()
    assert leaves(hook) == list(range(first, len(log.leaves())))
    assert tasks.watch_streams() == 0
    assert log.findings(kind=tasks.STREAM_STOPPED, ended_at=None) == []


def test_a_paused_stream_sends_nothing_and_loses_nothing(log: Log, world: World, hook: WebServer) -> None:
    stream, first = streamed(log, world, hook), len(log.leaves())
    with tenant_scope(log.id):
        services.pause_stream(tenant=log.id, stream=stream, by=world.ada.actor, at=clock.now())
    log.write(3)
    log.seal()
    tasks.send_streams()
    assert hook.requests == []
    with tenant_scope(log.id):
        services.resume_stream(tenant=log.id, stream=stream, by=world.ada.actor, at=clock.now())
    log.seal()
    tasks.send_streams()
    assert leaves(hook) == list(range(first, len(log.leaves())))


def test_one_that_was_sent_and_not_noted_is_noted_later_and_the_next_begins_behind_it(
    log: Log, world: World, hook: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill between the two."""
    stream, first = streamed(log, world, hook), len(log.leaves())
    log.write(1)
    log.seal()

    def killed(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(services, "note_arrived", killed)
        with pytest.raises(KeyboardInterrupt):
            tasks.send_streams()
    assert row(log, stream).next_leaf == first
    log.write(1)
    log.seal()
    tasks.send_streams()
    assert leaves(hook) == [first, first + 1, first + 2]


def test_a_message_keeps_no_copy_of_the_entries_it_brought(log: Log, world: World, hook: WebServer) -> None:
    streamed(log, world, hook)
    log.seal()
    tasks.send_streams()
    with tenant_scope(log.id):
        [message] = Message.objects.filter(tenant_id=log.id, template="audit.entries")
    assert "entries" not in message.context


def test_lines_that_can_be_checked_are_the_bytes_that_were_hashed(log: Log, world: World, hook: WebServer) -> None:
    streamed(log, world, hook, ExportFormat.BUNDLE)
    log.seal()
    tasks.send_streams()
    [line] = batches(hook)[0]["entries"]
    found = json.loads(line)
    begin = line.index('"entry":') + len('"entry":')
    _, end = json.JSONDecoder().raw_decode(line, begin)
    assert canonical.leaf_hash(line[begin:end].encode()).hex() == found["hash"]


def test_an_ocsf_stream_sends_events(log: Log, world: World, hook: WebServer) -> None:
    streamed(log, world, hook, ExportFormat.OCSF)
    log.seal()
    tasks.send_streams()
    [event] = batches(hook)[0]["entries"]
    assert event["metadata"]["event_code"] == "audit.stream_set"


def test_text_that_the_queue_cannot_hold_stops_no_stream(log: Log, world: World, hook: WebServer) -> None:
    for form in (ExportFormat.NDJSON, ExportFormat.BUNDLE):
        hook.requests.clear()
        log.seal()
        stream = streamed(log, world, hook, form)
        with tenant_scope(log.id):
            data = {"name": "a\x00b", "query": "\\u0000"}
            services.record_many(tenant=log.id, entries=[entry(action="search.saved", data=data)])
        log.seal()
        assert tasks.send_streams() == 1
        assert len(batches(hook)[0]["entries"]) == 2
        with tenant_scope(log.id):
            services.remove_stream(tenant=log.id, stream=stream, by=world.ada.actor, at=clock.now())


def test_a_batch_of_large_entries_is_cut_by_its_size(
    log: Log, world: World, hook: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "BATCH_BYTES", 20_000)
    streamed(log, world, hook)
    first = len(log.leaves())
    with tenant_scope(log.id):
        data = {"name": "n", "query": "x" * 9_000}
        services.record_many(tenant=log.id, entries=[entry(action="search.saved", data=data) for _ in range(4)])
    log.seal()
    tasks.send_streams()
    assert len(hook.requests) > 1
    assert leaves(hook) == list(range(first, first + 5))


def test_one_stream_that_hangs_does_not_hold_up_another(log: Log, world: World, hook: WebServer) -> None:
    other = Log(world.globex)
    other.seal()
    streamed(log, world, hook)
    with tenant_scope(other.id):
        services.set_stream(
            tenant=other.id,
            destination=f"{address(hook)}/other",
            form=ExportFormat.NDJSON,
            from_beginning=False,
            by=world.cleo.actor,
            at=clock.now(),
        )
    log.seal()
    other.seal()

    def answers(request: Request) -> tuple[int, dict[str, str]]:
        return (503, {}) if request.path == "/in" else (204, {})

    hook.answers = answers
    assert tasks.send_streams() == 1
    tenants = {json.loads(request.body)["data"]["entries"][0]["tenant"] for request in hook.requests}
    assert tenants == {str(log.id), str(other.id)}


@pytest.mark.parametrize(
    "destination",
    ["", "siem.example.com", "http://siem.example.com/", "https://ada:pw@siem.example.com/", "ftp://x.example/", "https://[::1"],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(log: Log, world: World, destination: str) -> None:
    with tenant_scope(log.id), pytest.raises(StreamRefused):
        services.set_stream(
            tenant=log.id,
            destination=destination,
            form=ExportFormat.NDJSON,
            from_beginning=False,
            by=world.ada.actor,
            at=clock.now(),
        )


def test_an_address_inside_is_given_up_and_stops_the_stream(log: Log, world: World, settings: Any) -> None:
    """What a name leads to is judged by the outbox when something is sent."""
    with tenant_scope(log.id):
        stream = services.set_stream(
            tenant=log.id,
            destination="https://127.0.0.1/in",
            form=ExportFormat.NDJSON,
            from_beginning=False,
            by=world.ada.actor,
            at=clock.now(),
        ).id
    log.seal()
    tasks.send_streams()
    assert row(log, stream).state == StreamState.STOPPED


# -- pages -----------------------------------------------------------------------------------------------------------


def test_an_admin_sets_a_stream_pauses_it_and_removes_it(
    log: Log, world: World, hook: WebServer, client_for: Callable[..., Client]
) -> None:
    client = client_for(world.ada, fresh=True)
    form = {"destination": address(hook), "form": "ndjson", "begin": "now"}
    assert client.post(world.acme.url("audit/streams/new/"), form).status_code == 302
    again = client.post(world.acme.url("audit/streams/new/"), form)
    assert again.status_code == 422
    assert b"already" in again.content
    with tenant_scope(log.id):
        [found] = queries.all_streams(tenant=log.id)
    one = f"audit/streams/{found.stream.id}/"
    assert address(hook).encode() in client.get(world.acme.url("audit/streams/")).content
    assert signing.secret(log.id, address(hook)).encode() in client.get(world.acme.url(f"{one}secret/")).content
    for step in ("pause", "resumption", "removal"):
        assert client.post(world.acme.url(f"{one}{step}/")).status_code == 302
    assert log.organisation.actions()[-4:] == [*["audit.stream_set"] * 3, "audit.stream_removed"]


def test_the_page_says_why_a_stream_stopped(
    log: Log, world: World, hook: WebServer, client_for: Callable[..., Client]
) -> None:
    streamed(log, world, hook)
    log.seal()
    hook.answers = lambda _: (410, {})
    tasks.send_streams()
    page = client_for(world.audrey).get(world.acme.url("audit/streams/")).content.decode()
    assert "410" in page
    assert "Nothing is lost" in page
    assert "Go on" not in page, "an auditor changes nothing"
    assert "Go on" in client_for(world.ada).get(world.acme.url("audit/streams/")).content.decode()
