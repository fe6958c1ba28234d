"""PostgreSQL and Valkey of one pytest session, started by the product's own runner and found by the environment."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg

from agentops.portal.engines import embedded
from audit import keys

DATABASE = "AGENTOPS_TEST_DATABASE"  # which database tests.settings points at, where it is not the runner's own
_DATA_DIR, _SUPERUSER = "AGENTOPS_DATA_DIR", "AGENTOPS_TEST_SUPERUSER"
_MANAGED = ("DATABASE_URL", "DATABASE_OWNER_URL", "VALKEY_URL", "AGENTOPS_AUDIT_KEY_DIR", "AGENTOPS_AUDIT_ORIGIN")


def ensure() -> None:
    """Start the engines, unless the process that started us did, and leave their addresses in the environment.

    Not durable: the tests that kill processes start engines of their own. What the shell says about a real
    installation is put aside, so that no test can find it.
    """
    if _SUPERUSER in os.environ:
        return
    for variable in _MANAGED:
        os.environ.pop(variable, None)
    directory = Path(tempfile.mkdtemp(prefix="agentops-tests-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    running = embedded.start(directory, durable=False)
    atexit.register(running.stop)
    with psycopg.connect(**running.superuser, autocommit=True) as connection:
        connection.execute("ALTER ROLE agentops_owner CREATEDB")
    connection.close()
    keys.ensure(name="tests.example/audit", at=datetime.now(UTC), where=directory / "secrets" / "audit")
    os.environ[_DATA_DIR] = str(directory)
    os.environ[_SUPERUSER] = json.dumps(running.superuser)


def superuser() -> dict[str, Any]:
    """psycopg's parameters of the superuser, for what no role of the product may do: clean up, drop, lay open."""
    return dict(json.loads(os.environ[_SUPERUSER]))


def environment(database: str) -> dict[str, str]:
    """The environment of a subprocess (a server, a command) that works in this test database."""
    return {**os.environ, DATABASE: database}
