"""Row-level security, policies and grants of every table, applied after each migration run by the owner.

One idempotent step instead of SQL scattered over migrations: no table can be forgotten, and a table that nobody
classified stops the migration. Partitions get nothing: row-level security on a parent does not protect a child that
is read directly, so no role but the owner may name one.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections, models

APP, OWNER, STAFF = "agentops_app", "agentops_owner", "agentops_staff"
TENANT_TEST = "tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid"
USER_TEST = "user_id = nullif(current_setting('app.user_id', true), '')::bigint"

_GRANTS = {
    "tenant": (f"GRANT SELECT, INSERT, UPDATE, DELETE ON {{t}} TO {APP}", f"GRANT SELECT ON {{t}} TO {STAFF}"),
    "ledger": (f"GRANT SELECT, INSERT ON {{t}} TO {APP}", f"GRANT SELECT ON {{t}} TO {STAFF}"),
    "sealed": (f"GRANT SELECT ON {{t}} TO {APP}, {STAFF}",),
    "global": (f"GRANT SELECT, INSERT, UPDATE, DELETE ON {{t}} TO {APP}", f"GRANT SELECT ON {{t}} TO {STAFF}"),
    "read_only": (f"GRANT SELECT ON {{t}} TO {APP}, {STAFF}",),
}


def classify() -> dict[str, tuple[str, type[models.Model] | None]]:
    """Every table of the project: name -> (kind, model). Raises ImproperlyConfigured for one that has no kind."""
    tables: dict[str, tuple[str, type[models.Model] | None]] = dict.fromkeys(
        settings.READ_ONLY_TABLES, ("read_only", None)
    )
    for model in apps.get_models(include_auto_created=True):
        name = model._meta.db_table
        kind = getattr(model, "table_kind", None) or ("global" if name in settings.GLOBAL_TABLES else None)
        if name in settings.READ_ONLY_TABLES:
            kind = "read_only"
        if kind is None:
            raise ImproperlyConfigured(
                f"table {name} has no kind: derive its model from TenantOwned or AppendOnly, or name it in GLOBAL_TABLES"
            )
        tables[name] = (kind, model)
    for name in settings.GLOBAL_TABLES:
        tables.setdefault(name, ("global", None))
    return tables


def apply(*, using: str, **_: Any) -> None:
    """The `post_migrate` receiver: acts only for the owner's connection."""
    if using != "owner":
        return
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
        )
        present = {name for (name,) in cursor.fetchall()}
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {APP}, {STAFF}")
        statements: list[str] = []
        for table, (kind, model) in classify().items():
            if table in present:
                statements += _statements(table, kind, getattr(model, "extra_policies", ()))
        cursor.execute(";\n".join(statements))


def _statements(table: str, kind: str, extra: tuple[str, ...]) -> list[str]:
    name = f'"{table}"'
    found = [f"REVOKE ALL ON {name} FROM PUBLIC, {APP}, {STAFF}", *(grant.format(t=name) for grant in _GRANTS[kind])]
    if kind not in ("tenant", "ledger", "sealed"):
        return found
    found += [f"ALTER TABLE {name} ENABLE ROW LEVEL SECURITY", f"ALTER TABLE {name} FORCE ROW LEVEL SECURITY"]
    policies = {
        "tenant_rows": f"TO {APP} USING ({TENANT_TEST}) WITH CHECK ({TENANT_TEST})",
        "staff_reads": f"FOR SELECT TO {STAFF} USING (true)",
        # FORCE binds the owner too: without this, a backfill changes no row and says nothing.
        "owner_rows": f"TO {OWNER} USING (true) WITH CHECK (true)",
    }
    for policy in extra:
        policy_name, _, body = policy.partition(" ")
        policies[policy_name] = body
    for policy_name, body in policies.items():
        found += [f"DROP POLICY IF EXISTS {policy_name} ON {name}", f"CREATE POLICY {policy_name} ON {name} {body}"]
    return found
