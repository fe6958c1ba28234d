"""Signing in, and proving again who one is: through allauth's pages, as a browser would."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from tenants import sign_in_urls
from tests.world import PASSWORD, World

LOGIN = "/accounts/login/"
OPEN = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_authenticate",
    "mfa_login_webauthn",
}
PLACES = {"mfa_edit_webauthn": {"pk": 1}, "mfa_remove_webauthn": {"pk": 1}}


def sign_in(client: Client, email: str, password: str = PASSWORD, **extra: Any) -> Any:
    return client.post(LOGIN, {"login": email, "password": password}, **extra)


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def code(secret: str) -> str:
    """What an authenticator application shows now. (The first counter of allauth's is the one before: at the end of its
    half minute it would not count any more when it arrives.)"""
    return totp.format_hotp_value(totp.hotp_value(secret, int(time.time()) // 30))


def test_the_page_of_signing_in_is_ready_to_be_typed_into() -> None:
    page = Client().get(LOGIN).content.decode()
    assert re.search(r'<input[^>]*name="login"[^>]*autofocus', page)


def with_totp(client: Client) -> str:
    """Turn the second step on as a person does; answers the secret."""
    client.get("/accounts/2fa/totp/activate/")
    secret = str(client.session["mfa.totp.secret"])
    response = client.post("/accounts/2fa/totp/activate/", {"code": code(secret)})
    assert response.status_code == 302, response.content
    return secret


def recovery_codes(client: Client) -> list[str]:
    text = client.get("/accounts/2fa/recovery-codes/download/").content.decode()
    return [line for line in text.split() if line]


# -- by password ------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_by_address_and_password_whatever_its_case(world: World) -> None:
    client = Client()
    assert sign_in(client, "ADA@acme.example").status_code == 302
    assert client.get("/", follow=True).redirect_chain[-1][0] == world.acme.url()


def test_a_wrong_password_and_an_unknown_address_get_the_same_answer(world: World) -> None:
    answers = set()
    for email in (world.ada.email, "nobody@acme.example"):
        client = Client()
        response = sign_in(client, email, "wrong password")
        assert response.status_code == 200 and not is_signed_in(client)
        answers.add(re.search(rb'role="alert".*?</div>', response.content, re.S).group())  # type: ignore[union-attr]
    assert len(answers) == 1


def test_after_five_failures_even_the_right_password_waits_from_any_address(world: World) -> None:
    for number in range(5):
        sign_in(Client(), world.ada.email, "wrong password", REMOTE_ADDR=f"198.51.100.{number}")
    client = Client()
    sign_in(client, world.ada.email, REMOTE_ADDR="198.51.100.99")
    assert not is_signed_in(client)
    other = Client()
    sign_in(other, world.ben.email)
    assert is_signed_in(other), "others are not kept out"


def test_a_flood_of_other_counters_does_not_push_a_counter_out(world: World) -> None:
    for number in range(5):
        sign_in(Client(), world.ada.email, "wrong password", REMOTE_ADDR=f"198.51.100.{number}")
    for number in range(400):
        cache.set(f"flood:{number}", number)
    client = Client()
    sign_in(client, world.ada.email, REMOTE_ADDR="198.51.100.99")
    assert not is_signed_in(client)


def test_a_deactivated_account_does_not_sign_in(world: World) -> None:
    world.ada.user.is_active = False
    world.ada.user.save()
    client = Client()
    sign_in(client, world.ada.email)
    assert not is_signed_in(client)


def test_signing_in_takes_a_new_session(world: World) -> None:
    client = Client()
    session = client.session
    session["fixed"] = True
    session.save()
    before = session.session_key
    sign_in(client, world.ada.email)
    assert is_signed_in(client) and client.session.session_key != before


def test_after_signing_in_nobody_is_led_away_from_here(world: World) -> None:
    response = Client().post(f"{LOGIN}?next=https://evil.example/", {"login": world.ada.email, "password": PASSWORD})
    assert response.status_code == 302 and response["Location"] == "/"


def test_signing_out_takes_a_form(world: World, client_for: Callable[..., Client]) -> None:
    client = client_for(world.ada)
    assert client.get("/accounts/logout/").status_code == 200
    assert is_signed_in(client)
    client.post("/accounts/logout/")
    assert not is_signed_in(client)


def test_a_new_password_ends_every_other_session(world: World, client_for: Callable[..., Client]) -> None:
    here, elsewhere = client_for(world.ada, fresh=True), client_for(world.ada)
    new = "twelve badgers singing"
    response = here.post("/accounts/password/change/", {"oldpassword": PASSWORD, "password1": new, "password2": new})
    assert response.status_code == 302
    assert elsewhere.get(world.acme.url()).status_code == 302
    assert sign_in(Client(), world.ada.email, new).status_code == 302


# -- which pages there are --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "signup/",
        "email/",
        "confirm-email/",
        "password/set/",
        "login/code/",
        "2fa/signup/",
        "3rdparty/",
        "social/login/",
    ],
)
def test_pages_that_we_do_not_offer_are_not_there(world: World, client_for: Callable[..., Client], path: str) -> None:
    for client in (Client(), client_for(world.ada, fresh=True)):
        assert client.get(f"/accounts/{path}").status_code == 404


@pytest.mark.parametrize("name", [pattern.name for pattern in sign_in_urls.urlpatterns])
def test_pages_of_the_account_need_a_person(world: World, name: str) -> None:
    kwargs = {"uidb36": "1", "key": "x-y"} if name == "account_reset_password_from_key" else PLACES.get(name, {})
    response = Client().get(reverse(name, kwargs=kwargs))
    if name in OPEN:
        assert response.status_code in (200, 302)
        return
    assert response.status_code == 302 and response["Location"].startswith(LOGIN)


@pytest.mark.parametrize("name", [pattern.name for pattern in sign_in_urls.urlpatterns if pattern.name not in PLACES])
def test_pages_of_the_account_open_for_their_person(world: World, client_for: Callable[..., Client], name: str) -> None:
    client = client_for(world.ada, fresh=True)
    with_totp(client)
    kwargs = {"uidb36": "1", "key": "x-y"} if name == "account_reset_password_from_key" else {}
    response = client.get(reverse(name, kwargs=kwargs))
    assert response.status_code in (200, 302)
    if response.status_code == 200:
        assert "no-store" in response.get("Cache-Control", "no-store")


# -- the second step --------------------------------------------------------------------------------------------------


def test_with_a_second_step_the_password_alone_opens_nothing(world: World, client_for: Callable[..., Client]) -> None:
    with_totp(client_for(world.ada, fresh=True))
    client = Client()
    response = sign_in(client, world.ada.email)
    assert response["Location"].startswith("/accounts/2fa/authenticate/")
    assert not is_signed_in(client)
    assert client.get(world.acme.url()).status_code == 302
    client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_signed_in(client)


def test_the_code_of_the_authenticator_opens_once(world: World, client_for: Callable[..., Client]) -> None:
    secret = with_totp(client_for(world.ada, fresh=True))
    shown = code(secret)
    client, thief = Client(), Client()
    for browser in (client, thief):
        sign_in(browser, world.ada.email)
    client.post("/accounts/2fa/authenticate/", {"code": shown})
    assert is_signed_in(client)
    thief.post("/accounts/2fa/authenticate/", {"code": shown})
    assert not is_signed_in(thief), "a code that was looked over a shoulder is worth nothing"


def test_a_recovery_code_opens_once(world: World, client_for: Callable[..., Client]) -> None:
    owner = client_for(world.ada, fresh=True)
    with_totp(owner)
    first, *_ = recovery_codes(owner)
    for is_first in (True, False):
        client = Client()
        sign_in(client, world.ada.email)
        client.post("/accounts/2fa/authenticate/", {"code": first})
        assert is_signed_in(client) is is_first


def test_turning_the_second_step_on_or_off_asks_for_the_password_again(
    world: World, client_for: Callable[..., Client]
) -> None:
    asked = client_for(world.ada).get("/accounts/2fa/totp/activate/")
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    with_totp(client_for(world.ada, fresh=True))
    for path in ("totp/deactivate/", "recovery-codes/generate/", "webauthn/add/"):
        asked = client_for(world.ada).post(f"/accounts/2fa/{path}")
        assert asked["Location"].startswith("/accounts/reauthenticate/"), path


# -- proving it again -------------------------------------------------------------------------------------------------


def test_making_a_key_asks_for_the_password_and_goes_on_where_it_was(
    world: World, client_for: Callable[..., Client]
) -> None:
    client = client_for(world.ben)
    path = world.acme.url("keys/new/")
    asked = client.get(path)
    assert asked["Location"].startswith("/accounts/reauthenticate/?next=")
    assert client.post(asked["Location"], {"password": "wrong password"}).status_code == 200
    answered = client.post(asked["Location"], {"password": PASSWORD})
    assert answered["Location"] == path
    assert client.get(path).status_code == 200


def test_a_form_that_was_sent_too_late_is_kept_and_carried_out_once(
    world: World, client_for: Callable[..., Client]
) -> None:
    client = client_for(world.ben)
    asked = client.post(world.acme.url("keys/new/"), {"name": "late", "scopes": ["read"]})
    assert world.acme.actions() == []
    done = client.post(asked["Location"], {"password": PASSWORD})
    assert done.status_code == 200 and b"aok_" in done.content
    assert done["Cache-Control"].count("no-store") == 1
    assert world.acme.actions() == ["api_key.created"]


def test_making_an_owner_asks_for_the_password_again_and_making_an_auditor_does_not(
    world: World, client_for: Callable[..., Client]
) -> None:
    client = client_for(world.ada)
    path = world.acme.url(f"members/{world.pete.membership_id}/role/")
    assert client.post(path, {"role": "auditor"})["Location"] == world.acme.url("members/")
    asked = client.post(path, {"role": "owner"})
    assert asked["Location"].startswith("/accounts/reauthenticate/")
    assert client.post(asked["Location"], {"password": PASSWORD})["Location"] == world.acme.url("members/")
    assert world.acme.actions() == ["member.role_changed", "member.role_changed"]


def test_a_code_of_the_authenticator_proves_it_too(world: World, client_for: Callable[..., Client]) -> None:
    client = client_for(world.ben, fresh=True)
    secret = with_totp(client)
    later = client_for(world.ben)
    asked = later.get(world.acme.url("keys/new/"))
    page = later.get(asked["Location"]).content.decode()
    assert "/accounts/2fa/reauthenticate/" in page, "the other way is offered"
    query = asked["Location"].partition("?")[2]
    cache.clear()  # the code of this half minute was used to turn the second step on
    later.post(f"/accounts/2fa/reauthenticate/?{query}", {"code": code(secret)})
    assert later.get(world.acme.url("keys/new/")).status_code == 200


# -- invitations ------------------------------------------------------------------------------------------------------


def link_in(text: str) -> str:
    found = re.search(r"http://testserver(/accounts/password/reset/key/\S+/)", text)
    assert found
    return found.group(1)


def choose_password(client: Client, link: str, password: str) -> Any:
    """Open a link as a browser does: the key goes from the URL into the session, and then the form is sent."""
    shown = client.get(link)
    if shown.status_code != 302:
        return shown
    return client.post(shown["Location"], {"password1": password, "password2": password})


def invite(world: World, client: Client, email: str = "nina@acme.example") -> Any:
    return client.post(world.acme.url("members/new/"), {"email": email, "name": "Nina Berg", "role": "approver"})


def test_an_invited_person_chooses_a_password_once_and_signs_in(
    world: World, client_for: Callable[..., Client]
) -> None:
    page = invite(world, client_for(world.ben))
    [message] = mail.outbox
    assert message.to == ["nina@acme.example"]
    link = link_in(str(message.body))
    assert link in page.content.decode(), "the admin may hand it over too"
    assert choose_password(Client(), link, "four quiet foxes").status_code == 302
    client = Client()
    sign_in(client, "nina@acme.example", "four quiet foxes")
    assert client.get("/")["Location"] == world.acme.url()
    again = Client()
    choose_password(again, link, "five quiet foxes")
    assert sign_in(Client(), "nina@acme.example", "five quiet foxes").status_code == 200, "the link worked once"


def test_whoever_adds_an_existing_account_sees_no_link_to_it(world: World, client_for: Callable[..., Client]) -> None:
    response = invite(world, client_for(world.ben), world.cleo.email)
    assert response.status_code == 302
    [message] = mail.outbox
    assert message.to == [world.cleo.email]
    assert "password/reset" not in message.body


def test_an_invited_person_who_lost_the_link_asks_for_another(world: World, client_for: Callable[..., Client]) -> None:
    invite(world, client_for(world.ben))
    mail.outbox.clear()
    Client().post("/accounts/password/reset/", {"email": "nina@acme.example"})
    [message] = mail.outbox
    assert choose_password(Client(), link_in(str(message.body)), "four quiet foxes").status_code == 302
    assert sign_in(Client(), "nina@acme.example", "four quiet foxes").status_code == 302


def test_asking_for_a_new_password_tells_nobody_whether_there_is_an_account(world: World) -> None:
    answers = {
        Client().post("/accounts/password/reset/", {"email": email}).status_code
        for email in (world.ada.email, "nobody@acme.example")
    }
    assert answers == {302}


def test_a_mail_that_cannot_be_sent_undoes_nothing(
    world: World, client_for: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> int:
        raise OSError("the mail server does not answer")

    monkeypatch.setattr("tenants.sign_in.send_mail", fail)
    response = invite(world, client_for(world.ben))
    assert response.status_code == 200 and b"/accounts/password/reset/key/" in response.content
    assert world.acme.actions() == ["member.added"]
