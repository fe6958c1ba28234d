"""Roles, database and extensions of the embedded server; and the check that every server must pass.

A managed server is never given roles by us: its administrator runs roles.sql, and we only look.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from agentops import env
from agentops.portal.engines.errors import EngineError

EXTENSIONS = ("pg_trgm", "btree_gin", "pg_stat_statements")

_ROLES = Path(__file__).with_name("roles.sql")
_RIGHTS = """
SELECT current_user,
       rolsuper,
       rolbypassrls,
       EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'USAGE')),
       has_schema_privilege('public', 'CREATE')
FROM pg_roles WHERE rolname = current_user
"""


def prepare(superuser: dict[str, Any]) -> None:
    """Make what is missing, as the embedded server's superuser. Idempotent, about 20 ms when all is there."""
    with psycopg.connect(**superuser, autocommit=True) as server:
        server.execute(_ROLES.read_text())
        known = server.execute("SELECT FROM pg_database WHERE datname = %s", [env.DATABASE_NAME]).rowcount
        if not known:
            make = sql.SQL("CREATE DATABASE {} OWNER {}")
            server.execute(make.format(sql.Identifier(env.DATABASE_NAME), sql.Identifier(env.OWNER_ROLE)))
    with psycopg.connect(**superuser | {"dbname": env.DATABASE_NAME}) as database:
        for statement in _rights():
            database.execute(statement)
        present = database.execute(
            "SELECT name FROM pg_available_extensions WHERE name = ANY(%s) AND installed_version IS NULL",
            [list(EXTENSIONS)],
        )
        for (name,) in present.fetchall():
            database.execute(sql.SQL("CREATE EXTENSION {}").format(sql.Identifier(name)))


def check_app_role(params: dict[str, Any]) -> None:
    """Raise EngineError unless row-level security binds this role: the web and the workers may not start otherwise."""
    try:
        with psycopg.connect(**params, connect_timeout=5) as connection:
            row = connection.execute(_RIGHTS).fetchone()
    except psycopg.OperationalError as error:
        raise EngineError(f"PostgreSQL does not let the application in: {error}") from error
    assert row is not None
    role, is_superuser, bypasses, owns_tables, may_create = row
    faults = {
        "is a superuser": is_superuser,
        "has BYPASSRLS": bypasses,
        "owns tables": owns_tables,
        "may create tables": may_create,
    }
    found = [fault for fault, is_so in faults.items() if is_so]
    if found:
        raise EngineError(
            f"The application's database role {role} {' and '.join(found)}: row-level security would not hold it. "
            f"Connect as {env.APP_ROLE}, made as in {_ROLES.name}."
        )


def _rights() -> list[sql.Composed]:
    database, app, owner = (sql.Identifier(name) for name in (env.DATABASE_NAME, env.APP_ROLE, env.OWNER_ROLE))
    return [
        sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
        sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}").format(database, app, owner),
        sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {}").format(app),
    ]
