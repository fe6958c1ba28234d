"""What happened in an incident, one line after the other."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.common import scope
from agentops.common.ids import new_id
from audit.types import SYSTEM, Actor
from incidents.types import TimelineKind

_INSERT = """
INSERT INTO incidents_timelineentry (tenant_id, id, incident_id, occurred_at, recorded_at, actor, is_automatic, is_internal,
    kind, text, link, data)
VALUES (%(tenant)s, %(id)s, %(incident)s, %(occurred_at)s, %(at)s, %(actor)s, %(is_automatic)s, %(is_internal)s, %(kind)s,
    %(text)s, %(link)s, %(data)s::jsonb)
"""


def note(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    kind: TimelineKind,
    text: str,
    by: Actor,
    at: datetime,
    occurred_at: datetime | None = None,
    link: str = "",
    data: Mapping[str, Any] | None = None,
    is_internal: bool = True,
) -> uuid.UUID:
    """A further line, in the transaction of what it tells of; answers its id. The caller leaves the audit entry."""
    scope.require_tenant(tenant)
    entry = new_id()
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": entry,
        "incident": incident_id,
        "occurred_at": occurred_at or at,
        "at": at,
        "actor": by.label or by.id,
        "is_automatic": by == SYSTEM,
        "is_internal": is_internal,
        "kind": TimelineKind(kind).value,
        "text": text,
        "link": link,
        "data": json.dumps(dict(data or {})),
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, values)
    return entry
