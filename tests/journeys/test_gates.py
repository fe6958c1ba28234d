"""A gate fails, one person asks to go past it, another agrees, and the version is approved."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.catalog.types import Gate
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tests.evals.gates.making import Desk, F, P, all_pass, keys
from tests.journeys.test_confirmations import PHONE
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.world import World

pytestmark = pytest.mark.journey


@pytest.fixture
def desk(world: World, live_portal: Any) -> Desk:
    """Version 1 is in production; version 2 loses two of its cases, wins one, and passes another at times."""
    made = Desk(world.acme, clock.now())
    made.version("1", approve=True)
    made.version("2")
    revision = made.eval_set("starter", keys(60))
    made.suite("1", revision, all_pass(60, repeats=3, but={"case-31": [F, F, F]}))
    made.suite(
        "2",
        revision,
        all_pass(60, repeats=3, but={**{key: [F, F, F] for key in ("case-07", "case-08")}, "case-12": [P, F, P]}),
    )
    return made


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


Second = Callable[[], Page]


@pytest.fixture
def another(_chromium: Any, live_portal: Any) -> Iterator[Second]:
    """Another person's browser."""
    contexts = []

    def opened() -> Page:
        context = _chromium.new_context(base_url=live_portal.url, reduced_motion="reduce")
        contexts.append(context)
        found: Page = context.new_page()
        return found

    yield opened
    for context in contexts:
        context.close()


def test_a_gate_fails_and_two_people_go_past_it(world: World, desk: Desk, page: Page, another: Second) -> None:
    sign_in(page, world.ada)
    page.goto(desk.organisation.url("quality/gates/"))
    assert_accessible(page)
    page.get_by_role("link", name="desk", exact=True).click()
    page.get_by_role("link", name="Ask for a suite …").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("How often each case is run").fill("3")
    dialog.get_by_label("Cases that must pass, in %").fill("90")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved: no version is approved without it.")).to_be_visible()
    expect(page.locator("[data-chart][data-state=drawn]")).to_be_visible(timeout=30_000)
    assert_accessible(page)
    assert_fits(page)

    page.get_by_role("table", name="Versions").get_by_role("link", name="2", exact=True).click()
    page.get_by_role("button", name="Decide now").click()
    expect(page.get_by_text("It cannot be approved", exact=True)).to_be_visible()
    cases = page.get_by_role("table", name="Cases of starter to look at")
    expect(cases.get_by_role("row", name="case-07")).to_contain_text("passes no more")
    expect(cases.get_by_role("row", name="case-12")).to_contain_text("passes at times only")
    expect(cases.get_by_role("row", name="case-31")).to_contain_text("passes now")
    assert_accessible(page)
    assert_fits(page)

    page.get_by_role("link", name="Let it through in spite of that …").click()
    page.get_by_label("Reason").fill("case-07 and case-12 ask for the price list of last year")
    page.get_by_role("button", name="Ask a second person").click()
    expect(page.get_by_text("Somebody else must agree. You can take it back.")).to_be_visible()
    expect(page.get_by_role("button", name="I agree: let it through")).to_have_count(0)
    assert_accessible(page)

    second = another()
    second.set_viewport_size(PHONE)  # type: ignore[arg-type]
    sign_in(second, world.ben)
    second.goto(desk.organisation.url("quality/gates/"))
    second.get_by_role("link", name="somebody asked to go past its gate").click()
    expect(second.get_by_text("the price list of last year").first).to_be_visible()
    assert_accessible(second)
    assert_fits(second)
    second.get_by_role("button", name="I agree: let it through").click()
    expect(second.get_by_text("Two people let it through in spite of its gate").first).to_be_visible()
    expect(second.get_by_text(f"{world.ada.email} and {world.ben.email}: case-07").first).to_be_visible()
    assert_accessible(second)
    assert_fits(second)
    with tenant_scope(desk.id):
        assert desk.standing("2").gate == Gate.OVERRIDDEN

    page.goto(desk.organisation.url("agents/desk/"))
    page.get_by_role("link", name="Approve 2").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("let through by Ada and Ben")
    page.get_by_role("button", name="Approve", exact=True).click()
    expect(page.get_by_text("Version 2 is approved: its runs may begin.")).to_be_visible()
