"""Statements that run hundreds of times a second: planned once per connection, sent together, with little Python around.

Django binds parameters into the text, so PostgreSQL parses and plans every statement anew; for the guard's that took as
long as all of its Python. Here parameters travel apart and a statement is prepared. psycopg's cursors prepare, too, but
in a pipeline they ask the socket a dozen times a decision: half of what is left. So this speaks to psycopg's own layer
below them (psycopg.pq, psycopg.adapt), with the adaptation of values that Django has set up on the connection.

PgBouncer before 1.21 cannot pool prepared statements by transaction: `AGENTOPS_PREPARED_STATEMENTS=0` then plans each
time again.
"""

from __future__ import annotations

import functools
import re
import select
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple

import psycopg
from django.conf import settings
from django.db import connection
from psycopg import pq
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.numeric import Int8Dumper

Params = Mapping[str, Any] | Sequence[Any]
Rows = list[tuple[Any, ...]]

_PLACE = re.compile(r"%(?:\((\w+)\)s|s|%)")
_FINE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.PIPELINE_SYNC)


@dataclass(frozen=True, slots=True)
class Statement:
    """A text with the places of Django's cursors (`%(name)s`, or `%s` throughout), and what stands in them."""

    text: str
    params: Params = ()


def run(text: str, params: Params) -> Rows:
    """Execute inside the open transaction; answers the rows, if there are any. Raises what Django's cursors raise.

    Inside `collected` it is only noted down, and answers nothing.
    """
    waiting = _collected.get()
    if waiting is not None:
        waiting.append(Statement(text, params))
        return []
    with connection.wrap_database_errors:
        return _link().run(Statement(text, params))


def run_all(statements: Sequence[Statement]) -> list[Rows]:
    """Execute in one round trip, each with a snapshot of its own, in their order; those behind a failure are not."""
    with connection.wrap_database_errors:
        return _link().run_all(statements)


@contextmanager
def collected() -> Iterator[list[Statement]]:
    """What `run` is asked for inside the block, for sending it later, together."""
    waiting: list[Statement] = []
    token = _collected.set(waiting)
    try:
        yield waiting
    finally:
        _collected.reset(token)


_collected: ContextVar[list[Statement] | None] = ContextVar("agentops_collected", default=None)


class _Bound(NamedTuple):
    """A statement as it travels: its text with PostgreSQL's own places, its values, and the name it was prepared under."""

    text: bytes
    params: Sequence[Any] | None = None
    types: tuple[int, ...] | None = None
    formats: Sequence[pq.Format] | None = None
    name: bytes = b""


class _Link:
    """One connection: what was prepared on it, and how its values are adapted."""

    def __init__(self, connected: psycopg.Connection[Any]) -> None:
        self._pgconn = connected.pgconn
        self.connection = weakref.proxy(connected)  # psycopg.abc.AdaptContext, as `adapters` is
        self.adapters = AdaptersMap(connected.adapters)
        # Integers by their size would be other types from call to call, and so other statements.
        self.adapters.register_dumper(int, Int8Dumper)
        # Django's loader of times is Python, and took a fifteenth of a decision. psycopg takes its compiled one here; the
        # session's time zone is UTC, so both give the same.
        self.adapters.register_loader("timestamptz", TimestamptzLoader)
        self._values = Transformer(self)  # kept: which type is written how is found out once
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._readable = select.poll()
        self._readable.register(connected.fileno(), select.POLLIN)

    def run(self, statement: Statement) -> Rows:
        bound = self._bound(statement)
        if bound.name:
            return self._rows(self._pgconn.exec_prepared(bound.name, bound.params, bound.formats))
        return self._rows(self._pgconn.exec_params(bound.text, bound.params, bound.types, bound.formats))

    def run_all(self, statements: Sequence[Statement]) -> list[Rows]:
        ready = [self._bound(each) for each in statements]
        self._pgconn.enter_pipeline_mode()
        try:
            for bound in ready:
                if bound.name:
                    self._pgconn.send_query_prepared(bound.name, bound.params, bound.formats)
                else:
                    self._pgconn.send_query_params(bound.text, bound.params, bound.types, bound.formats)
            self._pgconn.pipeline_sync()
            results = [self._next() for _ in ready]
            self._next(is_sync=True)
        finally:
            if self._pgconn.status == pq.ConnStatus.OK:
                self._pgconn.exit_pipeline_mode()
        return [self._rows(result) for result in results]

    def _bound(self, statement: Statement) -> _Bound:
        """A statement with its values; prepared, where it has any. What has none (BEGIN, SET LOCAL) is not worth a name."""
        text, names = _numbered(statement.text)
        params = statement.params
        if not params:
            return _Bound(text)
        ordered = [params[name] for name in names] if isinstance(params, Mapping) else params
        dumped = self._values.dump_sequence(ordered, [PyFormat.AUTO] * len(ordered))
        types, formats = self._values.types, self._values.formats
        name = self._name(statement.text, text, types) if settings.PREPARED_STATEMENTS else b""
        return _Bound(text, dumped, types, formats, name)

    def _name(self, key: str, text: bytes, types: tuple[int, ...] | None) -> bytes:
        """The statement as it is called on this connection; it is prepared where it is new."""
        found = self._names.get((key, types or ()))
        if found is None:
            found = b"agentops_%d" % len(self._names)
            self._check(self._pgconn.prepare(found, text, types))
            self._names[key, types or ()] = found
        return found

    def _next(self, *, is_sync: bool = False) -> pq.abc.PGresult:
        """The next result of a pipeline. Waits outside of Python's lock, which get_result would keep."""
        self._pgconn.flush()
        while self._pgconn.is_busy():
            self._readable.poll()
            self._pgconn.consume_input()
        result = self._pgconn.get_result()
        if result is None:
            raise psycopg.OperationalError(self._pgconn.get_error_message())
        if not is_sync:
            while self._pgconn.is_busy():
                self._readable.poll()
                self._pgconn.consume_input()
            self._pgconn.get_result()  # None: the end of this statement's results
        return result

    def _rows(self, result: pq.abc.PGresult) -> Rows:
        self._check(result)
        if not result.nfields:
            return []
        self._values.set_pgresult(result)
        return self._values.load_rows(0, result.ntuples, tuple)

    def _check(self, result: pq.abc.PGresult) -> None:
        if result.status in _FINE:
            return
        if self._pgconn.status != pq.ConnStatus.OK:
            raise psycopg.OperationalError(self._pgconn.get_error_message())
        raise psycopg.errors.error_from_result(result)


_links: weakref.WeakKeyDictionary[psycopg.Connection[Any], _Link] = weakref.WeakKeyDictionary()


def _link() -> _Link:
    connected = connection.connection
    found = _links.get(connected)
    if found is None:
        found = _links[connected] = _Link(connected)
    return found


@functools.lru_cache(maxsize=500)
def _numbered(text: str) -> tuple[bytes, tuple[str, ...]]:
    """A text with PostgreSQL's own places ($1, $2), and the names in their order; a name twice is one place."""
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        name = found[1] or f"#{len(names)}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PLACE.sub(place, text).encode(), tuple(names)
