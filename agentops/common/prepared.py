"""Statements that run hundreds of times a second: planned once per connection, not once per call.

Django binds parameters into the text, so PostgreSQL parses and plans every statement anew; for the guard's that took as
long as all of its Python. Here parameters travel apart and the statement is prepared. PgBouncer before 1.21 cannot pool
prepared statements by transaction: `AGENTOPS_PREPARED_STATEMENTS=0` then plans each time again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection
from psycopg.types.numeric import Int8Dumper


def run(statement: str, params: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    """Execute inside the open transaction; answers the rows, if it has any. Raises what Django's cursors raise."""
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        _send(cursor, statement, params)
        result = cursor.pgresult  # none yet inside `together`
        return cursor.fetchall() if result is not None and result.nfields else []


def run_all(statements: Sequence[str], params: Mapping[str, Any]) -> list[list[tuple[Any, ...]]]:
    """Execute statements that answer rows in one round trip, each with a snapshot of its own, in their order."""
    with connection.wrap_database_errors, connection.connection.pipeline(), ExitStack() as open_cursors:
        cursors = [open_cursors.enter_context(psycopg.Cursor(connection.connection)) for _ in statements]
        for cursor, statement in zip(cursors, statements, strict=True):
            _send(cursor, statement, params)
        return [cursor.fetchall() for cursor in cursors]


def _send(cursor: psycopg.Cursor[Any], statement: str, params: Mapping[str, Any] | Sequence[Any]) -> None:
    # Integers by their size would be other types from call to call, and so other statements.
    cursor.adapters.register_dumper(int, Int8Dumper)
    cursor.execute(statement.encode(), params, prepare=settings.PREPARED_STATEMENTS)


@contextmanager
def together() -> Iterator[None]:
    """Send the statements of a block in one round trip. They answer no rows, and what fails is raised at its end."""
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield
