"""What each database role may do on the embedded server: row-level security rests on it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg import errors

from agentops.portal.engines import embedded, roles
from agentops.portal.engines.errors import EngineError
from tests.embedded.conftest import open_directory


@pytest.fixture(scope="module")
def running() -> Iterator[embedded.Running]:
    with open_directory() as place, embedded.start(place / "data", durable=False) as started:
        with psycopg.connect(**started.owner) as connection:
            connection.execute("CREATE TABLE secrets (word text)")
            connection.execute("INSERT INTO secrets VALUES ('of a tenant')")
            connection.execute("GRANT SELECT ON secrets TO agentops_staff")
        yield started


@pytest.fixture
def app(running: embedded.Running) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(**running.database) as connection:
        yield connection


def test_the_application_is_bound_by_row_level_security(running: embedded.Running) -> None:
    roles.check_app_role(running.database)


@pytest.mark.parametrize(("who", "fault"), [("owner", "owns tables"), ("superuser", "is a superuser")])
def test_roles_above_row_level_security_are_refused(running: embedded.Running, who: str, fault: str) -> None:
    params = getattr(running, who) | {"dbname": "agentops"}
    with pytest.raises(EngineError, match=fault):
        roles.check_app_role(params)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE ROLE another",
        "ALTER TABLE secrets DISABLE ROW LEVEL SECURITY",
        "SELECT * FROM secrets",
        "SET ROLE agentops_owner",
        "SET ROLE postgres",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ],
)
def test_the_application_may_not(app: psycopg.Connection[tuple[object, ...]], statement: str) -> None:
    with pytest.raises((errors.InsufficientPrivilege, errors.WrongObjectType)):
        app.execute(statement)


def test_the_application_may_make_temporary_tables(app: psycopg.Connection[tuple[object, ...]]) -> None:
    app.execute("CREATE TEMP TABLE staging (id int) ON COMMIT DROP")


def test_staff_rights_are_there_only_after_set_local_role(app: psycopg.Connection[tuple[object, ...]]) -> None:
    app.execute("SET LOCAL ROLE agentops_staff")
    assert app.execute("SELECT word FROM secrets").fetchall() == [("of a tenant",)]
    with pytest.raises(errors.InsufficientPrivilege), app.transaction():
        app.execute("DELETE FROM secrets")
    app.commit()
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT word FROM secrets")


def test_the_staff_role_cannot_sign_in(running: embedded.Running) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(**running.database | {"user": "agentops_staff"})


def test_the_extensions_are_there(running: embedded.Running) -> None:
    with psycopg.connect(**running.owner) as connection:
        found = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
    assert set(roles.EXTENSIONS) <= found


def test_preparing_again_changes_nothing(running: embedded.Running) -> None:
    roles.prepare(running.superuser)


def test_a_client_that_is_killed_leaves_no_statement_with_its_locks(running: embedded.Running) -> None:
    code = (
        "import json, psycopg, sys\n"
        "connection = psycopg.connect(**json.loads(sys.argv[1]))\n"
        "connection.execute('SELECT pg_advisory_xact_lock(77)')\n"
        "connection.execute('SELECT pg_sleep(120)')\n"
    )
    client = subprocess.Popen([sys.executable, "-c", code, json.dumps(running.database)])
    with psycopg.connect(**running.database, autocommit=True) as other:
        try:
            _until(10, lambda: not _is_free(other))
        finally:
            client.kill()
            client.wait()
        _until(20, lambda: _is_free(other))


def _is_free(connection: psycopg.Connection[tuple[object, ...]]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_xact_lock(77)").fetchone()
    return row is not None and bool(row[0])


def _until(seconds: float, is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not after {seconds} s"
        time.sleep(0.1)
