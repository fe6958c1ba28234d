"""A fresh place for a data directory, and helpers that speak to engines from outside."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from agentops.portal.engines import embedded, processes

REPOSITORY = Path(__file__).resolve().parents[2]

STARTER = """
import sys, time
from pathlib import Path
from agentops.portal.engines import embedded
running = embedded.start(Path(sys.argv[1]), durable=False)
print("started", flush=True)
time.sleep(600)
"""


def _base() -> str | None:
    """Memory where there is plenty of it, for speed: kill -9 spares the page cache, so it proves the same there."""
    memory = Path("/dev/shm")  # noqa: S108
    is_roomy = memory.is_dir() and shutil.disk_usage(memory).free > 2 * 2**30
    return str(memory) if is_roomy and not os.statvfs(memory).f_flag & os.ST_NOEXEC else None


@contextmanager
def open_directory() -> Iterator[Path]:
    """An empty directory that every user may pass, with a short path (pytest's own is closed and long)."""
    directory = Path(tempfile.mkdtemp(prefix="agops-", dir=_base()))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


@pytest.fixture(scope="session")
def _made_once() -> Iterator[Path]:
    """A data directory that has been used and stopped; `initdb` is the slow part of most tests."""
    with open_directory() as directory:
        embedded.start(directory / "data", durable=False).stop()
        (directory / "data" / "state.json").unlink()
        yield directory / "data"


@pytest.fixture
def data(place: Path, _made_once: Path) -> Path:
    """A data directory of this test alone, used before and stopped."""
    subprocess.run(["cp", "-a", _made_once, place / "data"], check=True)
    return place / "data"


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the session's engines, or any that the developer has set."""
    for name in [name for name in os.environ if name.startswith(("AGENTOPS_", "DATABASE_")) or name == "VALKEY_URL"]:
        monkeypatch.delenv(name)


@pytest.fixture
def starter(place: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start engines from another process, which is then at the test's mercy."""
    started: list[subprocess.Popen[str]] = []

    def start(data_dir: Path, *, python: str = sys.executable, **options: Any) -> subprocess.Popen[str]:
        # Another interpreter than ours has other packages, so ours are named.
        path = os.pathsep.join([str(REPOSITORY), str(Path(psycopg.__file__).parents[1])])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        process = subprocess.Popen(
            [python, "-c", STARTER, str(data_dir)],
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env=environment,
            **options,
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "started"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    data = place / "data"
    assert processes.wait_until(lambda: not left_in(data), 10), "engines outlived the process that started them"


def left_in(data_dir: Path) -> list[int]:
    """Server processes that still work in a data directory."""
    return [
        *processes.running_in(data_dir / "postgres", "postgres"),
        *processes.running_in(data_dir / "valkey", "valkey-server"),
    ]


def one(running: embedded.Running, query: str) -> Any:
    """The first column of the first row, as the superuser."""
    with psycopg.connect(**running.superuser) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def keep_a_row(running: embedded.Running) -> None:
    """Commit a row as the owner, to be looked for after whatever comes."""
    with psycopg.connect(**running.owner) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('committed')")


def kept_row(running: embedded.Running) -> str:
    with psycopg.connect(**running.owner) as connection:
        row = connection.execute("SELECT word FROM kept").fetchone()
    assert row is not None
    return str(row[0])
