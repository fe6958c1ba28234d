"""What is hashed of an entry: RFC 8785 of everything that is no person's, and salted commitments to the rest."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from agentops.common import clock, strictjson
from agentops.common.errors import InvalidInput
from agentops.common.scope import ScopeError, tenant_scope
from audit import canonical, services
from audit.errors import AuditRefused
from audit.models import Blob, Pending
from audit.origin import origin
from audit.registry import ACTIONS
from audit.types import Actor, Outcome, Target
from tests.world import World

BY = Actor(type="user", id="user:7", label="ada@acme.example")
AGENT = Actor(type="agent", id="agent:refund-desk", label="refund-desk")


def record(world: World, **changes: Any) -> uuid.UUID:
    values = {
        "tenant": world.acme.id, "action": "member.added", "actor": BY, "target": Target(type="user", id="user:9"),
        "outcome": Outcome.SUCCESS, "data": {"member": "new@acme.example", "role": "admin"}, "at": clock.now(),
    }  # fmt: skip
    with tenant_scope(world.acme.id):
        return services.record(**{**values, **changes})


def row_of(world: World, entry: uuid.UUID) -> canonical.Row:
    with tenant_scope(world.acme.id), connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(canonical.COLUMNS)} FROM audit_entry WHERE id = %s", [entry])
        [values] = cursor.fetchall()
    return canonical.row_of(values)


def envelope(world: World, entry: uuid.UUID) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(canonical.envelope(row_of(world, entry)))
    return found


def leaf_of(world: World, entry: uuid.UUID) -> bytes:
    with tenant_scope(world.acme.id):
        return bytes(Pending.objects.get(tenant_id=world.acme.id, entry_id=entry).leaf_hash)


def test_the_envelope_is_rfc_8785_whatever_is_in_it(world: World) -> None:
    odd = 'é "\\ \u0001\n\u2028 \U0001f600 ' + "x" * 50
    for changes in ({}, {"reason": odd, "actor": AGENT}, {"run": uuid.uuid4(), "on_behalf_of": odd}):
        with origin(src_ip="203.0.113.9", user_agent=odd, auth_method="session"):
            raw = canonical.envelope(row_of(world, record(world, **changes)))
        assert raw == rfc8785.dumps(json.loads(raw))


def test_the_leaf_is_that_of_the_row_as_it_is_read_back(world: World) -> None:
    at = datetime(2026, 11, 26, 3, 4, 5, 123456, tzinfo=UTC)
    entry = record(world, at=at, reason="because", run=uuid.uuid4(), on_behalf_of="u-1")
    raw = canonical.envelope(row_of(world, entry))
    assert leaf_of(world, entry) == hashlib.sha256(b"\x00" + raw).digest()
    assert json.loads(raw)["recorded_at"] == "2026-11-26T03:04:05.123456Z"


def test_what_names_a_person_is_not_in_the_envelope_but_its_commitment_is(world: World) -> None:
    with origin(src_ip="203.0.113.9", user_agent="Firefox", auth_method="session"):
        entry = record(world, reason="they asked", on_behalf_of="u-42")
    found, row = envelope(world, entry), row_of(world, entry)
    told = canonical.disclosed(row)
    assert {name: value for name, (_, value) in told.items()} == {
        "actor_label": "ada@acme.example", "on_behalf_of_id": "u-42", "reason": "they asked", "src_ip": "203.0.113.9",
        "user_agent": "Firefox", "data.member": "new@acme.example",
    }  # fmt: skip
    text = json.dumps(found)
    for _, value in told.values():
        assert value not in text
    assert found["data"] == {"role": "admin"} and found["actor"] == {"type": "user", "id": "user:7"}
    assert found["commitments"] == {
        name: canonical.commitment(bytes.fromhex(salt), name, value).hex() for name, (salt, value) in told.items()
    }
    assert len({salt for salt, _ in told.values()}) == len(told), "each value has a salt of its own"


def test_an_agent_and_a_thing_are_nobody_and_stand_in_the_envelope(world: World) -> None:
    found = envelope(world, record(world, actor=AGENT, data={"member": "", "role": "admin"}))
    assert found["actor"] == {"type": "agent", "id": "agent:refund-desk", "label": "refund-desk"}
    assert found["target"] == {"type": "user", "id": "user:9"}
    assert found["data"] == {"member": "", "role": "admin"}
    assert "commitments" not in found


def test_two_entries_that_say_the_same_have_other_leaves(world: World) -> None:
    at = clock.now()
    first, second = record(world, at=at), record(world, at=at)
    assert leaf_of(world, first) != leaf_of(world, second)
    assert envelope(world, first)["nonce"] != envelope(world, second)["nonce"]


def test_large_data_is_a_blob_and_the_entry_holds_its_digest(world: World) -> None:
    changes = "x" * 20_000
    entry = record(world, action="tenant.settings_changed", data={"changes": changes})
    found = envelope(world, entry)
    with tenant_scope(world.acme.id):
        content = bytes(Blob.objects.get(tenant_id=world.acme.id, entry_id=entry).content)
    assert json.loads(content) == {"changes": changes}
    digest = hashlib.sha256(bytes.fromhex(found["nonce"]) + content).hexdigest()
    assert found["data"] == {"blob": {"bytes": len(content), "sha256": digest}}


def test_many_entries_are_written_like_one(world: World) -> None:
    at = clock.now()
    entries = [
        services.NewEntry(action="search.saved", actor=BY, target=Target(type="saved_search", id=str(place)),
                          outcome=Outcome.SUCCESS, data={"name": f"n{place}", "query": ""}, at=at)
        for place in range(50)
    ]  # fmt: skip
    with tenant_scope(world.acme.id):
        assert services.record_many(tenant=world.acme.id, entries=entries) == 50
    for entry in (entries[0], entries[-1]):
        row = row_of(world, entry.id)
        assert leaf_of(world, entry.id) == canonical.leaf_hash(canonical.envelope(row))


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "member.painted"},
        {"data": {"member": "x"}},
        {"data": {"member": "x", "role": "y", "colour": "z"}},
        {"action": "tenant.settings_changed", "data": {"changes": "x" * (9 * 1024 * 1024)}},
    ],
)
def test_what_is_not_of_the_registry_is_refused_and_nothing_is_written(world: World, changes: dict[str, Any]) -> None:
    with pytest.raises(AuditRefused):
        record(world, **changes)
    assert world.acme.entries() == []


def test_outside_the_tenants_scope_nothing_is_recorded(world: World) -> None:
    with pytest.raises(ScopeError), tenant_scope(world.globex.id):
        services.record(
            tenant=world.acme.id, action="member.removed", actor=BY, target=Target(type="user", id="user:9"),
            outcome=Outcome.SUCCESS, data={"member": "x", "role": "admin"}, at=clock.now(),
        )  # fmt: skip


def test_an_entry_goes_with_what_it_records(world: World) -> None:
    with pytest.raises(ZeroDivisionError), tenant_scope(world.acme.id):
        services.record(
            tenant=world.acme.id, action="member.removed", actor=BY, target=Target(type="user", id="user:9"),
            outcome=Outcome.SUCCESS, data={"member": "x", "role": "admin"}, at=clock.now(),
        )  # fmt: skip
        raise ZeroDivisionError
    assert world.acme.entries() == []


def test_every_sentence_can_be_said_from_its_own_fields() -> None:
    for action in ACTIONS.values():
        values = dict.fromkeys(action.fields, "x") | {"actor": "Ada", "target": "it"}
        assert action.sentence.format(**values)
        assert action.personal <= action.fields


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
        st.recursive(
            st.text() | st.booleans() | st.none() | st.integers(-(2**53) + 1, 2**53 - 1),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
            max_leaves=6,
        ),
        max_size=6,
    )
)
def test_the_quick_way_writes_the_bytes_of_rfc_8785(values: dict[str, Any]) -> None:
    assert strictjson.canonical(values) == rfc8785.dumps(values)


def test_every_character_is_escaped_as_rfc_8785_has_it() -> None:
    every = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    assert strictjson.canonical(every) == rfc8785.dumps(every)


@pytest.mark.parametrize("value", [2**53, -(2**53), 2**70, 46000645505258008.0, float("nan"), float("inf")])
def test_a_number_that_not_every_reader_can_hold_is_refused(value: float) -> None:
    with pytest.raises(InvalidInput):
        strictjson.canonical_checked({"n": value})
