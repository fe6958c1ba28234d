"""What is wrong with a tenant's log. Written by the owner of the tables; incidents reads it and makes alerts."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connections

from agentops.common.ids import new_id

OWNER = "owner"

_NOTE = """
INSERT INTO audit_finding (id, tenant_id, kind, detail, found_at, last_seen_at) VALUES (%s, %s, %s, %s, %s, %s)
ON CONFLICT (tenant_id, kind) WHERE ended_at IS NULL
DO UPDATE SET detail = EXCLUDED.detail, last_seen_at = EXCLUDED.last_seen_at
"""
_END = "UPDATE audit_finding SET ended_at = %s WHERE tenant_id = %s AND kind = %s AND ended_at IS NULL"


def note_finding(*, tenant: uuid.UUID, kind: str, detail: str, at: datetime) -> None:
    """Open a finding, or say of the open one of its kind that it is still so."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute(_NOTE, [new_id(), tenant, kind, detail, at, at])


def end_finding(*, tenant: uuid.UUID, kind: str, at: datetime) -> bool:
    """It is so no more; False where nobody had found it."""
    with connections[OWNER].cursor() as cursor:
        cursor.execute(_END, [at, tenant, kind])
        return bool(cursor.rowcount)
