"""A whole product of its own for the benches that kill it: `manage.py up` on a new, durable directory."""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from psycopg import sql

from agentops import env
from agentops.portal.engines import processes

TARGETS = ("web worker", "celery worker", "postgres", "postgres backend", "valkey")
PATIENCE_SECONDS = 60.0
_ENGINE_VARIABLES = ("DATABASE_URL", "DATABASE_OWNER_URL", "VALKEY_URL")


class FaultError(RuntimeError):
    """The product did not come up, or did not come back."""


def until(condition: Callable[[], bool], what: str) -> None:
    if not processes.wait_until(condition, PATIENCE_SECONDS):
        raise FaultError(f"waited {PATIENCE_SECONDS:.0f} s until {what}")


@dataclass
class Product:
    """A running `up`."""

    directory: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    tenant: uuid.UUID = field(default_factory=uuid.uuid4)
    key: str = ""

    def manage(self, *words: str, stdin: str = "") -> dict[str, Any]:
        """A command of the product on this directory; answers its JSON."""
        ended = subprocess.run(  # noqa: S603  our own command
            [sys.executable, "manage.py", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            cwd=settings.BASE_DIR,
            env=self.environment,
        )
        lines = ended.stdout.strip().splitlines()
        if not lines or not lines[-1].startswith("{"):
            raise FaultError(f"{' '.join(words)} ended with {ended.returncode}: {ended.stderr[-500:]}")
        return dict(json.loads(lines[-1]))

    @contextlib.contextmanager
    def connection(self) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection as the application's role, in the scope of the tenant."""
        run_dir = Path(json.loads((self.directory / env.STATE_FILE).read_text())["run_dir"])
        with psycopg.connect(**env.embedded_engines(self.directory, run_dir=run_dir).database) as link:
            link.execute(sql.SQL("SET app.tenant_id = {}").format(sql.Literal(str(self.tenant))))
            yield link

    def headers(self, content_type: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}

    def kill(self, target: str, dice: random.Random) -> bool:
        """`kill -9` of one process of a kind; False where none is running now."""
        found = [pid for pid in self.pids(target) if processes.is_running(pid)]
        if not found:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(dice.choice(found), signal.SIGKILL)
            return True
        return False

    def has(self, target: str) -> bool:
        """Is a process of a kind running?"""
        return bool(self.pids(target))

    def pids(self, target: str) -> list[int]:
        """The processes of a kind."""
        if target.startswith("postgres"):
            servers = {pid: _words(pid) for pid in processes.running_in(self.directory / "postgres", "postgres")}
            if target == "postgres":
                return [pid for pid, words in servers.items() if words[1:2] == ["-D"]]
            # Not the startup process: PostgreSQL 18.6 waits for ever for one that was killed while it recovered.
            return [pid for pid, words in servers.items() if words[0].startswith(f"postgres: {env.APP_ROLE}")]
        if target == "valkey":
            return processes.running_in(self.directory / "valkey", "valkey-server")
        programs = {pid: _words(pid) for pid in processes.children(self.process.pid)}
        if target == "celery worker":
            return [pid for pid, words in programs.items() if "celery" in words and "worker" in words]
        masters = [pid for pid, words in programs.items() if "gunicorn" in words]
        return [pid for master in masters for pid in processes.children(master)]


def _words(pid: int) -> list[str]:
    """The command line of a process; one empty word where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]


@contextlib.contextmanager
def whole_product() -> Iterator[Product]:
    """`manage.py up` on a new directory, with a tenant and its key; taken away at the end."""
    directory = Path(tempfile.mkdtemp(prefix="agentops-faults-"))
    directory.chmod(0o755)
    try:
        product = _start(directory)
        try:
            until(lambda: _is_ready(product), "the product is ready")
            made = product.manage(
                *("create_tenant", "faults", "--name", "Faults", "--plan", "pro", "--owner", "owner@faults.invalid"),
                *("--password-stdin", "--json"),
                stdin=secrets.token_urlsafe() + "\n",
            )
            product.tenant = uuid.UUID(made["tenant_id"])
            product.key = product.manage("create_api_key", "faults", "--scopes", "ingest,read,guard,admin", "--json")[
                "key"
            ]
            yield product
        except FaultError as error:
            raise FaultError(f"{error}\n{_last_words(directory)}") from error
        finally:
            processes.stop(product.process, [(signal.SIGTERM, 30.0)])
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _last_words(directory: Path) -> str:
    """The end of every log: the directory is about to go."""
    found = []
    for log in (directory / "up.log", *sorted((directory / "log").glob("*.log"))):
        lines = log.read_text(errors="replace").splitlines()[-15:]
        found.append("\n  ".join([f"{log.name}:", *lines]))
    return "\n".join(found)


def _start(directory: Path) -> Product:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if name not in _ENGINE_VARIABLES}
    environment |= {"AGENTOPS_DATA_DIR": str(directory), "DJANGO_SETTINGS_MODULE": "agentops.settings"}
    process = processes.spawn(
        [sys.executable, "manage.py", "up", "--port", str(port), "--data-dir", str(directory)],
        log=directory / "up.log",
        environment=environment,
        cwd=settings.BASE_DIR,
    )
    return Product(directory, port, environment, process)


def _is_ready(product: Product) -> bool:
    log = (product.directory / "up.log").read_text(errors="replace")
    if product.process.poll() is not None:
        raise FaultError(f"up has ended:\n{log[-2000:]}")
    return any(line.startswith("ready ") for line in log.splitlines())
