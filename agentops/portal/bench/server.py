"""The product's own web processes, started for a bench on the engines at hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agentops import env

WORKERS = env.env_int("AGENTOPS_WEB_WORKERS", 2, at_least=1)  # as `up` starts them
THREADS = env.env_int("AGENTOPS_WEB_THREADS", 4, at_least=1)


@dataclass(frozen=True)
class Web:
    """A running gunicorn: where it answers, and its processes."""

    port: int
    master: int

    def worker_pids(self) -> list[int]:
        with open(f"/proc/{self.master}/task/{self.master}/children") as children:  # noqa: PTH123
            return [int(pid) for pid in children.read().split()]

    def get_json(self, path: str, key: str) -> object:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers={"Authorization": f"Bearer {key}"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  our own server on loopback
            return json.load(answer)


@contextmanager
def web(
    *, workers: int = WORKERS, threads: int = THREADS, application: str = "agentops.wsgi:application"
) -> Iterator[Web]:
    """gunicorn on a free port until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [
        *(sys.executable, "-m", "gunicorn", application, "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--workers", str(workers), "--threads", str(threads)),
        *("--keep-alive", "75", "--preload", "--no-control-socket", "--log-level", "warning"),
    ]
    process = subprocess.Popen(command, env={**os.environ, "AGENTOPS_LOG_LEVEL": "ERROR"})  # noqa: S603  our own words
    try:
        _wait(port, process)
        yield Web(port=port, master=process.pid)
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: subprocess.Popen[bytes], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError("the web processes did not start; run manage.py check")
