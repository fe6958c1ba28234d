"""The test database: a clone of a template that the owner migrated, and a quick broom.

Two aliases point at it, as in production: `default` is the application role, so row-level security holds in every
test, and `owner` migrates. Django's own way (`TEST: MIRROR`) would let a test run in the real database; its flush takes
0.2 s a test, as it truncates every partition, and leaves unmanaged tables full.
"""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections, transaction
from psycopg import sql

from agentops.common.partitions import make_ahead
from audit.partitions import ENTRY_PARTITIONS

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("agentops", "tenants", "audit", "evals", "incidents")
LOCK = 7_117_001
# What migrations write and tests read: everything else goes after each test.
KEPT = ("auth_permission", "django_content_type", "django_migrations")
# Where a test says the day, it is of about then: what it does has a place in the log in every year.
SPOKEN_OF = datetime.date(2026, 11, 15)
_SHAPING = ("migrations/*.py", "models/*.py", "models.py", "partitions.py", "types.py", "schema.py", "rowsecurity.py")
_LIBRARIES = ("Django", "django-allauth", "django-guardian", "psycopg")


def digest() -> str:
    """A name for everything that shapes an empty database: migrations, models, policies, libraries, and the day.

    The day because partitions are made some days ahead of it.
    """
    found = hashlib.sha256()
    for pattern in _SHAPING:
        for file in sorted(file for package in PACKAGES for file in (ROOT / package).glob(f"**/{pattern}")):
            found.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    for library in _LIBRARIES:
        found.update(f"{library} {importlib.metadata.version(library)}".encode())
    found.update(
        repr((settings.INSTALLED_APPS, sorted(settings.GLOBAL_TABLES), sorted(settings.READ_ONLY_TABLES))).encode()
    )
    found.update(datetime.datetime.now(datetime.UTC).date().isoformat().encode())
    return found.hexdigest()[:16]


@contextmanager
def test_database(superuser: dict[str, Any]) -> Iterator[str]:
    """Both aliases pointed at a fresh clone; dropped at the end, whoever is still connected (hence the superuser)."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    with _server() as server:
        template = _template(server)
        _execute(server, "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
    before = _point_at(name)
    try:
        yield name
    finally:
        _point_at(before)
        with psycopg.connect(**superuser, autocommit=True) as server:
            _execute(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)


def _template(server: psycopg.Connection[Any]) -> str:
    """The name of the migrated template, which the first worker to get here makes."""
    name, building = f"tpl_{digest()}", f"tpl_{digest()}_building"
    server.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    try:
        if server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            _execute(server, "DROP DATABASE IF EXISTS {} WITH (FORCE)", building)
            _execute(server, "CREATE DATABASE {}", building)
            before = _point_at(building)
            call_command("migrate", database="owner", verbosity=0)
            with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
                make_ahead(cursor, ENTRY_PARTITIONS, today=SPOKEN_OF)
            _point_at(before)
            _execute(server, "ALTER DATABASE {} RENAME TO {}", building, name)
    finally:
        server.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return name


def _point_at(name: str) -> str:
    """Point both aliases at a database, with every connection to the former one closed; answers the former name."""
    before = str(connections["default"].settings_dict["NAME"])
    for alias in ("default", "owner"):
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
    return before


def _server() -> psycopg.Connection[Any]:
    """The owner's own connection, to make and drop databases."""
    params = {**connections["owner"].get_connection_params(), "dbname": "postgres"}
    keep = {key: params[key] for key in ("host", "port", "user", "password", "dbname") if params.get(key)}
    return psycopg.connect(**keep, autocommit=True)


def _execute(server: psycopg.Connection[Any], statement: str, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class Broom:
    """Empties the test database, and puts a known state back, as superuser with triggers and foreign keys off.

    Only tables that have pages on disk are looked at (milliseconds for some hundred partitions).
    """

    def __init__(self, superuser: dict[str, Any], database: str) -> None:
        self._connection = psycopg.connect(**{**superuser, "dbname": database}, autocommit=True)
        self._connection.execute("SET session_replication_role = replica; SET lock_timeout = '10s'")

    def sweep(self) -> None:
        """Delete every row of every table, except KEPT."""
        self._connection.execute(_SWEEP)

    def snapshot(self) -> dict[str, bytes]:
        """Every row, by table, in PostgreSQL's binary form."""
        found = {}
        for (table,) in self._connection.execute(_FILLED).fetchall():
            with self._connection.cursor() as cursor:
                statement = sql.SQL("COPY {} TO STDOUT (FORMAT binary)").format(sql.Identifier(table))
                with cursor.copy(statement) as copy:
                    rows = b"".join(copy)
            found[table] = rows
        return found

    def restore(self, rows_by_table: dict[str, bytes]) -> None:
        """Put a snapshot's rows back into the swept database."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for table, rows in rows_by_table.items():
                statement = sql.SQL("COPY {} FROM STDIN (FORMAT binary)").format(sql.Identifier(table))
                with cursor.copy(statement) as copy:
                    copy.write(rows)

    def close(self) -> None:
        self._connection.close()


_KEPT_LIST = ", ".join(f"'{table}'" for table in KEPT)
_FILLED = (
    "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace "
    f"AND c.relname NOT IN ({_KEPT_LIST}) AND pg_relation_size(c.oid) > 0 ORDER BY 1"
)
_SWEEP = f"DO $$ DECLARE t name; BEGIN FOR t IN {_FILLED} LOOP EXECUTE format('DELETE FROM %I', t); END LOOP; END $$"
