"""kill -9 at the worst moments: the next start works at once and what was committed is there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import redis

from agentops.portal.engines import embedded, processes
from tests.embedded.conftest import keep_a_row, kept_row, one

pytestmark = pytest.mark.fault


def _keep_busy(running: embedded.Running) -> psycopg.Connection[object]:
    """A backend that computes for minutes, never looking whether its postmaster lives."""
    connection = psycopg.connect(**running.database)
    connection.pgconn.send_query(b"SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b")
    connection.pgconn.flush()
    assert processes.wait_until(
        lambda: (
            one(running, "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%series%'") > 1
        ),
        5,
    )
    return connection


def test_postmaster_killed_under_a_busy_backend(data: Path) -> None:
    with embedded.start(data) as running:
        keep_a_row(running)
        busy = _keep_busy(running)
        assert running.postgres.pid
        os.kill(running.postgres.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: not running.postgres.is_running(), 5)
        assert processes.running_in(running.postgres.data, "postgres"), "the busy backend should have survived"

        running.postgres.launch()
        running.postgres.wait_ready()
        assert kept_row(running) == "committed"
        busy.close()


def test_valkey_killed_keeps_what_it_acknowledged(data: Path) -> None:
    with embedded.start(data) as running:
        with redis.Redis.from_url(running.valkey_url) as valkey:
            valkey.rpush("queue", *range(100))
        assert running.valkey.pid
        os.kill(running.valkey.pid, signal.SIGKILL)
        assert processes.wait_until(lambda: not running.valkey.is_running(), 5)

        running.valkey.launch()
        running.valkey.wait_ready()
        with redis.Redis.from_url(running.valkey_url) as valkey:
            assert valkey.llen("queue") == 100


def test_starter_killed_then_a_new_start_works(data: Path, starter: Callable[..., subprocess.Popen[str]]) -> None:
    first = starter(data)
    first.kill()
    with embedded.start(data) as running:
        assert one(running, "SELECT 1") == 1


def test_engines_end_with_the_process_that_started_them(
    data: Path, starter: Callable[..., subprocess.Popen[str]]
) -> None:
    starter(data).kill()  # the fixture looks whether anything is left


def test_the_pid_file_of_a_stranger_does_not_stop_a_start(data: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        pid_file = data / "postgres" / "postmaster.pid"
        pid_file.write_text(f"{stranger.pid}\n{data}/postgres\n1\n5432\n{data}/run\n\n     1     1\nready   \n")
        with embedded.start(data, durable=False) as running:
            assert one(running, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


def test_an_interrupted_initdb_is_done_again(place: Path) -> None:
    half_done = place / "data" / "postgres.new"
    half_done.mkdir(parents=True)
    (half_done / "PG_VERSION").write_text("18\n")
    with embedded.start(place / "data", durable=False) as running:
        assert one(running, "SELECT 1") == 1
    assert not half_done.exists()
