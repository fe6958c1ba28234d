"""What the database itself holds: kinds of tables, forced row security, grants, and ledgers that nobody can change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState

from agentops.common.models import AppendOnly, Sealed
from agentops.common.rowsecurity import APP, OWNER, STAFF, classify
from agentops.common.scope import tenant_scope
from agentops.portal.partitions import PARTITIONED
from tests import engines
from tests.isolation.rows import LEDGERS, OWNED, SEALED, insert
from tests.isolation.test_tables import refused
from tests.world import World

KINDS = classify()
PRIVILEGES = {
    "tenant": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "ledger": {"SELECT", "INSERT"},
    "sealed": {"SELECT"},
    "global": {"SELECT", "INSERT", "UPDATE", "DELETE"},
    "read_only": {"SELECT"},
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def superuser(django_db_setup: str) -> Iterator[psycopg.Connection[Any]]:
    connected = psycopg.connect(**{**engines.superuser(), "dbname": django_db_setup}, autocommit=True)
    yield connected
    connected.close()


def rows(connected: psycopg.Connection[Any], statement: str, *params: object) -> list[tuple[Any, ...]]:
    return connected.execute(statement, params).fetchall()


def privileges(connected: psycopg.Connection[Any], table: str, role: str) -> set[str]:
    wanted = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    return {p for p in wanted if rows(connected, "SELECT has_table_privilege(%s, %s, %s)", role, f'"{table}"', p)[0][0]}


def test_every_table_of_the_database_has_a_kind(superuser: psycopg.Connection[Any]) -> None:
    found = rows(
        superuser,
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT relispartition",
    )
    assert {table for (table,) in found} == set(KINDS)


def test_no_table_with_a_tenant_is_outside_row_security(superuser: psycopg.Connection[Any]) -> None:
    found = rows(
        superuser,
        "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
        "WHERE a.attname = 'tenant_id' AND c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
        "AND NOT c.relispartition",
    )
    assert {table for (table,) in found} == set(OWNED)


@pytest.mark.parametrize("table", sorted(OWNED))
def test_row_security_is_forced_and_its_policies_name_their_roles(
    superuser: psycopg.Connection[Any], table: str
) -> None:
    [(on, forced)] = rows(
        superuser, "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = %s::regclass", f'"{table}"'
    )
    assert on and forced
    policies = rows(
        superuser, "SELECT policyname, roles, cmd, qual, with_check FROM pg_policies WHERE tablename = %s", table
    )
    by_name = {name: (roles, command, using, check) for name, roles, command, using, check in policies}
    extra = {policy.partition(" ")[0] for policy in getattr(OWNED[table], "extra_policies", ())}
    assert set(by_name) == {"tenant_rows", "staff_reads", "owner_rows"} | extra
    assert by_name["tenant_rows"][0] == [APP] and "app.tenant_id" in by_name["tenant_rows"][2]
    assert by_name["tenant_rows"][2] == by_name["tenant_rows"][3], "what may be read is what may be written"
    assert by_name["staff_reads"][:2] == ([STAFF], "SELECT")
    assert by_name["owner_rows"][0] == [OWNER]
    for name in extra:
        assert by_name[name][1] == "SELECT", "a policy beyond the three never lets write"


@pytest.mark.parametrize("table", sorted(KINDS))
def test_the_application_may_do_what_the_kind_says_and_no_more(superuser: psycopg.Connection[Any], table: str) -> None:
    assert privileges(superuser, table, APP) == PRIVILEGES[KINDS[table][0]]
    assert privileges(superuser, table, STAFF) == {"SELECT"}


def test_partitions_are_named_by_nobody_but_the_owner(superuser: psycopg.Connection[Any]) -> None:
    """Row security on a parent does not protect a child that is read directly."""
    found = rows(superuser, "SELECT relname FROM pg_class WHERE relispartition AND relkind = 'r'")
    assert len(found) > 100
    open_ones = [name for (name,) in found if privileges(superuser, name, APP) | privileges(superuser, name, STAFF)]
    assert open_ones == []


def test_every_partitioned_table_is_looked_after(superuser: psycopg.Connection[Any]) -> None:
    found = rows(superuser, "SELECT relname FROM pg_class WHERE relkind = 'p' AND NOT relispartition")
    assert {name for (name,) in found} == {parent.table for parent in PARTITIONED}


def test_the_roles_are_not_above_row_security(superuser: psycopg.Connection[Any]) -> None:
    found = rows(
        superuser,
        "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles WHERE rolname = ANY(%s)",
        [APP, OWNER, STAFF],
    )
    assert {name for name, *_ in found} == {APP, OWNER, STAFF}
    assert not any(above for _, *powers in found for above in powers)


def test_the_application_changes_no_schema(world: World) -> None:
    for statement in ("CREATE TABLE mine (x int)", "ALTER TABLE tenants_tenant ADD x int", "DROP TABLE tenants_apikey"):
        with refused(), connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize("table", LEDGERS)
@pytest.mark.parametrize(
    "verb", ["UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}", "LOCK TABLE {}"]
)
def test_a_ledger_is_only_added_to(world: World, table: str, verb: str) -> None:
    with tenant_scope(world.acme.id):
        insert(OWNED[table], world.acme.id)
        with refused(), connection.cursor() as cursor:
            cursor.execute(verb.format(f'"{table}"'))


@pytest.mark.parametrize("table", SEALED)
def test_what_the_owner_writes_is_only_read_by_the_application(world: World, table: str) -> None:
    insert(OWNED[table], world.acme.id, using="owner")
    verbs = ("UPDATE {} SET tenant_id = tenant_id", "DELETE FROM {}", "TRUNCATE {}", "LOCK TABLE {}")
    with tenant_scope(world.acme.id):
        with refused():
            insert(OWNED[table], world.acme.id)
        for verb in verbs:
            with refused(), connection.cursor() as cursor:
                cursor.execute(verb.format(f'"{table}"'))


_WRITES = ("create", "update", "delete", "bulk_create", "bulk_update", "get_or_create", "update_or_create")


def test_a_ledgers_model_refuses_before_the_database_has_to() -> None:
    for model in apps.get_models():
        if issubclass(model, AppendOnly | Sealed):
            queryset = model._default_manager.all()
            for act in (model().save, model().delete, *(getattr(queryset, name) for name in _WRITES)):
                with pytest.raises(TypeError, match=r"written by|appended by|never deleted|deleted by"):
                    act()


def test_the_models_and_the_migrations_say_the_same() -> None:
    loader = MigrationLoader(connection)
    changes = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps)).changes(graph=loader.graph)
    assert changes == {}


def test_tables_without_a_tenant_are_named_one_by_one() -> None:
    known = {table for table, (kind, _) in KINDS.items() if kind == "global"}
    assert known == set(settings.GLOBAL_TABLES)
