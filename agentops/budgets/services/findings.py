"""What about money somebody should look at: of one organisation, or of the whole product. Incidents reads it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from django.db import connection

from agentops.common import scope
from agentops.common.ids import new_id

# Seen again, it keeps the figures it was found by in `data`, except those that are said anew.
_NOTE = """
INSERT INTO budgets_finding AS f (id, tenant_id, kind, fingerprint, detail, data, found_at, last_seen_at)
VALUES (%(id)s, %(tenant)s, %(kind)s, %(fingerprint)s, %(detail)s, %(data)s::jsonb, %(at)s, %(at)s)
ON CONFLICT (tenant_id, kind, fingerprint) WHERE ended_at IS NULL
DO UPDATE SET detail = excluded.detail, data = f.data || excluded.data, last_seen_at = excluded.last_seen_at
RETURNING id = %(id)s
"""
_NOTE_PRODUCT = """
INSERT INTO budgets_productfinding AS f (id, kind, fingerprint, detail, data, found_at, last_seen_at)
VALUES (%(id)s, %(kind)s, %(fingerprint)s, %(detail)s, %(data)s::jsonb, %(at)s, %(at)s)
ON CONFLICT (kind, fingerprint) WHERE ended_at IS NULL
DO UPDATE SET detail = excluded.detail, data = f.data || excluded.data, last_seen_at = excluded.last_seen_at
RETURNING id = %(id)s
"""
_END = """
UPDATE budgets_finding SET ended_at = %s WHERE tenant_id = %s AND kind = %s AND fingerprint = %s AND ended_at IS NULL
"""
_END_PRODUCT = """
UPDATE budgets_productfinding SET ended_at = %s WHERE kind = %s AND fingerprint = %s AND ended_at IS NULL
"""


def note_finding(
    *, tenant: uuid.UUID, kind: str, fingerprint: str, detail: str, data: Mapping[str, Any], at: datetime
) -> bool:
    """Open a finding, or say of the open one that it is still so; True where it is new."""
    scope.require_tenant(tenant)
    return _noted(_NOTE, kind, fingerprint, detail, data, at, tenant=tenant)


def end_finding(*, tenant: uuid.UUID, kind: str, fingerprint: str, at: datetime) -> bool:
    """It is so no more; False where nobody had found it."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_END, [at, tenant, kind, fingerprint])
        return bool(cursor.rowcount)


def note_product_finding(*, kind: str, fingerprint: str, detail: str, data: Mapping[str, Any], at: datetime) -> bool:
    """The same for the whole product, outside any organisation."""
    return _noted(_NOTE_PRODUCT, kind, fingerprint, detail, data, at)


def end_product_finding(*, kind: str, fingerprint: str, at: datetime) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_END_PRODUCT, [at, kind, fingerprint])
        return bool(cursor.rowcount)


def _noted(
    statement: str, kind: str, fingerprint: str, detail: str, data: Mapping[str, Any], at: datetime, **more: Any
) -> bool:
    params = {
        "id": new_id(),
        "kind": kind,
        "fingerprint": fingerprint[:200],
        "detail": detail,
        "data": orjson.dumps(data).decode(),
        "at": at,
        **more,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return bool(cursor.fetchone()[0])
