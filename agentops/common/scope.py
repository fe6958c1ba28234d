"""The one place that opens a database scope: a tenant's, a person's before a tenant is known, or staff's.

Row-level security reads `app.tenant_id` and `app.user_id`; both are set by `SET LOCAL` with a literal (the form that
Citus propagates), inside the durable transaction that the scope opens, and end with it. Outside a transaction
`SET LOCAL` does nothing and says nothing, hence the single function that sets and its assertion.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.db import connection, transaction
from psycopg import sql

STAFF_ROLE = "agentops_staff"


class ScopeError(RuntimeError):
    """A scope was missing, nested in another, or that of another tenant: a bug, never a user's mistake."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the present transaction may see."""

    tenant_id: uuid.UUID | None = None
    user_id: int | None = None
    is_staff_read: bool = False


_current: ContextVar[Scope | None] = ContextVar("agentops_scope", default=None)


def current() -> Scope | None:
    return _current.get()


def require_tenant(tenant_id: uuid.UUID) -> None:
    """Assert that the present transaction is this tenant's. Every write service calls it first."""
    scope = _current.get()
    if scope is None or scope.tenant_id != tenant_id or scope.is_staff_read:
        raise ScopeError(f"this needs the scope of tenant {tenant_id}; open it with tenant_scope()")
    if not connection.in_atomic_block:
        raise ScopeError("a scope outlived its transaction")


@contextmanager
def tenant_scope(tenant_id: uuid.UUID, *, user_id: int | None = None) -> Iterator[None]:
    """One tenant's rows, in a durable transaction of its own."""
    with _opened(Scope(tenant_id=tenant_id, user_id=user_id)):
        yield


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
def _opened(scope: Scope) -> Iterator[None]:
    if _current.get() is not None:
        raise ScopeError("scopes do not nest: close the first one")
    token = _current.set(scope)
    try:
        with transaction.atomic(durable=True):
            _set_local(scope)
            yield
    finally:
        _current.reset(token)
        _forget_in_open_transaction()


def _set_local(scope: Scope) -> None:
    assert connection.in_atomic_block
    statements = []
    if scope.tenant_id is not None:
        statements.append(sql.SQL("SET LOCAL app.tenant_id = {}").format(sql.Literal(str(scope.tenant_id))))
    if scope.user_id is not None:
        statements.append(sql.SQL("SET LOCAL app.user_id = {}").format(sql.Literal(str(scope.user_id))))
    if scope.is_staff_read:
        statements.append(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(STAFF_ROLE)))
    with connection.cursor() as cursor:
        text = sql.SQL("; ").join(statements).as_string(cursor.connection)
        if len(statements) > 1:  # more than one in a text travel by the simple protocol only
            cursor.execute(text)
            return
        # One alone goes in the same round trip as the BEGIN that psycopg sends before it: the guard's verbs do this always.
        with connection.wrap_database_errors, cursor.connection.pipeline():
            cursor.execute(text)


def _forget_in_open_transaction() -> None:
    """Under a test's outer transaction the settings would outlive the scope: take them back.

    In production the scope's transaction is the outermost, and ends here anyway.
    """
    if not connection.in_atomic_block or connection.needs_rollback:
        return
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL app.tenant_id = ''; SET LOCAL app.user_id = ''; RESET ROLE")
