"""Entries as events of OCSF: the class and the activity of each action, and nothing of an entry lost."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from audit import canonical, formats, ocsf
from audit.canonical import Row
from audit.queries.ranges import Placed
from audit.registry import ACTIONS
from audit.types import Outcome

TENANT, ENTRY, RUN = uuid.UUID(int=1), uuid.UUID(int=2), uuid.UUID(int=3)
AT = datetime(2026, 11, 26, 3, 4, 5, 678901, tzinfo=UTC)


def row(action: str, **changes: Any) -> Row:
    """An entry with every field of its action, about nobody."""
    known = ACTIONS[action]
    given: dict[str, Any] = {
        "tenant_id": TENANT, "id": ENTRY, "schema_version": 2, "recorded_at": AT, "occurred_at": AT,
        "category": int(known.category), "action": action, "outcome": int(Outcome.SUCCESS), "actor_type": "user",
        "actor_id": "user:7", "actor_label": "ada@acme.example", "on_behalf_of_id": "", "run_id": None, "target_type": "thing",
        "target_id": "t-1", "reason": "", "src_ip": "", "user_agent": "", "auth_method": "",
        "data": canonical.strictjson.canonical({name: f"the {name}" for name in sorted(known.fields)}).decode(),
        "commitments": "{}", "private": "{}", "nonce": bytes(16),
    }  # fmt: skip
    return Row(**{**given, **changes})


def record(action: str, **changes: Any) -> dict[str, Any]:
    return formats.record(Placed(12, bytes(32), ENTRY, row(action, **changes)))


def event(action: str, **changes: Any) -> dict[str, Any]:
    return ocsf.event(record(action, **changes))


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_every_action_of_the_registry_is_an_event_with_all_that_its_class_requires(action: str) -> None:
    found = event(action)
    assert found["type_uid"] == found["class_uid"] * 100 + found["activity_id"]
    assert found["category_uid"] == found["class_uid"] // 1000
    assert {"time", "severity_id", "metadata", "message", "status_id", "activity_name"} <= found.keys()
    required = {6003: {"actor", "api", "src_endpoint"}, 6001: {"web_resources"}, 3004: {"entity"}, 3005: {"user"}}
    assert required.get(found["class_uid"], set()) <= found.keys()
    assert found["metadata"]["event_code"] == action
    assert found["unmapped"].get("data", {}) == record(action)["data"], "nothing is lost"


@pytest.mark.parametrize(
    ("action", "type_uid"),
    [
        ("tool.called", 600301),
        ("tool.observed", 600301),
        ("run.started", 600301),
        ("tool_call.decided", 600399),
        ("approval.confirmed", 600303),
        ("kill_switch.set", 300409),
        ("kill_switch.lifted", 300408),
        ("agent_version.approved", 300410),
        ("agent_version.approval_withdrawn", 300411),
        ("agent.created", 300401),
        ("tenant.settings_changed", 300403),
        ("price.removed", 300404),
        ("member.added", 300503),
        ("member.role_changed", 300503),
        ("member.removed", 300504),
        ("approvers.granted", 300501),
        ("approvers.revoked", 300502),
        ("staff.read", 600102),
        ("audit.exported", 600107),
        ("search.shared", 600108),
        ("privacy.erased", 300404),
    ],
)
def test_an_action_is_what_siems_call_it(action: str, type_uid: int) -> None:
    assert event(action)["type_uid"] == type_uid


def test_a_switch_that_lets_the_step_end_suspends() -> None:
    data = '{"id":"a","mode":"stop_next_step","scope":"agent","switch":"s"}'
    assert event("kill_switch.set", data=data)["activity_name"] == "Suspend"


@pytest.mark.parametrize(
    ("outcome", "status_id"),
    [(Outcome.SUCCESS, 1), (Outcome.FAILURE, 2), (Outcome.DENIED, 2), (Outcome.UNKNOWN, 0), (Outcome.PENDING, 99)],
)
def test_the_outcome_is_the_status(outcome: Outcome, status_id: int) -> None:
    found = event("tool.called", outcome=int(outcome))
    assert found["status_id"] == status_id
    assert found["unmapped"]["outcome"] == outcome.name.lower()


def test_times_are_milliseconds_and_the_log_keeps_its_own() -> None:
    found = event("tool.called")
    assert found["time"] == int(AT.timestamp()) * 1000 + 678
    assert found["metadata"]["logged_time"] == found["time"]


def test_an_agent_is_an_agent_with_its_run_and_whom_it_acts_for() -> None:
    found = event(
        "tool.called", actor_type="agent", actor_id="agent:refund-desk", actor_label="refund-desk", run_id=RUN,
        on_behalf_of_id="u-1", data='{"call":"c","external_id":"","external_system":"stripe","idempotency_key":"k","outcome":"ok"}',
        target_type="tool", target_id="refund",
    )  # fmt: skip
    assert found["ai_agent"] == {"uid": "agent:refund-desk", "name": "refund-desk", "instance_uid": RUN.hex}
    assert found["actor"]["app_name"] == "refund-desk"
    assert found["actor"]["user"]["uid"] == "u-1"
    assert found["trace"]["uid"] == RUN.hex
    assert found["api"] == {"operation": "refund", "service": {"name": "stripe"}}
    assert found["dst_endpoint"]["svc_name"] == "stripe"
    assert found["metadata"]["correlation_uid"] == "k"
    assert found["metadata"]["profiles"] == ["ai_operation", "trace"]


def test_an_event_leads_back_to_its_leaf() -> None:
    found = event("member.added")
    [attestation] = found["attestation_list"]
    assert attestation["fingerprint"] == {"algorithm_id": 3, "algorithm": "SHA-256", "value": bytes(32).hex()}
    assert (attestation["chain_uid"], attestation["uid"]) == (str(TENANT), "12")
    assert (found["metadata"]["sequence"], found["metadata"]["uid"]) == (12, str(ENTRY))


def test_where_a_person_was_is_told_as_siems_look_for_it() -> None:
    found = event("member.added", src_ip="192.0.2.1", user_agent="Firefox", reason="new here")
    assert found["src_endpoint"] == {"ip": "192.0.2.1"}
    assert found["http_request"] == {"user_agent": "Firefox"}
    assert found["status_detail"] == "new here"


def test_an_erased_person_is_in_no_part_of_an_event() -> None:
    found = event(
        "member.added", actor_label="", data='{"role":"admin"}',
        commitments='{"actor_label":"00","data.member":"00"}',
    )  # fmt: skip
    assert found["user"] == {"uid": "t-1"}
    assert found["unmapped"]["erased"] == ["actor_label", "data.member"]
    assert "(erased)" in found["message"]


@pytest.mark.parametrize("made", [formats.record, lambda one: formats.message(one, "ocsf")])
def test_of_a_deleted_entry_its_place_is_told(made: Callable[[Placed], dict[str, Any]]) -> None:
    assert made(Placed(5, bytes(32), ENTRY, None)) == {
        "leaf": 5,
        "hash": bytes(32).hex(),
        "id": str(ENTRY),
        "pruned": True,
    }
