"""The doorbell never hurts its caller; one of several beats leads, whatever is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from celery import Celery

from agentops.common import queues
from agentops.common.beat import LeaderScheduler, Leadership
from agentops.portal.engines import embedded, processes

pytestmark = pytest.mark.fault


@pytest.fixture
def running(data: Path) -> Iterator[embedded.Running]:
    with embedded.start(data, durable=False) as started:
        yield started


@pytest.fixture
def app(running: embedded.Running) -> Iterator[Celery]:
    """An app of our own, configured like the product's, on this test's broker."""
    from agentops.celery import app as product

    made = Celery("test", set_as_current=False)
    settings = ("broker_transport_options", "task_publish_retry", "task_routes", "task_ignore_result")
    made.conf.update({name: getattr(product.conf, name) for name in settings})
    made.conf.update(broker_url=running.broker_url, beat_leader_database=running.database, timezone="UTC")

    @made.task(name="work", shared=False, goes_to=queues.Queue.INGEST.value)
    def work(**ids: Any) -> None: ...

    yield made
    made.close()


@pytest.fixture(autouse=True)
def _closed_breaker() -> Iterator[None]:
    queues.breaker.reset()
    yield
    queues.breaker.reset()


def _waiting(running: embedded.Running, queue: queues.Queue) -> int:
    with redis.Redis.from_url(running.valkey_url.replace("db=0", "db=1")) as valkey:
        return int(valkey.llen(queue.value))


def test_a_ring_puts_a_message_into_the_queue_of_the_task(running: embedded.Running, app: Celery) -> None:
    assert queues.ring(app.tasks["work"], run_id="1")
    assert _waiting(running, queues.Queue.INGEST) == 1


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_ring_at_a_dead_or_hung_broker_is_quick_and_silent_and_heals(
    running: embedded.Running, app: Celery, how: signal.Signals
) -> None:
    assert queues.ring(app.tasks["work"], run_id="1")
    assert running.valkey.pid
    os.kill(running.valkey.pid, how)
    for _ in range(2):  # the connection of before is broken; then a new one cannot be had
        queues.breaker.reset()
        began = time.monotonic()
        assert not queues.ring(app.tasks["work"], run_id="2")
        assert time.monotonic() - began < 1.5
    began = time.monotonic()
    assert not any(queues.ring(app.tasks["work"], run_id=str(number)) for number in range(50))
    assert time.monotonic() - began < 0.05, "the breaker spares the callers that follow"

    if how is signal.SIGSTOP:
        os.kill(running.valkey.pid, signal.SIGCONT)
    else:
        assert processes.wait_until(lambda: not running.valkey.is_running(), 5)
        running.valkey.launch()
        running.valkey.wait_ready()
    queues.breaker.reset()
    assert queues.ring(app.tasks["work"], run_id="3")


def test_one_leads_and_another_follows_at_once_when_its_connection_is_gone(running: embedded.Running) -> None:
    first, second = Leadership(running.database), Leadership(running.database)
    assert first.is_held()
    assert not second.is_held()
    with psycopg.connect(**running.superuser) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted")
    assert processes.wait_until(second.is_held, 2)
    assert not first.is_held()
    second.release()
    assert processes.wait_until(first.is_held, 2)
    first.release()


def test_a_beat_sends_what_is_due_only_while_it_leads(running: embedded.Running, app: Celery) -> None:
    app.conf.beat_schedule = {"work": {"task": "work", "schedule": 60.0}}
    with closing(LeaderScheduler(app)) as follower:
        with closing(LeaderScheduler(app)) as leader:
            assert leader.tick() <= 1.0
            assert follower.tick() == 1.0
            assert _waiting(running, queues.Queue.INGEST) == 1, "a new leader runs every interval at once"
        assert processes.wait_until(lambda: follower.tick() < 1.0, 2)
        assert _waiting(running, queues.Queue.INGEST) == 2


def test_a_message_that_nobody_takes_expires_after_its_period(running: embedded.Running, app: Celery) -> None:
    app.conf.beat_schedule = {"work": {"task": "work", "schedule": 60.0}}
    scheduler = LeaderScheduler(app)  # which connects only when it ticks
    assert scheduler.schedule["work"].options["expires"] == 60.0


def test_a_schedule_that_names_no_task_stops_beat(running: embedded.Running, app: Celery) -> None:
    app.conf.beat_schedule = {"typo": {"task": "wrok", "schedule": 60.0}}
    with pytest.raises(LookupError, match="'wrok'"):
        LeaderScheduler(app)


def test_beat_pauses_while_postgresql_is_away_and_goes_on_after(running: embedded.Running, app: Celery) -> None:
    app.conf.beat_schedule = {"work": {"task": "work", "schedule": 60.0}}
    with closing(LeaderScheduler(app)) as scheduler:
        running.postgres.stop()
        assert scheduler.tick() == 1.0
        running.postgres.launch()
        running.postgres.wait_ready()
        scheduler.tick()
        assert _waiting(running, queues.Queue.INGEST) == 1
