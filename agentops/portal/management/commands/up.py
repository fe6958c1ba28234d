"""`manage.py up`: the whole product in one command, until Ctrl-C."""

from __future__ import annotations

import contextlib
import enum
import http.client
import os
import secrets
import socket
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connections
from django.db.backends.utils import CursorWrapper
from django.db.migrations.executor import MigrationExecutor

from agentops import env
from agentops.common import clock
from agentops.portal.engines import embedded, programs, roles, state, stop_request
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.state import Layout
from agentops.portal.engines.supervisor import Supervisor, rotate
from audit import keys
from audit.errors import KeyMissing

_MIGRATION_LOCK = 0x6167_6F70_736D_6967  # "agopsmig": two hosts of one database do not migrate at once
_READY_SECONDS = 120.0
_DEATHS_BEFORE_GIVING_UP = 3
_LOOK_SECONDS = 0.1
_ANSWER_SECONDS = 2.0  # of /readyz; a stop waits this long at most while the web loads
_CANCEL_SECONDS = 2.0


class Command(BaseCommand):
    help = "Start PostgreSQL and Valkey (unless their URLs are set), migrate, and run web, workers and beat."
    requires_system_checks = []  # they may ask a database that is not there yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
        parser.add_argument("--port", type=int, default=8000, help="port to listen on (default 8000)")
        parser.add_argument("--data-dir", type=Path, help="where everything is kept (AGENTOPS_DATA_DIR, else .data)")
        parser.add_argument("--demo", action="store_true", help="two tenants, people, agents and simulated traffic")

    def handle(self, *, host: str, port: int, data_dir: Path | None, demo: bool, **options: Any) -> None:
        stop_request.listen(_cancel_queries)
        try:
            self._run(host, port, (data_dir or env.data_dir()).absolute(), demo)
        except stop_request.StopRequested:
            return
        except EngineError as error:
            raise CommandError(str(error)) from error
        except OperationalError:
            if not stop_request.is_made():  # else its query was cancelled
                raise
        finally:
            stop_request.stop_listening()

    def _run(self, host: str, port: int, data_dir: Path, demo: bool) -> None:
        began = time.monotonic()
        _require_free(host, port)
        # Children, and whatever is imported late in this process, find the engines by this.
        os.environ["AGENTOPS_DATA_DIR"] = str(data_dir)
        layout = state.make_root(data_dir)
        for log in layout.log.glob("*.log"):
            rotate(log)
        settings.SECRET_KEY = _secret_key(layout)
        _ensure_audit_key(layout)
        with contextlib.ExitStack() as held:
            supervisor = self._supervisor(layout, held)
            for connection in connections.all():
                held.enter_context(connection.execute_wrapper(_heed_then_execute))
            try:
                base_url = f"http://localhost:{port}"
                os.environ.setdefault("AGENTOPS_PUBLIC_URL", base_url)  # what workers mail leads back here
                if demo:
                    _trust(f"127.0.0.1:{_stub_port(port)}")  # before workers inherit it
                    _trust(f"127.0.0.1:{programs.pager_port(base_url)}")
                self._start(supervisor, host, port, base_url if demo else None)
                self._await_ready(supervisor, host, port)
                self._say(f"ready {base_url}")
                self._say(f"started in {time.monotonic() - began:.1f} s; logs in {layout.log}; Ctrl-C stops")
                if demo:
                    supervisor.start(programs.judge_stub(_stub_port(port)))
                    supervisor.start(programs.demo_traffic(base_url))
                    supervisor.start(programs.demo_responders())
                while True:
                    stop_request.heed()
                    supervisor.look()
                    time.sleep(_LOOK_SECONDS)
            finally:
                self._say("stopping")
                connections.close_all()
                supervisor.stop()
                self._say("stopped")

    def _supervisor(self, layout: Layout, held: contextlib.ExitStack) -> Supervisor:
        """Start the engines, or take those of the environment; the stack lets go of them whatever happens next."""
        managed = env.find_engines()
        running = None
        if managed and managed.is_managed:
            held.callback(os.close, state.lock(layout))
            app = managed.database
        else:
            running = held.enter_context(embedded.start(layout.root))
            for note in running.notes:
                self._say(note)
            _use(running.engines)
            app = running.database
        roles.check_app_role(app)
        return Supervisor(log=layout.log, cwd=settings.BASE_DIR, engines=running, say=self._say)

    def _start(self, supervisor: Supervisor, host: str, port: int, demo_url: str | None) -> None:
        loading = [programs.web(host, port), programs.worker(), programs.judges(), programs.maintenance()]
        everything = [*loading, programs.beat()]
        with connections["owner"].cursor() as cursor:
            while not _take_migration_lock(cursor):
                time.sleep(_LOOK_SECONDS)
            # The programs need some seconds to load. What `migrate` still does where nothing is pending (grants, policies,
            # partitions) changes nothing that they would trip over. On an empty database there is nothing yet that could
            # be asked of them, and no worker has work before there is a beat; between two versions they wait.
            pending = _migrations()
            early = everything if pending is Pending.NONE else loading if pending is Pending.ALL else []
            for program in early:
                supervisor.start(program)
            call_command("migrate", database="owner", interactive=False, verbosity=0)
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_MIGRATION_LOCK])
        connections["owner"].close()
        if demo_url:
            stub = f"http://127.0.0.1:{_stub_port(port)}/v1"
            call_command("demo_world", base_url=demo_url, judge_stub=stub, stdout=self.stdout)
            connections.close_all()
        for program in everything:
            if program not in early:
                supervisor.start(program)

    def _await_ready(self, supervisor: Supervisor, host: str, port: int) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        answer = "nothing"
        while time.monotonic() < deadline:
            stop_request.heed()
            supervisor.look()
            for name, count in supervisor.deaths().items():
                if count >= _DEATHS_BEFORE_GIVING_UP:
                    raise EngineError(f"{name} does not start. The end of its log:\n{supervisor.last_words(name)}")
            status, answer = _ask_ready(host, port)
            if status == 200:
                return
            time.sleep(_LOOK_SECONDS)
        raise EngineError(f"The web is not ready after {_READY_SECONDS:.0f} s; /readyz answers: {answer}")

    def _say(self, line: str) -> None:
        with contextlib.suppress(OSError):  # the terminal or the pipe is gone: no reason not to stop in order
            self.stdout.write(line)
            self.stdout.flush()


def _stub_port(port: int) -> int:
    """Where the demo's judge answers."""
    return programs.beside(port, 1_000)


def _trust(host: str) -> None:
    """Let this installation ask a host of this machine, as AGENTOPS_WEBHOOK_ALLOWED_HOSTS does; for its children, too."""
    hosts = [*settings.WEBHOOK_ALLOWED_HOSTS, host]
    settings.WEBHOOK_ALLOWED_HOSTS = hosts
    os.environ["AGENTOPS_WEBHOOK_ALLOWED_HOSTS"] = ",".join(hosts)


def _use(engines: env.Engines) -> None:
    """Point this process, whose settings were read before the engines had an address, at them."""
    for alias, params in (("default", engines.database), ("owner", engines.owner)):
        address = {"HOST": params["host"], "PORT": str(params["port"]), "NAME": params["dbname"]}
        connections.settings[alias].update(address | {"USER": params["user"], "PASSWORD": params["password"]})


def _heed_then_execute(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Before each query, because `migrate` and `demo_world` have no round of ours to ask in."""
    stop_request.heed()
    return execute(sql, params, many, context)


def _cancel_queries() -> None:
    """End what is being executed, however long it would take. Called by the signal handler, so it raises nothing."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None:
            with contextlib.suppress(psycopg.Error, OSError):
                connection.connection.cancel_safe(timeout=_CANCEL_SECONDS)


def _take_migration_lock(cursor: CursorWrapper) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK])
    return bool(cursor.fetchone()[0])


class Pending(enum.Enum):
    NONE, SOME, ALL = range(3)


def _migrations() -> Pending:
    """Which migrations are to be applied: all of them on an empty database."""
    executor = MigrationExecutor(connections["owner"])
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return Pending.NONE
    return Pending.SOME if executor.loader.applied_migrations else Pending.ALL


def _secret_key(layout: Layout) -> str:
    """The key of the environment or of the data directory; made, for our user only, when there is none."""
    key = env.secret_key()
    if not key:
        key = secrets.token_urlsafe(50)
        descriptor = os.open(layout.secrets / "secret_key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(key + "\n")
    return key


def _ensure_audit_key(layout: Layout) -> None:
    """The key that signs the audit log's checkpoints; made, for our user only, when there is none."""
    where = Path(env.env_str("AGENTOPS_AUDIT_KEY_DIR") or layout.secrets / "audit")
    try:
        keys.ensure(name=f"{settings.AUDIT_ORIGIN}/audit", at=clock.now(), where=where)
    except (OSError, KeyMissing) as error:
        raise EngineError(f"The keys of the audit log in {where} cannot be used: {error}") from error


def _require_free(host: str, port: int) -> None:
    """Refuse at once, before anything is started, when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
    except (OSError, OverflowError) as error:
        raise EngineError(f"{host}:{port} cannot be listened on ({error}). Choose another --port.") from error


def _ask_ready(host: str, port: int) -> tuple[int, str]:
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    connection = http.client.HTTPConnection(address, port, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost", "Connection": "close"})
        response = connection.getresponse()
        return response.status, response.read(500).decode(errors="replace")
    except OSError as error:
        return 0, str(error)
    finally:
        connection.close()
