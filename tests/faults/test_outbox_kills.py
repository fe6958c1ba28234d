"""`kill -9` of the worker that sends, after its receiver has the message and before anybody has noted so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest

from agentops.common import clock
from agentops.outbox import tasks
from agentops.outbox.types import State
from tests import engines
from tests.outbox.conftest import Outbox
from tests.outbox.receivers import Request, web_server
from tests.world import World

pytestmark = pytest.mark.fault

_WORK = """
import django, sys, uuid
django.setup()
from agentops.outbox.delivering import deliver_one
deliver_one(tenant=uuid.UUID(sys.argv[1]), message=uuid.UUID(sys.argv[2]))
"""


def test_a_message_whose_worker_was_killed_while_it_was_sent_arrives_again_under_the_same_id(
    world: World, django_db_setup: str, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    outbox = Outbox(world.acme)
    with web_server() as hook:
        allowed = f"127.0.0.1:{hook.port}"
        settings.WEBHOOK_ALLOWED_HOSTS = [allowed]  # type: ignore[attr-defined]
        message = outbox.post(f"http://{allowed}/")
        worker = subprocess.Popen(
            [sys.executable, "-c", _WORK, str(world.acme.id), str(message)],
            env={
                **engines.environment(django_db_setup),
                "DJANGO_SETTINGS_MODULE": "tests.settings",
                "AGENTOPS_WEBHOOK_ALLOWED_HOSTS": allowed,
            },
        )
        hook.answers = _killing(worker)
        assert worker.wait(60) == -signal.SIGKILL
        assert len(hook.requests) == 1, "it had arrived"
        assert outbox.row(message).state == State.WAITING
        assert tasks.sweep() == 0, "somebody else may still be sending it"

        hook.answers = lambda _: (204, {})
        outbox.change(message, claimed_until=clock.now())  # two minutes later
        assert tasks.sweep() == 1
        first, second = hook.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert outbox.row(message).state == State.SENT
    assert [(one.number, one.is_sent) for one in outbox.attempts(message)] == [(1, None), (2, True)]


def _killing(worker: subprocess.Popen[bytes]) -> Callable[[Request], tuple[int, dict[str, str]]]:
    def answer(_: Request) -> tuple[int, dict[str, str]]:
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait(10)
        return 204, {}

    return answer
