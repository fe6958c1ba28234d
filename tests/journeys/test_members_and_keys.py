"""An admin gives a key to an agent and takes it back, and changes who belongs: in a browser, by keyboard too."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.world import PASSWORD, Person, World

pytestmark = pytest.mark.journey


def sign_in(page: Page, person: Person) -> None:
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(person.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_label("Your account")).to_be_visible()


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def ben(world: World, page: Page) -> World:
    sign_in(page, world.ben)
    return world


def test_a_key_is_made_shown_once_and_revoked(ben: World, page: Page) -> None:
    page.goto("/t/acme/keys/")
    page.get_by_role("link", name="Make a key").click()
    page.locator("input[name=password]").fill(PASSWORD)
    page.locator("main").get_by_role("button").first.click()
    page.get_by_label("Name").fill("support bot")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_text("OTEL_EXPORTER_OTLP_ENDPOINT")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="I have copied it").click()
    row = page.get_by_role("row", name="support bot")
    row.get_by_role("link", name="Revoke support bot").press("Enter")
    dialog = page.get_by_role("dialog", name="Revoke a key")
    expect(dialog.get_by_text("is refused within seconds")).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    row.get_by_role("link", name="Revoke support bot").click()
    dialog.get_by_role("button", name="Revoke", exact=True).click()
    expect(page.get_by_text("The key support bot is revoked.")).to_be_visible()
    assert ben.acme.actions() == ["auth.signed_in", "api_key.created", "api_key.revoked"]


def test_a_role_is_changed_in_a_dialog_over_the_list(ben: World, page: Page) -> None:
    page.goto("/t/acme/members/")
    page.get_by_role("link", name="Change role of Pete Novak").click()
    dialog = page.get_by_role("dialog", name="Change role")
    dialog.get_by_label("Auditor").check()
    dialog.get_by_role("button", name="Change role").click()
    expect(page.get_by_text("Pete Novak is now auditor.")).to_be_visible()
    assert ben.acme.actions() == ["auth.signed_in", "member.role_changed"]


def test_a_dialog_asks_about_the_row_it_was_opened_from(ben: World, page: Page) -> None:
    page.goto("/t/acme/members/")
    dialog = page.get_by_role("dialog", name="Remove a member")
    for name in ("Pete Novak", "Audrey Kim"):
        page.get_by_role("link", name=f"Remove {name}").click()
        expect(dialog.locator("strong")).to_have_text(name)
        page.keyboard.press("Escape")


def test_the_reference_of_the_api_is_drawn_within_the_content_security_policy(page: Page) -> None:
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    page.goto("/api/v1/docs/")
    expect(page.get_by_text("/api/v1/traces")).to_be_visible()
    assert refused == []


def test_the_list_of_members_is_filtered_as_one_types(ben: World, page: Page) -> None:
    page.goto("/t/acme/members/")
    page.get_by_label("Name or address").press_sequentially("novak")
    expect(page.get_by_role("table", name="Members").get_by_role("row")).to_have_count(2)
    expect(page).to_have_url(f"{page.url.split('?')[0]}?q=novak")


@pytest.mark.parametrize("path", ["", "members/", "members/new/", "keys/", "settings/"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_pass_axe_and_fit_a_telephone(ben: World, page: Page, path: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"/t/acme/{path}")
    assert_accessible(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
