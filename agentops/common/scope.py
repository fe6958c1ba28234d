"""The one place that opens a database scope: a tenant's, a person's before a tenant is known, or staff's.

Row-level security reads `app.tenant_id` and `app.user_id`; both are set by `SET LOCAL` with a literal (the form that
Citus propagates), inside the durable transaction that the scope opens, and end with it. Outside a transaction
`SET LOCAL` does nothing and says nothing, hence the single function that sets and its assertion.
"""

from __future__ import annotations

import select
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, cast

import psycopg
from django.db import connection, transaction
from psycopg import pq

from agentops.common import prepared
from agentops.common.prepared import Statement

STAFF_ROLE = "agentops_staff"


class ScopeError(RuntimeError):
    """A scope was missing, nested in another, or that of another tenant: a bug, never a user's mistake."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the present transaction may see."""

    tenant_id: uuid.UUID | None = None
    user_id: int | None = None
    is_staff_read: bool = False


_OVER = Scope()
_COMMIT = Statement("COMMIT")
_current: ContextVar[Scope | None] = ContextVar("agentops_scope", default=None)
_kept: ContextVar[tuple[str, int] | None] = ContextVar("agentops_kept", default=None)  # savepoint, hooks before it


def current() -> Scope | None:
    return _current.get()


def require_tenant(tenant_id: uuid.UUID) -> None:
    """Assert that the present transaction is this tenant's. Every write service calls it first."""
    scope = _current.get()
    if scope is None or scope.tenant_id != tenant_id or scope.is_staff_read:
        raise ScopeError(f"this needs the scope of tenant {tenant_id}; open it with tenant_scope()")
    if not connection.in_atomic_block:
        raise ScopeError("a scope outlived its transaction")


def keep() -> None:
    """What was written in this scope up to now stays, also where what follows is refused, fails or is rolled back.

    For what must be known of a refusal: the count of wrong codes, the entry of who tried. It is the same transaction, so
    a lock that was taken for counting is held until the count is committed.
    """
    if _current.get() is None or not connection.in_atomic_block or connection.savepoint_ids:
        raise ScopeError("only what stands directly in a scope's transaction can be kept")
    savepoint = connection.savepoint()
    assert savepoint is not None
    _kept.set((savepoint, len(connection.run_on_commit)))


@contextmanager
def tenant_scope(
    tenant_id: uuid.UUID, *, user_id: int | None = None, first: Sequence[Statement] = ()
) -> Iterator[list[prepared.Rows]]:
    """One tenant's rows, in a durable transaction of its own.

    `first` are statements that travel with its opening, in one round trip; the block gets their rows.
    """
    with _opened(Scope(tenant_id=tenant_id, user_id=user_id), first) as rows:
        yield rows


@contextmanager
def person_scope(user_id: int) -> Iterator[None]:
    """Only the memberships of one signed-in person, to find out which tenants are theirs."""
    with _opened(Scope(user_id=user_id)):
        yield


@contextmanager
def staff_scope() -> Iterator[None]:
    """Every tenant's rows, for reading only. The caller has checked and recorded who reads and why (tenants/access.py)."""
    with _opened(Scope(is_staff_read=True)):
        yield


@contextmanager
def last_statements() -> Iterator[None]:
    """Send what `prepared.run` is asked for inside the block, and the scope's COMMIT, in one round trip at its end.

    The scope is over then: nothing can follow in it.
    """
    with prepared.collected() as statements:
        yield
    is_outermost = len(connection.atomic_blocks) == 1  # not under a test's own transaction
    prepared.run_all([*statements, *([_COMMIT] if is_outermost else [])])
    _current.set(_OVER)


@contextmanager
def _opened(scope: Scope, first: Sequence[Statement] = ()) -> Iterator[list[prepared.Rows]]:
    if _current.get() is not None:
        raise ScopeError("scopes do not nest: close the first one")
    token, kept = _current.set(scope), _kept.set(None)
    refused: BaseException | None = None
    try:
        _ask_only_doubtful_connections()
        with transaction.atomic(durable=True):
            rows = _set_local(scope, first)
            try:
                yield rows
            except BaseException as error:
                if not _back_to_kept():
                    raise
                refused = error
            else:
                if connection.needs_rollback:
                    _back_to_kept()
        if refused is not None:
            raise refused
    finally:
        _kept.reset(kept)
        _current.reset(token)
        _forget_in_open_transaction()


def _back_to_kept() -> bool:
    """Undo what came after `keep`, and nothing else; False where nothing was to be kept."""
    kept = _kept.get()
    if kept is None:
        return False
    savepoint, hooks = kept
    connection.set_rollback(False)
    connection.savepoint_rollback(savepoint)
    del connection.run_on_commit[hooks:]
    return True


def _ask_only_doubtful_connections() -> None:
    """Spare the round trip by which Django asks each request's connection whether it still lives.

    A server that ended a connection has closed its socket, which can be read then. One that is quiet lives, or will fail
    in the first statement as it would have failed in the question.
    """
    if connection.connection is None or connection.in_atomic_block:
        return
    socket = select.poll()
    socket.register(connection.connection.fileno(), select.POLLIN)
    if not socket.poll(0):
        cast(Any, connection).health_check_done = True  # Django's own mark, which its stubs do not know


def _set_local(scope: Scope, first: Sequence[Statement]) -> list[prepared.Rows]:
    assert connection.in_atomic_block
    texts: list[str] = []  # numbers by their format, so that nothing else can stand in them
    if scope.tenant_id is not None:
        texts.append(f"SET LOCAL app.tenant_id = '{scope.tenant_id.int:032x}'")
    if scope.user_id is not None:
        texts.append(f"SET LOCAL app.user_id = '{scope.user_id:d}'")
    if scope.is_staff_read:
        texts.append(f"SET LOCAL ROLE {STAFF_ROLE}")
    pgconn = connection.connection.pgconn
    if pgconn.transaction_status == pq.TransactionStatus.IDLE:
        texts.insert(0, "BEGIN")
    if first:
        return prepared.run_all([*(Statement(text) for text in texts), *first])[len(texts) :]
    # One text by the simple protocol is one round trip. psycopg would send its BEGIN alone, and wait for the answer.
    with connection.wrap_database_errors:
        result = pgconn.exec_("; ".join(texts).encode())
        if result.status != pq.ExecStatus.COMMAND_OK:
            raise psycopg.OperationalError(result.get_error_message())
    return []


def _forget_in_open_transaction() -> None:
    """Under a test's outer transaction the settings would outlive the scope: take them back.

    In production the scope's transaction is the outermost, and ends here anyway.
    """
    if not connection.in_atomic_block or connection.needs_rollback:
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL app.tenant_id = ''; SET LOCAL app.user_id = ''; RESET ROLE")
