"""Is the process alive, and is it ready to serve."""

from __future__ import annotations

from django.db import DatabaseError, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

_migrated = False


def alive(request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "alive"})


def ready(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and every migration is applied; else 503 with what is missing."""
    try:
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT current_user, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            role, is_above_row_security = cursor.fetchone()
        if is_above_row_security:
            return _not_ready(f"the role {role} is above row-level security; connect as agentops_app")
        if not _all_migrated():
            return _not_ready("migrations are not applied; run manage.py migrate --database owner")
    except DatabaseError as error:
        return _not_ready(f"the database does not answer: {error.__class__.__name__}")
    return JsonResponse({"status": "ready"})


def _all_migrated() -> bool:
    global _migrated
    if not _migrated:
        executor = MigrationExecutor(connections["default"])
        _migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _migrated


def _not_ready(detail: str) -> JsonResponse:
    return JsonResponse({"status": "not ready", "detail": detail}, status=503, headers={"Retry-After": "2"})
