"""The product as a real server process, on the test database."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import engines

START_SECONDS = 90


@dataclass
class Portal:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def serving(database: str, directory: Path) -> Iterator[Portal]:
    """gunicorn with threads, as `up` runs it, on a free port; stopped at the end."""
    port = _free_port()
    log = directory / "portal.log"
    command = [
        *(sys.executable, "-m", "gunicorn", "agentops.wsgi", "--bind", f"127.0.0.1:{port}"),
        *("--worker-class", "gthread", "--threads", "4", "--worker-tmp-dir", str(directory), "--no-control-socket"),
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=engines.environment(database), stdout=output, stderr=output)
        portal = Portal(f"http://localhost:{port}", process, log)  # localhost: passkeys need a name
        try:
            _wait(portal)
            yield portal
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(portal: Portal) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and portal.process.poll() is None:
        try:
            with urllib.request.urlopen(f"{portal.url}/readyz", timeout=2):
                return
        except urllib.error.HTTPError as answer:  # not ready yet; an answer, so it holds a connection
            answer.close()
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the portal did not start:\n{portal.log_text()[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
