"""Agents and contacts over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from agentops.catalog import manifest
from agentops.catalog.types import Applied
from tenants import machines
from tests.world import Organisation, World

Value = dict[str, Any]
Apply = Callable[..., Applied]
AGENT = "/api/v1/agents/support-bot"


@pytest.fixture(autouse=True)
def _no_cached_keys() -> None:
    machines.forget_cached_keys()


def call(
    organisation: Organisation, method: str, path: str, body: Any = None, *, kind: str = "application/json"
) -> Any:
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {organisation.keys['admin']}"}
    return Client().generic(method, path, raw, content_type=kind, headers=headers)


def test_a_manifest_in_json_registers_a_version(world: World, example: Value) -> None:
    answer = call(world.acme, "PUT", AGENT, example)
    assert answer.status_code == 201, answer.content
    body = answer.json()
    assert (body["agent"], body["version"], body["approved"], body["created"]) == (
        "support-bot",
        "2026-11-20",
        False,
        True,
    )
    assert [(tool["name"], tool["review"], tool["new"]) for tool in body["tools"]] == [
        ("find_order", "pending", True),
        ("refund", "pending", True),
    ]
    entry = world.acme.entries()[-1]
    assert (entry.actor_type, entry.actor_label) == ("service", "key acme admin")


def test_a_manifest_in_yaml_is_the_same(world: World, example: Value) -> None:
    text = Path(__file__).with_name("example.yaml").read_bytes()
    assert call(world.acme, "PUT", AGENT, text, kind="application/yaml; charset=utf-8").status_code == 201
    as_json = manifest.load_yaml(text)
    answer = call(world.acme, "PUT", AGENT, as_json)
    assert (answer.status_code, answer.json()["changed"]) == (200, False)


def test_what_get_answers_put_takes_and_nothing_changes(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example, approve_tools=True)
    found = call(world.acme, "GET", AGENT).json()
    assert found["agent"]["name"] == "support-bot"
    assert found["status"]["approved"] is True
    assert [tool["review"] for tool in found["status"]["tools"]] == ["approved", "approved"]
    again = call(world.acme, "PUT", AGENT, found)
    assert (again.status_code, again.json()["changed"], again.json()["approved"]) == (200, False, True)


def test_an_earlier_version_can_be_asked_for(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example)
    example["agent"]["version"] = "2"
    apply(world.acme, example)
    assert call(world.acme, "GET", AGENT).json()["agent"]["version"] == "2"
    assert call(world.acme, "GET", f"{AGENT}?version=2026-11-20").json()["agent"]["version"] == "2026-11-20"
    missing = call(world.acme, "GET", f"{AGENT}?version=9")
    assert (missing.status_code, missing.json()["code"]) == (404, "agent_unknown")
    assert "2026-11-20" in missing.json()["detail"]


def test_put_never_approves(world: World, example: Value) -> None:
    example["tools"][0]["approved"] = True
    answer = call(world.acme, "PUT", AGENT, example)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("/tools/0/approved", "unknown")
    }
    del example["tools"][0]["approved"]
    example["status"] = {"approved": True}
    assert call(world.acme, "PUT", AGENT, example).json()["approved"] is False


def test_a_warning_comes_with_the_answer(world: World, example: Value) -> None:
    example["agent"] |= {"model": "gpt-4o", "models": ["gpt-4o"]}
    assert [warning["code"] for warning in call(world.acme, "PUT", AGENT, example).json()["warnings"]] == [
        "floating_model"
    ]


def test_the_name_in_the_address_is_the_agents(world: World, example: Value) -> None:
    answer = call(world.acme, "PUT", "/api/v1/agents/other-bot", example)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/agent/name"
    assert world.acme.actions() == []


def test_approvers_missing_is_a_conflict_that_says_so(world: World, example: Value) -> None:
    example["tools"][1]["tier"] = 4
    answer = call(world.globex, "PUT", AGENT, example)
    assert (answer.status_code, answer.json()["code"]) == (409, "approvers_missing")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b'{"agent": 1, "agent": 2}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"a: &x 1\nb: *x", "application/yaml", 400),
        (b"\x00", "application/yaml", 400),
        (b"{}", "application/xml", 415),
        (b"{}", "multipart/form-data; boundary=x", 415),
        (b" " * 300_000, "application/json", 413),
        (b" " * 300_000, "text/yaml", 413),
    ],
)
def test_what_cannot_be_read_is_refused(world: World, body: bytes, kind: str, status: int) -> None:
    answer = call(world.acme, "PUT", AGENT, body, kind=kind)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/agents/nobody",
        "/api/v1/agents/%00",
        "/api/v1/agents/*",
        "/api/v1/contacts/none",
        "/api/v1/contacts/%00",
    ],
)
def test_what_is_not_there_is_not_found(world: World, path: str) -> None:
    assert call(world.acme, "GET", path).status_code == 404


@pytest.mark.parametrize(
    "path",
    [f"{AGENT}?version=%00", "/api/v1/contacts/a?user=%00", "/api/v1/agents?cursor=%00", "/api/v1/agents?cursor=!"],
)
def test_parameters_that_are_no_text_are_refused(world: World, apply: Apply, example: Value, path: str) -> None:
    apply(world.acme, example)
    assert call(world.acme, "GET", path).status_code == 400


def test_agents_are_listed_by_name_page_by_page(
    world: World, apply: Apply, example: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    from agentops.catalog import api

    monkeypatch.setattr(api, "_PAGE", 2)
    for name in ("zoe", "ann", "bob"):
        example["agent"]["name"] = name
        apply(world.acme, example)
    apply(world.globex, example)
    first = call(world.acme, "GET", "/api/v1/agents").json()
    assert [agent["name"] for agent in first["results"]] == ["ann", "bob"]
    assert (first["results"][0]["tools"], first["results"][0]["tools_waiting"]) == (2, 2)
    second = call(world.acme, "GET", first["next"].removeprefix("http://testserver")).json()
    assert ([agent["name"] for agent in second["results"]], second["next"]) == (["zoe"], None)


def test_another_tenants_agent_is_neither_seen_nor_changed(world: World, apply: Apply, example: Value) -> None:
    apply(world.acme, example, approve_tools=True)
    assert call(world.globex, "GET", AGENT).status_code == 404
    assert call(world.globex, "GET", "/api/v1/agents").json()["results"] == []
    before = world.acme.actions()
    assert call(world.globex, "PUT", AGENT, example).status_code == 201
    assert world.acme.actions() == before
    assert call(world.acme, "GET", AGENT).json()["status"]["approved"] is True
    assert call(world.globex, "GET", AGENT).json()["status"]["approved"] is False


# -- contacts ---------------------------------------------------------------------------------------------------------

SET = "/api/v1/contacts/payees"


def test_contacts_are_put_read_and_taken_away(world: World) -> None:
    put = call(world.acme, "PUT", SET, {"contacts": ["b@x.example", "a@x.example", "b@x.example"]})
    assert (put.status_code, put.json()["count"]) == (200, 2)
    found = call(world.acme, "GET", SET).json()
    assert found["contacts"] == ["a@x.example", "b@x.example"]
    assert call(world.globex, "GET", SET).status_code == 404
    assert call(world.acme, "DELETE", SET).status_code == 204
    assert call(world.acme, "GET", SET).status_code == 404
    assert call(world.acme, "DELETE", SET).status_code == 404
    assert world.acme.actions() == ["contacts.set", "contacts.removed"]


def test_an_end_users_contacts_are_their_own(world: World) -> None:
    call(world.acme, "PUT", SET, {"contacts": ["everybody@x.example"]})
    call(world.acme, "PUT", SET, {"user": "u-1", "contacts": ["mine@x.example"]})
    assert call(world.acme, "GET", SET).json()["contacts"] == ["everybody@x.example"]
    assert call(world.acme, "GET", f"{SET}?user=u-1").json()["contacts"] == ["mine@x.example"]
    assert call(world.acme, "GET", f"{SET}?user=u-2").status_code == 404


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (SET, {}, "/contacts"),
        (SET, {"contacts": "a@b.example"}, "/contacts"),
        (SET, {"contacts": None}, "/contacts"),
        (SET, {"contacts": [1]}, "/contacts/0"),
        (SET, {"contacts": [""]}, "/contacts/0"),
        (SET, {"contacts": ["a\u0000"]}, "/contacts/0"),
        (SET, {"contacts": ["a" * 321]}, "/contacts/0"),
        (SET, {"contacts": [str(n) for n in range(20_001)]}, "/contacts"),
        (SET, {"contacts": [], "user": "u" * 201}, "/user"),
        (SET, {"contacts": [], "who": 1}, "/who"),
        ("/api/v1/contacts/a-b", {"contacts": []}, "/name"),
        ("/api/v1/contacts/1a", {"contacts": []}, "/name"),
    ],
)
def test_contacts_that_are_none_are_refused(world: World, path: str, body: Any, pointer: str) -> None:
    answer = call(world.acme, "PUT", path, body)
    assert answer.status_code == 400, answer.content
    assert pointer in {error["pointer"] for error in answer.json()["errors"]}
    assert world.acme.actions() == []
