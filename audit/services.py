"""The only writer of the audit log. An entry is part of the transaction of the thing it records."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import rfc8785
from django.db import connection

from agentops.common import prepared, scope
from agentops.common.ids import new_id
from audit.errors import AuditRefused
from audit.registry import ACTIONS
from audit.types import Actor, Outcome, Target

MAX_DATA_BYTES = 16_384
_COLUMNS = (
    "tenant_id, id, schema_version, recorded_at, occurred_at, category, action, outcome, actor_type, actor_id, "
    "actor_label, on_behalf_of_id, run_id, target_type, target_id, reason, data, nonce"
)
_INSERT = f"INSERT INTO audit_entry ({_COLUMNS}) VALUES ({', '.join(['%s'] * 18)})"  # noqa: S608  constants only


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """What `record_many` takes: see `record` for the meaning of each field."""

    action: str
    actor: Actor
    target: Target
    outcome: Outcome
    data: Mapping[str, Any]
    at: datetime
    run: uuid.UUID | None = None
    on_behalf_of: str = ""
    reason: str = ""
    id: uuid.UUID = field(default_factory=new_id)


def record(
    *,
    tenant: uuid.UUID,
    action: str,
    actor: Actor,
    target: Target,
    outcome: Outcome,
    data: Mapping[str, Any],
    at: datetime,
    run: uuid.UUID | None = None,
    on_behalf_of: str = "",
    reason: str = "",
) -> uuid.UUID:
    """Append one entry inside the caller's transaction; answers its id.

    Raises AuditRefused for an unknown action, data that is not of the action's form or over 16 KiB, and ScopeError
    outside the tenant's scope.
    """
    entry = NewEntry(
        action=action,
        actor=actor,
        target=target,
        outcome=outcome,
        data=data,
        at=at,
        run=run,
        on_behalf_of=on_behalf_of,
        reason=reason,
    )
    record_many(tenant=tenant, entries=[entry])
    return entry.id


def record_many(*, tenant: uuid.UUID, entries: Iterable[NewEntry]) -> int:
    """Append entries in one round trip; answers how many. Refuses as `record` does, all or none."""
    scope.require_tenant(tenant)
    rows = [_row(tenant, entry) for entry in entries]
    if len(rows) == 1:
        prepared.run(_INSERT, rows[0])
    elif rows:
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, rows)
    return len(rows)


def _row(tenant: uuid.UUID, entry: NewEntry) -> tuple[Any, ...]:
    action = ACTIONS.get(entry.action)
    if action is None:
        raise AuditRefused(f"{entry.action!r} is not an action of the registry")
    if set(entry.data) != action.fields:
        raise AuditRefused(f"{entry.action} takes the fields {sorted(action.fields)}, got {sorted(entry.data)}")
    data = rfc8785.dumps(dict(entry.data))
    if len(data) > MAX_DATA_BYTES:
        raise AuditRefused(
            f"the data of {entry.action} is {len(data)} bytes; at most {MAX_DATA_BYTES} are kept in an entry"
        )
    return (
        tenant,
        entry.id,
        1,
        entry.at,
        entry.at,
        action.category,
        entry.action,
        entry.outcome,
        entry.actor.type,
        entry.actor.id[:200],
        entry.actor.label[:200],
        entry.on_behalf_of,
        entry.run,
        entry.target.type,
        entry.target.id[:200],
        entry.reason,
        data.decode(),
        os.urandom(16),
    )
