"""A person adds a passkey, signs out, and signs in with it alone: in a browser, under our content security policy."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tenants.models import User

PASSWORD = "correct horse battery staple"


@pytest.fixture
def person(live_portal: Any) -> User:
    return User.objects.create_user("passkey@example.com", PASSWORD, name="Noor Haddad")


@pytest.fixture
def address(live_portal: Any) -> str:
    """The portal by name: browsers refuse passkeys at a bare IP address."""
    return str(live_portal.url).rstrip("/").replace("127.0.0.1", "localhost")


@pytest.fixture
def authenticator(page: Page) -> Any:
    """A virtual authenticator that verifies its user, as a phone or laptop does."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    answer = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    return session, answer["authenticatorId"]


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser complains about: script errors and violations of the policy."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on(
        "console", lambda message: found.append(message.text) if "Content Security Policy" in message.text else None
    )
    return found


def sign_in_with_password(page: Page, address: str) -> None:
    page.goto(f"{address}/accounts/login/")
    page.get_by_label("E-mail").or_(page.get_by_label("Email")).fill("passkey@example.com")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("Your account")).to_be_visible()


def add_passkey(page: Page, address: str) -> None:
    page.goto(f"{address}/accounts/2fa/webauthn/add/")
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_label("Name").fill("Noor's laptop")
    expect(page.get_by_label("Signs me in alone")).to_be_checked()
    page.get_by_role("button", name="Add passkey").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()


def sign_out(page: Page) -> None:
    page.get_by_label("Your account").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your account")).to_have_count(0)


def test_a_passkey_signs_a_person_in_without_a_password(
    person: User, address: str, page: Page, authenticator: Any, complaints: list[str]
) -> None:
    sign_in_with_password(page, address)
    add_passkey(page, address)
    page.goto(f"{address}/accounts/2fa/webauthn/")
    expect(page.get_by_role("row", name="Noor's laptop")).to_contain_text("Passkey")

    sign_out(page)
    page.goto(f"{address}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    page.get_by_label("Your account").click()
    expect(page.get_by_text("passkey@example.com")).to_be_visible()
    page.goto(f"{address}/accounts/2fa/webauthn/")
    expect(page.get_by_role("row", name="Noor's laptop")).not_to_contain_text("never")
    assert complaints == []


def test_a_passkey_that_is_not_given_is_explained(
    person: User, address: str, page: Page, authenticator: Any, complaints: list[str]
) -> None:
    sign_in_with_password(page, address)
    add_passkey(page, address)
    sign_out(page)
    session, authenticator_id = authenticator
    session.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator_id, "isUserVerified": False})

    page.goto(f"{address}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()

    expect(page.get_by_role("alert")).to_contain_text("The passkey was not used")
    assert complaints == []
