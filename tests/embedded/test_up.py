"""`manage.py up` as its operator sees it: lines, exit codes, and what is left behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from agentops.portal.engines import processes
from tests.embedded.conftest import REPOSITORY, left_in

pytestmark = pytest.mark.fault

# `up`, with a request to stop in the middle of its start, at an instant chosen by {moment}.
STOPPED_INSIDE = """
import os, signal, sys, threading, weakref
from django.db import connections
from agentops.portal.management.commands import up
import manage

def ask():
    os.kill(os.getpid(), signal.SIGTERM)

def look_for_migrations():
    {moment}
    return go_on()

class Thing:
    pass

go_on, up._migrations = up._migrations, look_for_migrations
sys.argv[0] = "manage.py"
manage.main()
"""
MOMENTS = {
    "a finalizer": "weakref.finalize(Thing(), ask)",  # what is raised in one is printed and dropped
    "a long query": "threading.Timer(0.5, ask).start(); connections['owner'].cursor().execute('SELECT pg_sleep(60)')",
}
SESSION_VARIABLES = ("AGENTOPS_", "DATABASE_", "VALKEY_URL", "DJANGO_SETTINGS_MODULE")


class Up:
    """One `manage.py up` in its own process."""

    def __init__(self, data: Path, port: int, *, program: Sequence[str] = ("manage.py",)) -> None:
        self.port = port
        self.output = data.parent / f"up-{port}.out"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(SESSION_VARIABLES)}
        environment |= {"AGENTOPS_WEB_WORKERS": "1", "AGENTOPS_WORKER_CONCURRENCY": "1"}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *program, "up", "--port", str(port), "--data-dir", str(data)],
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=output,
            )

    def said(self) -> str:
        return self.output.read_text()

    def await_line(self, pattern: str, seconds: float = 30) -> None:
        found = processes.wait_until(
            lambda: re.search(pattern, self.said(), re.M) is not None or self.process.poll() is not None, seconds
        )
        assert found, self.said()
        assert re.search(pattern, self.said(), re.M), self.said()

    def child(self, words: str) -> int:
        """The pid of the direct child whose command line holds these words."""
        for pid in processes.children(of=self.process.pid):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            if words in command:
                return pid
        raise AssertionError(f"no child runs {words!r}")

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://localhost:{self.port}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def stop(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.await_end(30)

    def await_end(self, seconds: float) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()  # or it would trouble the tests that follow
            self.process.wait()
            raise AssertionError(f"`up` still ran after {seconds:g} s. It said:\n{self.said()}") from None


@pytest.fixture
def up(data: Path) -> Iterator[Callable[[], Up]]:
    started: list[Up] = []

    def start() -> Up:
        started.append(Up(data, _free_port()))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.stop(signal.SIGTERM)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_up_serves_survives_kills_and_stops_without_a_trace(data: Path, up: Callable[[], Up]) -> None:
    first = up()
    first.await_line(rf"^ready http://localhost:{first.port}$")
    assert first.is_ready()
    assert (data / "secrets" / "secret_key").stat().st_mode & 0o777 == 0o600
    [signing_key] = (data / "secrets" / "audit").glob("*.pem")
    assert signing_key.stat().st_mode & 0o777 == 0o600

    second = up()
    assert second.await_end(20) == 1
    assert f"in use by another `up` (process {first.process.pid})" in second.said()

    assert [*(data / "secrets" / "audit").glob("*.pem")] == [signing_key], "a second start makes no second key"

    for words, line in (("gunicorn", "^web was ended by SIGKILL"), ("bin/postgres", "^PostgreSQL answers again")):
        os.kill(first.child(words), signal.SIGKILL)
        first.await_line(line)
        assert processes.wait_until(first.is_ready, 15), first.said()

    descendants = processes.children(of=first.process.pid)
    assert first.stop(signal.SIGINT) == 0, first.said()
    assert first.said().splitlines()[-1] == "stopped"
    assert not [pid for pid in descendants if processes.is_running(pid)]
    assert left_in(data) == []


def test_up_killed_takes_everything_with_it(data: Path, up: Callable[[], Up]) -> None:
    first = up()
    first.await_line("^ready ")
    children = processes.children(of=first.process.pid)
    assert len(children) >= 6
    first.stop(signal.SIGKILL)
    assert processes.wait_until(lambda: not any(processes.is_running(pid) for pid in children), 10)
    assert left_in(data) == []


def test_a_taken_port_is_told_before_anything_starts(data: Path, up: Callable[[], Up]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        refused = Up(data, taken.getsockname()[1])
        assert refused.await_end(20) == 1
    assert re.search(r"cannot be listened on \(.*Address already in use\)\. Choose another --port\.", refused.said())


def test_up_stopped_while_it_starts_leaves_nothing(data: Path, up: Callable[[], Up]) -> None:
    first = up()
    assert processes.wait_until(lambda: bool(left_in(data)), 20), first.said()
    time.sleep(0.2)
    assert first.stop(signal.SIGTERM) == 0, first.said()
    assert left_in(data) == []


@pytest.mark.parametrize("inside", MOMENTS)
def test_a_request_to_stop_is_heeded_wherever_it_arrives(data: Path, inside: str) -> None:
    asked = Up(data, _free_port(), program=("-c", STOPPED_INSIDE.format(moment=MOMENTS[inside])))
    assert asked.await_end(20) == 0, asked.said()
    assert asked.said().splitlines() == ["stopping", "stopped"]
    assert left_in(data) == []


def test_an_impatient_second_request_changes_nothing(data: Path, up: Callable[[], Up]) -> None:
    first = up()
    assert processes.wait_until(lambda: bool(left_in(data)), 20), first.said()
    while first.process.poll() is None:  # until the very end of the interpreter, which has its own idea of signals
        first.process.send_signal(signal.SIGTERM)
        time.sleep(0.005)
    assert first.process.returncode == 0, first.said()
    assert left_in(data) == []
