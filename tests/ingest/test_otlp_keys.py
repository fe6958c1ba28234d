"""Who may send: every way to bring a key, and every key that is none."""

from __future__ import annotations

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from tenants import machines, queries, services
from tests.ingest.wire import Encoding, Sender, span, traces
from tests.world import World

ENCODINGS: tuple[Encoding, ...] = ("protobuf", "json")
both = pytest.mark.parametrize("encoding", ENCODINGS)


def _swap(text: str) -> str:
    return text[:-1] + ("a" if text[-1] != "a" else "b")


@both
@pytest.mark.parametrize(
    "what", ["none", "no key of ours", "an unknown secret", "another tenant's name", "unknown tenant"]
)
def test_who_cannot_say_who_they_are_gets_the_same_401(
    acme: Sender, globex: Sender, world: World, encoding: Encoding, what: str
) -> None:
    own, other = acme.key.split("_"), globex.key.split("_")
    text = {
        "none": "",
        "no key of ours": "sk-1234",
        "an unknown secret": _swap(acme.key),
        "another tenant's name": f"aok_{other[1]}_{own[2]}",
        "unknown tenant": f"aok_{'1' * 22}_{own[2]}",
    }[what]
    headers = {"Authorization": f"Bearer {text}"} if text else {}
    answer = acme.otlp(traces(span(), encoding=encoding), encoding=encoding, headers=headers)
    assert (answer.status, answer.encoding, answer.code) == (401, encoding, 16)
    assert "missing, unknown or revoked" in answer.message
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert acme.runs() == [] and globex.runs() == []


@both
def test_a_revoked_key_gets_the_same_401(acme: Sender, world: World, encoding: Encoding) -> None:
    assert acme.spans(span(), encoding=encoding).status == 200
    with tenant_scope(world.acme.id):
        [key] = [key for key in queries.keys(world.acme.id) if key.scopes == ["ingest"]]
        services.revoke_key(tenant=world.acme.id, key=key.id, by=world.ada.actor, at=clock.now())
    machines.forget_cached_keys()
    answer = acme.spans(span(), encoding=encoding)
    assert (answer.status, answer.encoding, answer.code) == (401, encoding, 16)
    assert "missing, unknown or revoked" in answer.message


@both
@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
def test_a_key_without_the_scope_gets_403(acme: Sender, path: str, encoding: Encoding) -> None:
    answer = acme.otlp(b"", path=path, encoding=encoding, headers={"Authorization": f"Bearer {acme.read_key}"})
    assert (answer.status, answer.encoding, answer.code) == (403, encoding, 7)
    assert "'ingest'" in answer.message


def test_a_key_writes_to_its_own_tenant_whatever_the_attributes_claim(
    acme: Sender, globex: Sender, world: World
) -> None:
    claims = {"tenant.id": str(world.globex.id), "langfuse.project": "globex", "agentops.tenant": "globex"}
    item = span(attributes=claims)
    assert acme.spans(item).is_full_success
    assert acme.has_run(item["trace_id"]) and not globex.has_run(item["trace_id"])


def test_two_tenants_may_use_one_trace_id(acme: Sender, globex: Sender) -> None:
    item = span("theirs")
    assert globex.spans(item).is_full_success
    assert acme.spans({**item, "name": "ours"}).is_full_success
    assert globex.names_of(item["trace_id"]) == ["theirs"]
    assert acme.names_of(item["trace_id"]) == ["ours"]
