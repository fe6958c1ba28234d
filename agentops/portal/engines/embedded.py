"""The door: `start(data_dir)` gives a running PostgreSQL and Valkey, `stop()` or the end of `with` takes them away.

    with embedded.start(tmp_path, durable=False) as running:
        psycopg.connect(**running.database)   # as agentops_app
        redis.Redis.from_url(running.valkey_url)

Works as root and as an ordinary user, several at once in different directories. Opens no TCP port.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from agentops import env
from agentops.portal.engines import access, roles, state
from agentops.portal.engines.errors import EngineError
from agentops.portal.engines.postgres import SUPERUSER, Postgres
from agentops.portal.engines.processes import Account
from agentops.portal.engines.state import Layout, State
from agentops.portal.engines.valkey import Valkey


@dataclass(kw_only=True)
class Running:
    """Both engines, running. The three sets of parameters go to ``psycopg.connect``."""

    layout: Layout
    engines: env.Engines
    superuser: dict[str, Any]
    postgres: Postgres
    valkey: Valkey
    notes: list[str]  # what the operator should know was done, e.g. entries on closed directories
    _lock: int

    @property
    def database(self) -> dict[str, Any]:
        """As the application's role."""
        return self.engines.database

    @property
    def owner(self) -> dict[str, Any]:
        """As the role that owns the tables."""
        return self.engines.owner

    @property
    def valkey_url(self) -> str:
        return self.engines.valkey_url

    @property
    def broker_url(self) -> str:
        return self.engines.broker_url

    def stop(self) -> None:
        """Stop Valkey, then PostgreSQL, and let go of the directory. Harmless when repeated."""
        self.valkey.stop()
        self.postgres.stop()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


def start(data_dir: Path, *, durable: bool = True) -> Running:
    """Start both engines on `data_dir`, which is made if missing, and return when both answer.

    `durable=False` (tests) trades safety at a crash of the machine for speed. Raises EngineError with a sentence for
    the operator. Call it from the main thread: the engines end with the thread that started them.
    """
    account = access.engine_account()
    own_user = access.own_user_name()
    layout = state.make_root(data_dir)
    lock = state.lock(layout)
    try:
        return _start_locked(layout, lock, account=account, own_user=own_user, durable=durable)
    except BaseException:
        os.close(lock)
        raise


def _start_locked(layout: Layout, lock: int, *, account: Account | None, own_user: str, durable: bool) -> Running:
    opened = access.open_way(account, layout.root) if account else []
    run_dir = state.run_dir(layout, owner=account.uid if account else os.geteuid())
    if account and not access.can_reach(account, run_dir):
        raise EngineError(f"{run_dir} cannot be reached by the user {account.name!r}; set TMPDIR to a place that can.")
    earlier = state.read(layout)
    known = {*(earlier.opened_directories if earlier else []), *opened}
    State(run_dir=str(run_dir), opened_directories=sorted(known)).write(layout)

    postgres = Postgres(layout, run_dir, account=account, own_user=own_user, durable=durable)
    valkey = Valkey(layout, run_dir, account=account, durable=durable)
    running = Running(
        layout=layout,
        engines=env.embedded_engines(layout.root, run_dir=run_dir),
        superuser=postgres.params(SUPERUSER, SUPERUSER),
        postgres=postgres,
        valkey=valkey,
        notes=[f"gave the user {account.name!r} an access entry to pass {place}" for place in opened if account],
        _lock=-1,
    )
    try:
        valkey.launch()
        postgres.launch()
        postgres.wait_ready()
        roles.prepare(running.superuser)
        valkey.wait_ready()
    except BaseException:
        running.stop()
        raise
    running._lock = lock
    return running
