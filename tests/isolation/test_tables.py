"""No tenant ever sees or changes another's row: tried on every tenant-owned table that the models know.

Raw SQL as the application role, so that no manager, service or view helps. A table without row security, without FORCE,
with a policy too wide or a grant too many fails here, whoever made it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import DatabaseError, connection, models, transaction

from agentops.common.scope import staff_scope, tenant_scope
from tests.isolation.rows import LEDGERS, OWNED, SEALED, insert
from tests.world import World

TABLES = sorted(OWNED)
SECURED = pytest.mark.parametrize("table", TABLES)


@pytest.fixture
def tenants(world: World) -> tuple[uuid.UUID, uuid.UUID]:
    """Two tenants without any row of their own. The world is there for rows to refer to."""
    return uuid.uuid4(), uuid.uuid4()


@pytest.fixture
def rows(table: str, tenants: tuple[uuid.UUID, uuid.UUID]) -> tuple[models.Model, models.Model]:
    """One row of each in the table under test."""
    found = []
    for tenant in tenants:
        if table in SEALED:  # the owner's to write, with a policy of their own
            found.append(insert(OWNED[table], tenant, using="owner"))
            continue
        with tenant_scope(tenant):
            found.append(insert(OWNED[table], tenant))
    return found[0], found[1]


def execute(statement: str, *params: object) -> int:
    """How many rows a statement touched or counted."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        if cursor.description:
            return int(cursor.fetchone()[0])
        return int(cursor.rowcount)


def seen(table: str) -> set[uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT DISTINCT tenant_id FROM "{table}"')
        return {tenant for (tenant,) in cursor.fetchall()}


@contextmanager
def refused(*, by: type[psycopg.Error] = psycopg.errors.InsufficientPrivilege) -> Iterator[None]:
    """PostgreSQL itself says no, in a savepoint so that the scope lives on. Row security and grants both say so by 42501."""
    with pytest.raises(DatabaseError) as error, transaction.atomic():
        yield
    assert isinstance(error.value.__cause__, by), error.value


def copy_as(table: str, source: uuid.UUID, target: uuid.UUID) -> None:
    """Insert the scope's rows once more, for another tenant."""
    columns = [
        field.column
        for field in OWNED[table]._meta.local_concrete_fields
        if field.column and field.column != "tenant_id"
    ]
    names = ", ".join(f'"{column}"' for column in columns)
    execute(
        f'INSERT INTO "{table}" (tenant_id, {names}) OVERRIDING SYSTEM VALUE SELECT %s, {names} FROM "{table}" WHERE tenant_id = %s',
        target,
        source,
    )


@SECURED
def test_a_scope_sees_its_own_rows_and_no_others(
    table: str, tenants: tuple[uuid.UUID, uuid.UUID], rows: tuple[models.Model, models.Model]
) -> None:
    for tenant in tenants:
        with tenant_scope(tenant):
            assert seen(table) == {tenant}


@SECURED
def test_without_a_scope_there_is_nothing_to_see_or_to_write(
    table: str, tenants: tuple[uuid.UUID, uuid.UUID], rows: tuple[models.Model, models.Model]
) -> None:
    assert seen(table) == set()
    with refused():
        insert(OWNED[table], tenants[0])


@SECURED
def test_nobody_changes_or_deletes_anothers_row(
    table: str, tenants: tuple[uuid.UUID, uuid.UUID], rows: tuple[models.Model, models.Model]
) -> None:
    mine, theirs = tenants
    statements = (
        (f'UPDATE "{table}" SET tenant_id = tenant_id WHERE tenant_id = %s', theirs),
        (f'DELETE FROM "{table}" WHERE tenant_id = %s', theirs),
    )
    with tenant_scope(mine):
        for statement, param in statements:
            if table in (*LEDGERS, *SEALED):
                with refused():
                    execute(statement, param)
            else:
                assert execute(statement, param) == 0
    with tenant_scope(theirs):
        assert seen(table) == {theirs}


@SECURED
def test_nobody_writes_a_row_in_anothers_name(
    table: str, tenants: tuple[uuid.UUID, uuid.UUID], rows: tuple[models.Model, models.Model]
) -> None:
    mine, theirs = tenants
    with tenant_scope(mine):
        with refused():
            copy_as(table, mine, theirs)
        with refused():  # nor gives a row away
            execute(f'UPDATE "{table}" SET tenant_id = %s', theirs)


@SECURED
def test_staff_read_every_tenant_and_write_none(
    table: str, tenants: tuple[uuid.UUID, uuid.UUID], rows: tuple[models.Model, models.Model]
) -> None:
    mine, _ = tenants
    with staff_scope():
        assert set(tenants) <= seen(table)
        for statement in (
            f'UPDATE "{table}" SET tenant_id = tenant_id',
            f'DELETE FROM "{table}"',
            f'TRUNCATE "{table}"',
        ):
            with refused():
                execute(statement)
        with refused():
            copy_as(table, mine, mine)


@SECURED
def test_a_scope_is_gone_when_it_closes(
    table: str, tenants: tuple[uuid.UUID, uuid.UUID], rows: tuple[models.Model, models.Model]
) -> None:
    with tenant_scope(tenants[0]):
        pass
    assert seen(table) == set()
    with staff_scope():
        pass
    assert seen(table) == set()
