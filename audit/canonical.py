"""The bytes of an entry that are hashed: what a customer's verifier hashes again.

An envelope is RFC 8785 JSON of an entry without its personal values; of each of those it holds a commitment instead,
SHA-256(0x02 ‖ salt ‖ name ‖ 0x00 ‖ value in RFC 8785 JSON), so that value and salt can be destroyed and the entry still be
checked. The leaf is SHA-256(0x00 ‖ envelope), as RFC 9162 has it. What is absent is left out, never null.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from agentops.common import strictjson
from audit.types import Category, Outcome

SCHEMA_VERSION = 2
SALT_BYTES = 16
_CATEGORIES = {int(one): one.name.lower() for one in Category}
_OUTCOMES = {int(one): one.name.lower() for one in Outcome}
LEAF_PREFIX, COMMITMENT_PREFIX = b"\x00", b"\x02"
# Columns that may be personal. Their values stand in the row, their commitments in the envelope.
PERSONAL_COLUMNS = ("actor_label", "on_behalf_of_id", "target_id", "reason", "src_ip", "user_agent")
COLUMNS = (
    "tenant_id", "id", "schema_version", "recorded_at", "occurred_at", "category", "action", "outcome", "actor_type",
    "actor_id", "actor_label", "on_behalf_of_id", "run_id", "target_type", "target_id", "reason", "src_ip", "user_agent",
    "auth_method", "data", "commitments", "private", "nonce",
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """An entry as its table has it, in the order of COLUMNS.

    `commitments` is canonical JSON of name to hexadecimal digest. `private` is JSON of name to the salt of a column
    (hexadecimal), or to [salt, value] of a field of `data` (its name begins with "data."); what was erased is not in it,
    and its column is empty.
    """

    tenant_id: uuid.UUID
    id: uuid.UUID
    schema_version: int
    recorded_at: datetime
    occurred_at: datetime
    category: int
    action: str
    outcome: int
    actor_type: str
    actor_id: str
    actor_label: str
    on_behalf_of_id: str
    run_id: uuid.UUID | None
    target_type: str
    target_id: str
    reason: str
    src_ip: str
    user_agent: str
    auth_method: str
    data: str
    commitments: str
    private: str
    nonce: bytes

    def values(self) -> tuple[Any, ...]:
        return _values(self)


_values: Callable[[Row], tuple[Any, ...]] = operator.attrgetter(*COLUMNS)


def envelope(row: Row, commitments: Mapping[str, str] | None = None) -> bytes:
    """The canonical bytes of an entry, from its row alone. All names are ASCII, so orjson's order is RFC 8785's.

    `commitments` are those of the row, where the caller has them parsed.
    """
    if commitments is None:
        commitments = orjson.loads(row.commitments)
    actor = {"type": row.actor_type}
    target = {"type": row.target_type}
    found: dict[str, Any] = {
        "action": row.action,
        "actor": actor,
        "category": _CATEGORIES[row.category],
        "data": orjson.Fragment(row.data),
        "id": row.id,
        "nonce": bytes(row.nonce).hex(),
        "occurred_at": timestamp(row.occurred_at),
        "outcome": _OUTCOMES[row.outcome],
        "recorded_at": timestamp(row.recorded_at),
        "schema": row.schema_version,
        "target": target,
        "tenant": row.tenant_id,
    }
    if commitments:
        found["commitments"] = orjson.Fragment(row.commitments)
    if row.actor_id:
        actor["id"] = row.actor_id
    if row.auth_method:
        found["auth_method"] = row.auth_method
    if row.run_id is not None:
        found["run"] = row.run_id.hex
    if row.actor_label and "actor_label" not in commitments:
        actor["label"] = row.actor_label
    if row.target_id and "target_id" not in commitments:
        target["id"] = row.target_id
    if row.on_behalf_of_id and "on_behalf_of_id" not in commitments:
        found["on_behalf_of"] = row.on_behalf_of_id
    if row.reason and "reason" not in commitments:
        found["reason"] = row.reason
    if row.src_ip and "src_ip" not in commitments:
        found["src_ip"] = row.src_ip
    if row.user_agent and "user_agent" not in commitments:
        found["user_agent"] = row.user_agent
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def leaf_hash(envelope_bytes: bytes) -> bytes:
    """RFC 9162, 2.1.1: the hash of a leaf, 32 bytes."""
    return hashlib.sha256(LEAF_PREFIX + envelope_bytes).digest()


def commit(values: Mapping[str, Any]) -> tuple[dict[str, str], str, str]:
    """Commitments of personal values by name; the same as canonical JSON; and what `private` keeps of them, as JSON."""
    if not values:
        return {}, "{}", "{}"
    salts = os.urandom(SALT_BYTES * len(values))
    commitments: dict[str, str] = {}
    private: dict[str, Any] = {}
    place = 0
    for name, value in values.items():
        salt = salts[place : place + SALT_BYTES]
        commitments[name] = commitment(salt, name, value).hex()
        private[name] = [salt.hex(), value] if name.startswith("data.") else salt.hex()
        place += SALT_BYTES
    return commitments, orjson.dumps(commitments, option=orjson.OPT_SORT_KEYS).decode(), orjson.dumps(private).decode()


def commitment(salt: bytes, name: str, value: Any) -> bytes:
    """The commitment of one personal value, 32 bytes."""
    text = strictjson.canonical_checked(value)
    return hashlib.sha256(COMMITMENT_PREFIX + salt + name.encode() + b"\x00" + text).digest()


def disclosed(row: Row) -> dict[str, tuple[str, Any]]:
    """The personal values of an entry that were not erased: name to salt (hexadecimal) and value."""
    found: dict[str, tuple[str, Any]] = {}
    for name, kept in orjson.loads(row.private).items():
        found[name] = (kept[0], kept[1]) if name.startswith("data.") else (kept, getattr(row, name))
    return found


def erased(row: Row) -> list[str]:
    """The names of personal values that are no more: committed to, but not kept."""
    private = orjson.loads(row.private)
    return [name for name in orjson.loads(row.commitments) if name not in private]


def row_of(values: Sequence[Any]) -> Row:
    """A row from what a SELECT of COLUMNS brought."""
    return Row(*values)


@functools.lru_cache(maxsize=256)
def timestamp(moment: datetime) -> str:
    """An aware datetime as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
