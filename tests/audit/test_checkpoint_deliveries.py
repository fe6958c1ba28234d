"""Checkpoints go to where a customer keeps them, each with the proof that it begins with the one before."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.outbox import tasks as outbox
from audit import keys, notes, queries, services, tasks, tree
from audit.errors import StreamRefused
from audit.models import CheckpointDelivery
from tests.audit.logs import Log
from tests.outbox.receivers import WebServer, web_server
from tests.world import World


@pytest.fixture
def hook(settings: Any) -> Iterator[WebServer]:
    with web_server() as server:
        settings.WEBHOOK_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}"]
        yield server


@pytest.fixture
def log(world: World) -> Log:
    found = Log(world.acme)
    found.seal()
    return found


def delivered(log: Log, world: World, channel: str, destination: str, every: str = "hour") -> uuid.UUID:
    with tenant_scope(log.id):
        made = services.set_checkpoint_delivery(
            tenant=log.id, channel=channel, destination=destination, every=every, by=world.ada.actor, at=clock.now()
        )
    return made.id


def later(log: Log, hours: float) -> None:
    with tenant_scope(log.id):
        for row in CheckpointDelivery.objects.filter(tenant_id=log.id).exclude(sent_at=None):
            row.sent_at -= timedelta(hours=hours)
            row.save()


def sent() -> int:
    count = tasks.send_checkpoints()
    outbox.sweep()
    return count


def test_a_webhook_gets_the_signed_note_and_the_proof_from_the_one_before(
    log: Log, world: World, hook: WebServer
) -> None:
    delivered(log, world, "webhook", f"http://127.0.0.1:{hook.port}/keep")
    assert sent() == 1
    log.write(300)
    log.seal()
    later(log, 1)
    assert sent() == 1
    first, second = (json.loads(request.body)["data"] for request in hook.requests)
    assert first["consistency"]["path"] == []
    assert notes.is_signed_by(second["note"], keys.get(log.head().key_id))
    old, new = notes.read(first["note"]), notes.read(second["note"])
    assert second["consistency"]["first"] == old.size
    path = [bytes.fromhex(each) for each in second["consistency"]["path"]]
    assert tree.is_consistent(old.size, old.root, new.size, new.root, path)
    assert json.loads(hook.requests[0].body)["type"] == "audit.checkpoint"


def test_a_mail_has_the_note_as_it_was_signed(log: Log, world: World) -> None:
    delivered(log, world, "mail", "keep@acme.example", "day")
    assert sent() == 1
    [letter] = mail.outbox
    note = log.checkpoints()[-1].note
    assert letter.to == ["keep@acme.example"]
    assert note in letter.body
    assert "Acme" in letter.subject


def test_what_is_due_by_the_hour_or_the_day_is_sent_then_and_only_where_the_log_has_grown(
    log: Log, world: World
) -> None:
    delivered(log, world, "mail", "hour@acme.example", "hour")
    delivered(log, world, "mail", "day@acme.example", "day")
    assert sent() == 2
    assert sent() == 0
    later(log, 1)
    assert sent() == 0, "nothing was sealed since"
    log.write(1)
    log.seal()
    assert sent() == 1
    later(log, 24)
    log.write(1)
    log.seal()
    assert sent() == 2
    assert [letter.to[0].split("@")[0] for letter in mail.outbox] == ["hour", "day", "hour", "hour", "day"]


@pytest.mark.parametrize(
    ("channel", "destination"), [("mail", "nobody"), ("webhook", "http://x.example/"), ("pigeon", "roof"), ("mail", "")]
)
def test_a_place_that_cannot_be_is_refused(log: Log, world: World, channel: str, destination: str) -> None:
    with pytest.raises(StreamRefused):
        delivered(log, world, channel, destination)


def test_the_pages_set_and_remove_a_place(log: Log, world: World, client_for: Callable[..., Client]) -> None:
    client = client_for(world.ada, fresh=True)
    form = {"channel": "mail", "destination": "keep@acme.example", "every": "day"}
    assert client.post(world.acme.url("audit/checkpoint-deliveries/new/"), form).status_code == 302
    assert client.post(world.acme.url("audit/checkpoint-deliveries/new/"), form).status_code == 422
    with tenant_scope(log.id):
        [found] = queries.deliveries(tenant=log.id)
    assert b"keep@acme.example" in client.get(world.acme.url("audit/streams/")).content
    assert client.get(world.acme.url(f"audit/checkpoint-deliveries/{found.id}/secret/")).status_code == 404
    assert client.post(world.acme.url(f"audit/checkpoint-deliveries/{found.id}/removal/")).status_code == 302
    assert log.organisation.actions()[-2:] == ["audit.checkpoint_delivery_set", "audit.checkpoint_delivery_removed"]
