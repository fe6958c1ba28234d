"""Receivers, and the outbox as a test sees it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from agentops.common.scope import tenant_scope
from agentops.outbox import delivering, services
from agentops.outbox.models import Attempt, Message
from agentops.outbox.types import State
from tests.outbox.receivers import MailServer, WebServer, mail_server, web_server
from tests.world import Organisation, World


@dataclass
class Outbox:
    """One organisation's: send, deliver, look."""

    organisation: Organisation

    def send(self, **changes: Any) -> uuid.UUID:
        given = {
            "channel": "mail",
            "destination": "pete@acme.example",
            "template": "tests/note.txt",
            "context": {"what": "a refund"},
            "dedup_key": uuid.uuid4().hex,
        }
        with tenant_scope(self.organisation.id):
            return services.send(tenant=self.organisation.id, **{**given, **changes})

    def post(self, url: str, **changes: Any) -> uuid.UUID:
        return self.send(channel="webhook", destination=url, template="thing.happened", **changes)

    def deliver(self, message: uuid.UUID | None = None) -> State | None:
        return delivering.deliver_one(tenant=self.organisation.id, message=message)

    def row(self, message: uuid.UUID) -> Message:
        with tenant_scope(self.organisation.id):
            return Message.objects.get(id=message)

    def attempts(self, message: uuid.UUID) -> list[Attempt]:
        with tenant_scope(self.organisation.id):
            return list(Attempt.objects.filter(message_id=message).order_by("number"))

    def change(self, message: uuid.UUID, **values: Any) -> None:
        """Let time pass."""
        with tenant_scope(self.organisation.id):
            Message.objects.filter(id=message).update(**values)


@pytest.fixture
def outbox(world: World) -> Outbox:
    return Outbox(world.acme)


@pytest.fixture(autouse=True)
def _templates(settings: Any) -> None:
    """A template of mail that only the tests know."""
    [engine] = settings.TEMPLATES
    loaders = [
        (
            "django.template.loaders.locmem.Loader",
            {
                "tests/note.txt": "Subject: About {{ what }}\n\nIt was {{ what }}.\n",
                "tests/code.txt": "Subject: Your code\n\nThe code is {{ code }}, for {{ what }}.\n",
                "tests/bare.txt": "No subject here.\n",
            },
        ),
        "django.template.loaders.filesystem.Loader",
        "django.template.loaders.app_directories.Loader",
    ]
    options = {**engine["OPTIONS"], "loaders": loaders}
    settings.TEMPLATES = [{**engine, "APP_DIRS": False, "OPTIONS": options}]


@pytest.fixture
def smtp(settings: Any) -> Iterator[MailServer]:
    """A mail server, and settings that lead there."""
    with mail_server() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", server.port, False
        settings.DEFAULT_FROM_EMAIL = "agentops <no-reply@agentops.example>"
        yield server


@pytest.fixture
def hook(settings: Any) -> Iterator[WebServer]:
    """A web server that webhooks may reach without TLS."""
    with web_server() as server:
        settings.WEBHOOK_ALLOWED_HOSTS = [f"127.0.0.1:{server.port}"]
        yield server
