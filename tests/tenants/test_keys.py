"""Keys of machines, from the text to the door."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest
from django.test import RequestFactory

from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound, NotSignedIn
from agentops.common.scope import tenant_scope
from tenants import keys, machines, services
from tenants.models import ApiKey, Tenant
from tests.world import World


@pytest.fixture(autouse=True)
def _no_cached_keys() -> None:
    machines.forget_cached_keys()


def principal(text: str) -> machines.KeyPrincipal:
    return machines.authenticate(RequestFactory().get("/", headers={"authorization": f"Bearer {text}"}))


def revoke(world: World, text: str) -> ApiKey:
    with tenant_scope(world.acme.id):
        key = ApiKey.objects.get(digest=keys.digest(text))
        return services.revoke_key(tenant=world.acme.id, key=key.id, by=world.ben.actor, at=clock.now())


def test_a_new_key_opens_the_door_of_its_tenant_and_only_its_digest_is_kept(world: World) -> None:
    with tenant_scope(world.acme.id):
        made = services.create_key(
            tenant=world.acme.id, name="support bot", scopes=["read", "ingest"], by=world.ben.actor, at=clock.now()
        )
    found = principal(made.text)
    assert (found.tenant_id, found.key_id, found.scopes) == (world.acme.id, made.key.id, {"ingest", "read"})
    assert made.key.scopes == ["ingest", "read"]
    assert made.text not in repr(ApiKey.__dict__) and made.text not in str(vars(made.key))
    [entry] = world.acme.entries()
    assert entry.action == "api_key.created"
    assert made.text.rsplit("_", 1)[1] not in entry.data


def test_a_key_is_told_apart_by_six_characters(world: World, key_for: Callable[..., str]) -> None:
    text = key_for(world.acme, "ingest", "read")
    assert keys.prefix(text) == f"aok_…{text.rsplit('_', 1)[1][:6]}"


@pytest.mark.parametrize(
    ("name", "scopes", "word"),
    [
        ("bot", [], "at least one"),
        ("bot", ["root"], "no such scope"),
        ("bot", ["guard", "present"], "confirm its own actions"),
        ("  ", ["read"], "needs a name"),
        ("n" * 121, ["read"], "needs a name"),
    ],
)
def test_a_key_that_would_open_nothing_or_too_much_is_refused(
    world: World, name: str, scopes: list[str], word: str
) -> None:
    with tenant_scope(world.acme.id), pytest.raises(InvalidInput, match=word):
        services.create_key(tenant=world.acme.id, name=name, scopes=scopes, by=world.ben.actor, at=clock.now())


def test_a_revoked_key_opens_nothing_at_once(world: World) -> None:
    text = world.acme.keys["read"]
    principal(text)
    revoked = revoke(world, text)
    assert revoked.revoked_by == world.ben.email
    with pytest.raises(NotSignedIn):
        principal(text)


def test_a_second_revocation_changes_nothing_and_leaves_no_second_entry(world: World) -> None:
    first = revoke(world, world.acme.keys["read"])
    second = revoke(world, world.acme.keys["read"])
    assert first.revoked_at == second.revoked_at
    assert world.acme.actions() == ["api_key.revoked"]


def test_a_key_of_another_organisation_is_not_found(world: World) -> None:
    with tenant_scope(world.globex.id):
        foreign = ApiKey.objects.filter(tenant_id=world.globex.id).values_list("id", flat=True).first()
    for key in (foreign, uuid.uuid4()):
        assert key
        with tenant_scope(world.acme.id), pytest.raises(NotFound):
            services.revoke_key(tenant=world.acme.id, key=key, by=world.ben.actor, at=clock.now())


def test_missing_malformed_unknown_and_foreign_keys_get_one_and_the_same_answer(world: World) -> None:
    own = world.acme.keys["read"]
    foreign = keys.mint(world.globex.id)
    mixed = "_".join(["aok", foreign.split("_")[1], own.split("_")[2]])
    sentences = set()
    for text in ("", "nonsense", keys.mint(world.acme.id), keys.mint(uuid.uuid4()), mixed, own[:-1], own + "x"):
        with pytest.raises(NotSignedIn) as refusal:
            principal(text)
        sentences.add(str(refusal.value))
    assert len(sentences) == 1


def test_a_key_of_a_deactivated_organisation_opens_nothing(world: World) -> None:
    Tenant.objects.filter(id=world.acme.id).update(is_active=False)
    with pytest.raises(NotSignedIn):
        principal(world.acme.keys["read"])


def test_the_last_use_of_a_key_is_noted(world: World) -> None:
    text = world.acme.keys["read"]
    principal(text)
    with tenant_scope(world.acme.id):
        assert ApiKey.objects.get(digest=keys.digest(text)).last_used_at is not None
