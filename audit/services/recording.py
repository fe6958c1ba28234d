"""The only writer of the audit log. An entry is part of the transaction of the thing it records.

Each entry goes with a row of `audit_pending`, which holds its leaf hash until the sealer gives it its place in the
tenant's tree (sealing.py). No order is decided here, so nothing is locked: writers of one tenant do not wait for each
other, and a transaction that writes into two tenants deadlocks with nobody.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from celery import signature
from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.common import prepared, scope, strictjson
from agentops.common.bulk import Staging
from agentops.common.ids import new_id
from agentops.common.queues import Queue, ring_on_commit
from audit import canonical, origin
from audit.canonical import COLUMNS, Row
from audit.errors import AuditRefused
from audit.origin import Origin
from audit.registry import ACTIONS, Action
from audit.types import Actor, Outcome, Target

MAX_DATA_BYTES = 16_384
MAX_BLOB_BYTES = 8 * 1024 * 1024
MANY = 20  # from here on rows are copied
SEAL = "audit.tasks.seal"
_ALWAYS = ("on_behalf_of_id", "src_ip", "user_agent")
_OF_PEOPLE = (*_ALWAYS, "actor_label", "reason")
_PEOPLE = frozenset({"user", "staff"})

_NAMES = ", ".join(COLUMNS)
_INSERT = f"""
WITH entry AS (INSERT INTO audit_entry ({_NAMES}) VALUES ({", ".join(["%s"] * len(COLUMNS))}))
INSERT INTO audit_pending (tenant_id, recorded_at, entry_id, leaf_hash) VALUES (%s, %s, %s, %s)
"""  # noqa: S608  constants only
_BLOB = """
INSERT INTO audit_blob (tenant_id, recorded_at, entry_id, content) VALUES (%s, %s, %s, %s)
"""


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
    occurred_at: datetime | None = None
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
    cursor: CursorWrapper | None = None,
) -> uuid.UUID:
    """Append one entry inside the caller's transaction, which is that of `cursor` where one is given; answers its id.

    Data of more than 16 KiB is kept as a blob beside the entry, which then holds its digest. Raises AuditRefused for
    an unknown action, data that is not of the action's form or over 8 MiB, and ScopeError outside the tenant's scope.
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
    record_many(tenant=tenant, entries=[entry], cursor=cursor)
    return entry.id


def record_many(*, tenant: uuid.UUID, entries: Iterable[NewEntry], cursor: CursorWrapper | None = None) -> int:
    """Append entries in one go; answers how many. Refuses as `record` does, all or none. Call it once a transaction for
    more than a few: many rows travel by COPY, through a table of the transaction."""
    scope.require_tenant(tenant)
    run = cursor.execute if cursor else prepared.run
    where, made = origin.current(), []
    is_urgent = False
    for entry in entries:
        action = ACTIONS.get(entry.action)
        if action is None:
            raise AuditRefused(f"{entry.action!r} is not an action of the registry")
        row, leaf, blob = _row(tenant, entry, action, where)
        made.append((row.values(), (tenant, row.recorded_at, row.id, leaf)))
        is_urgent = is_urgent or action.is_sealed_at_once
        if blob:
            run(_BLOB, (tenant, row.recorded_at, row.id, blob))
    if cursor or len(made) < MANY:
        for values, pending in made:
            run(_INSERT, (*values, *pending))
    else:
        with connection.cursor() as bulk:
            _ENTRIES.insert(bulk, (values for values, _ in made))
            _PENDING.insert(bulk, (pending for _, pending in made))
    if is_urgent:
        ring_on_commit(signature(SEAL, queue=Queue.MAINTENANCE.value), tenant_id=str(tenant))
    return len(made)


_ENTRIES = Staging(
    table="audit_entry",
    columns=COLUMNS,
    types=(
        "uuid", "uuid", "int2", "timestamptz", "timestamptz", "int2", "varchar", "int2", "varchar", "varchar", "varchar",
        "varchar", "uuid", "varchar", "varchar", "text", "varchar", "varchar", "varchar", "text", "text", "text", "bytea",
    ),
)  # fmt: skip
_PENDING = Staging(
    table="audit_pending",
    columns=("tenant_id", "recorded_at", "entry_id", "leaf_hash"),
    types=("uuid", "timestamptz", "uuid", "bytea"),
)


def _row(tenant: uuid.UUID, entry: NewEntry, action: Action, where: Origin) -> tuple[Row, bytes, bytes]:
    """The row of an entry, its leaf hash, and the blob that goes beside it (empty for most)."""
    if entry.data.keys() != action.fields:
        raise AuditRefused(f"{entry.action} takes the fields {sorted(action.fields)}, got {sorted(entry.data)}")
    nonce = os.urandom(16)
    columns = {
        "on_behalf_of_id": entry.on_behalf_of[:200],
        "src_ip": where.src_ip,
        "user_agent": where.user_agent,
        "actor_label": entry.actor.label[:200],
        "reason": entry.reason,
        "target_id": entry.target.id[:200],
    }
    personal = _personal(action, entry, columns)
    commitments, committed, private = canonical.commit(personal)
    public = entry.data
    if action.personal:
        public = {name: value for name, value in entry.data.items() if name not in action.personal or not value}
    data, blob = _data(entry.action, public, nonce)
    row = Row(
        tenant_id=tenant,
        id=entry.id,
        schema_version=canonical.SCHEMA_VERSION,
        recorded_at=entry.at,
        occurred_at=entry.occurred_at or entry.at,
        category=int(action.category),
        action=entry.action,
        outcome=int(entry.outcome),
        actor_type=entry.actor.type,
        actor_id=entry.actor.id[:200],
        run_id=entry.run,
        target_type=entry.target.type[:40],
        auth_method=where.auth_method,
        data=data,
        commitments=committed,
        private=private,
        nonce=nonce,
        **columns,
    )
    return row, canonical.leaf_hash(canonical.envelope(row, commitments)), blob


def _personal(action: Action, entry: NewEntry, columns: Mapping[str, str]) -> dict[str, Any]:
    """The values of an entry that can be about a person, by the names that commitments go by."""
    about = _OF_PEOPLE if entry.actor.type in _PEOPLE else _ALWAYS
    found: dict[str, Any] = {name: columns[name] for name in about if columns[name]}
    if action.is_about_a_person and columns["target_id"]:
        found["target_id"] = columns["target_id"]
    for name in action.personal:
        if entry.data[name]:
            found[f"data.{name}"] = entry.data[name]
    return found


def _data(action: str, public: Mapping[str, Any], nonce: bytes) -> tuple[str, bytes]:
    """The canonical text of an entry's data, and the blob in its place where it is large."""
    text = strictjson.canonical_checked(dict(public))
    if len(text) <= MAX_DATA_BYTES:
        return text.decode(), b""
    if len(text) > MAX_BLOB_BYTES:
        raise AuditRefused(f"the data of {action} is {len(text)} bytes; at most {MAX_BLOB_BYTES} are kept")
    # The nonce goes into the digest, so that a digest that outlives its blob says nothing of it.
    digest = hashlib.sha256(nonce + text).hexdigest()
    return strictjson.canonical({"blob": {"bytes": len(text), "sha256": digest}}).decode(), text
