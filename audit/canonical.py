"""The bytes of an entry that are hashed: what a customer's verifier hashes again.

An envelope is RFC 8785 JSON of an entry without its personal values; of each of those it holds a commitment instead,
SHA-256(0x02 ‖ salt ‖ name ‖ 0x00 ‖ value in RFC 8785 JSON), so that value and salt can be destroyed and the entry still be
checked. The leaf is SHA-256(0x00 ‖ envelope), as RFC 9162 has it. What is absent is left out, never null.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import rfc8785

from audit.types import Category, Outcome

SCHEMA_VERSION = 2
SALT_BYTES = 16
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
        return tuple(getattr(self, name) for name in COLUMNS)


def envelope(row: Row) -> bytes:
    """The canonical bytes of an entry, from its row alone. All names are ASCII, so orjson's order is RFC 8785's."""
    commitments = orjson.loads(row.commitments)
    found: dict[str, Any] = {
        "action": row.action,
        "actor": _present(
            {"id": row.actor_id, "label": _plain(row, "actor_label", commitments), "type": row.actor_type}
        ),
        "category": Category(row.category).name.lower(),
        "data": orjson.Fragment(row.data),
        "id": str(row.id),
        "nonce": bytes(row.nonce).hex(),
        "occurred_at": timestamp(row.occurred_at),
        "outcome": Outcome(row.outcome).name.lower(),
        "recorded_at": timestamp(row.recorded_at),
        "schema": row.schema_version,
        "target": _present({"id": _plain(row, "target_id", commitments), "type": row.target_type}),
        "tenant": str(row.tenant_id),
    }
    if commitments:
        found["commitments"] = orjson.Fragment(row.commitments)
    maybe = {
        "on_behalf_of": _plain(row, "on_behalf_of_id", commitments),
        "reason": _plain(row, "reason", commitments),
        "src_ip": _plain(row, "src_ip", commitments),
        "user_agent": _plain(row, "user_agent", commitments),
        "auth_method": row.auth_method,
        "run": row.run_id.hex if row.run_id else "",
    }
    found.update(_present(maybe))
    return orjson.dumps(found, option=orjson.OPT_SORT_KEYS)


def leaf_hash(envelope_bytes: bytes) -> bytes:
    """RFC 9162, 2.1.1: the hash of a leaf, 32 bytes."""
    return hashlib.sha256(LEAF_PREFIX + envelope_bytes).digest()


def commit(values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Commitments of personal values by name (canonical JSON), and what `private` keeps of them."""
    if not values:
        return "{}", {}
    salts = os.urandom(SALT_BYTES * len(values))
    commitments: dict[str, str] = {}
    private: dict[str, Any] = {}
    for place, (name, value) in enumerate(values.items()):
        salt = salts[place * SALT_BYTES : (place + 1) * SALT_BYTES]
        commitments[name] = commitment(salt, name, value).hex()
        private[name] = [salt.hex(), value] if name.startswith("data.") else salt.hex()
    return orjson.dumps(commitments, option=orjson.OPT_SORT_KEYS).decode(), private


def commitment(salt: bytes, name: str, value: Any) -> bytes:
    """The commitment of one personal value, 32 bytes."""
    text = orjson.dumps(value) if isinstance(value, str) else rfc8785.dumps(value)
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


def timestamp(moment: datetime) -> str:
    """An aware datetime as `YYYY-MM-DDTHH:MM:SS.ffffffZ`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(row: Row, name: str, commitments: Mapping[str, str]) -> str:
    return "" if name in commitments else getattr(row, name)


def _present(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}
