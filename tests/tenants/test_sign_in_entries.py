"""What happens at the door is in the audit log of every organisation of the person, and in no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from agentops.common.scope import tenant_scope
from audit.errors import AuditRefused
from audit.models import Entry
from audit.types import Category, Outcome
from tenants import services, sign_in_entries
from tenants.roles import Role
from tests.tenants.test_sign_in import code, is_signed_in, recovery_codes, sign_in, with_totp
from tests.world import MADE_AT, OPERATOR, PASSWORD, Organisation, World

FRESH: dict[str, Any] = {"fresh": True}


def told(organisation: Organisation) -> list[tuple[str, dict[str, Any]]]:
    return [(entry.action, entry.told()) for entry in organisation.entries() if entry.category == Category.AUTH]


def test_signing_in_and_out_are_entries(world: World) -> None:
    client = Client(headers={"user-agent": "Firefox/140"})
    sign_in(client, world.ada.email, REMOTE_ADDR="198.51.100.7")
    client.post("/accounts/logout/")
    assert told(world.acme) == [("auth.signed_in", {"method": "password"}), ("auth.signed_out", {})]
    entry = world.acme.entries()[0]
    assert (entry.actor_id, entry.actor_label) == (f"user:{world.ada.user.pk}", world.ada.email)
    assert (entry.src_ip, entry.user_agent) == ("198.51.100.7", "Firefox/140")
    assert told(world.globex) == []


def test_they_are_in_the_log_of_each_organisation_of_the_person(world: World) -> None:
    with tenant_scope(world.globex.id):
        services.add_member(
            tenant=world.globex.id,
            email=world.ada.email,
            name="",
            role=Role.AUDITOR,
            password=None,
            by=OPERATOR,
            at=MADE_AT,
        )
    sign_in(Client(), world.ada.email)
    assert told(world.acme) == told(world.globex) == [("auth.signed_in", {"method": "password"})]


def test_somebody_of_no_organisation_and_staff_sign_in_all_the_same(world: World) -> None:
    for person in (world.stella, world.sam):
        client = Client()
        sign_in(client, person.email)
        assert is_signed_in(client)
    assert told(world.acme) == told(world.globex) == []


def test_a_wrong_password_is_an_entry_about_the_account_and_not_by_it(world: World) -> None:
    sign_in(Client(), "ADA@acme.example", "wrong password", REMOTE_ADDR="198.51.100.8")
    sign_in(Client(), "nobody@acme.example", "wrong password")
    [(action, data)] = told(world.acme)
    assert (action, data) == ("auth.sign_in_failed", {"member": world.ada.email, "why": "wrong password"})
    [entry] = world.acme.entries()
    assert (entry.actor_type, entry.outcome, entry.src_ip) == ("system", Outcome.FAILURE, "198.51.100.8")
    assert entry.target_id == f"user:{world.ada.user.pk}"
    assert "wrong password" in entry.data and world.ada.email not in entry.data, "whom it was about can be erased"


def test_an_account_that_is_deactivated_is_told_of(world: World) -> None:
    world.ada.user.is_active = False
    world.ada.user.save()
    sign_in(Client(), world.ada.email)
    assert [data.get("why") for _, data in told(world.acme)] == ["the account is deactivated"]


def test_second_factors_are_told_of(world: World, client_for: Callable[..., Client]) -> None:
    owner = client_for(world.ada, **FRESH)
    secret = with_totp(owner)
    codes = recovery_codes(owner)
    client = Client()
    sign_in(client, world.ada.email)
    assert [action for action, _ in told(world.acme)][-1] == "auth.credentials_changed", "not signed in by half"
    wrong = "000000" if code(secret) != "000000" else "000001"
    client.post("/accounts/2fa/authenticate/", {"code": wrong})
    client.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_signed_in(client)
    data = [json.dumps(data) for _, data in told(world.acme)]
    assert "authenticator app added" in data[0]
    assert "wrong authenticator app" in data[-2]
    assert "password and recovery code" in data[-1]


def test_a_new_password_is_told_of_however_it_came(world: World, client_for: Callable[..., Client]) -> None:
    client = client_for(world.ada, **FRESH)
    new = "twelve herons wading"
    client.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    Client().post("/accounts/password/reset/", {"email": world.ada.email})
    link = next(word for word in str(mail.outbox[-1].body).split() if "/password/reset/key/" in word)
    other = Client()
    form = other.get(link.partition("testserver")[2] or link, follow=True)
    other.post(form.redirect_chain[-1][0], {"password1": PASSWORD, "password2": PASSWORD})
    what = [data["change"] for action, data in told(world.acme) if action == "auth.credentials_changed"]
    assert what == ["a new password", "a new password, by a link that was mailed"]


def test_where_the_entry_cannot_be_written_nobody_comes_in(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise AuditRefused("no log, no entry")

    monkeypatch.setattr(sign_in_entries.services, "tell_sign_in", refuse)
    client = Client(raise_request_exception=False)
    assert sign_in(client, world.ada.email).status_code == 500
    assert not is_signed_in(client)
    assert Entry.objects.count() == 0, "and nothing is read outside a scope"
