"""Three people on the pages of one incident: each in a browser of their own, and what each of them does again and again."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.sync_api import Page, expect

from tests.journeys.test_runs import assert_accessible, assert_fits


@dataclass
class Life:
    """Who acts, each in a browser of their own, and where the incident is."""

    on_call: Page
    commander: Page
    manager: Page
    overview: str = ""

    def turn(self, page: Page, tab: str = "Overview") -> Page:
        """A page of the incident as this person finds it now, by its tab."""
        page.goto(self.overview)
        if tab != "Overview":
            page.get_by_role("navigation", name="INC-").get_by_role("link", name=tab).click()
        return page


def press_all_the_same(page: Page, name: str, refusal: str) -> None:
    """The shortcut: a button that the page holds back is pressed, and the server says what is missing."""
    button = page.get_by_role("button", name=name)
    expect(button).to_be_disabled()
    button.evaluate("button => button.disabled = false")
    button.click()
    expect(page.get_by_role("alert").filter(has_text=refusal)).to_be_visible()
    expect(page.get_by_role("button", name=name)).to_be_disabled()


def looks_well(page: Page) -> None:
    assert_accessible(page)
    assert_fits(page)
