"""A person signs in, finds a run, reads it, and keeps the search for a colleague: by mouse, by keyboard, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from tests.traces import stories
from tests.traces.pages import send, send_evaluation
from tests.world import PASSWORD, Person, World

pytestmark = pytest.mark.journey


@pytest.fixture
def acme(world: World, live_portal: Any) -> World:
    """Acme's agents have worked: a refund, a failure, and a run of 2,000 spans."""
    send(world.acme, stories.refund("mia", order="ord_4711", user="mia"), stories.failing("failed"))
    send(world.acme, stories.large("large", spans=2_000, steps=5))
    send_evaluation(
        world.acme, stories.run_id("mia"), stories.span_id("mia", "final answer"),
        name="tone", score__value=0.4, score__label="fail", explanation="Too short.",
    )  # fmt: skip
    return world


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


def sign_in(page: Page, person: Person) -> None:
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(person.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your account")).to_be_visible()


def assert_accessible(page: Page) -> None:
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    assert found.violations_count == 0, found.generate_report()


def assert_fits(page: Page) -> None:
    """Nothing has to be scrolled sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def span(page: Page, name: str) -> Locator:
    return page.locator(".span-row", has=page.get_by_role("link", name=name, exact=True))


def detail(page: Page) -> Locator:
    return page.get_by_role("complementary", name="The opened span")


def focused(page: Page, name: str) -> None:
    expect(page.locator(":focus")).to_have_text(name)


def test_by_mouse(acme: World, page: Page) -> None:
    sign_in(page, acme.ada)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_role("heading", name="Runs that failed")).to_be_visible()
    assert_accessible(page)

    page.get_by_role("link", name="Runs", exact=True).first.click()
    expect(page.get_by_text("3 runs")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.get_by_label("Status").select_option("ok")
    expect(page.get_by_role("row")).to_have_count(3)
    page.get_by_label("Text").fill("ord_4711")
    expect(page.get_by_role("row")).to_have_count(2)
    assert "q=ord_4711" in page.url and "status=ok" in page.url

    page.get_by_role("link", name="refund-desk").click()
    expect(page.get_by_role("heading", name="refund-desk", level=1)).to_be_visible()
    span(page, "find_order").get_by_role("link").click()
    expect(detail(page).get_by_role("heading", name="find_order")).to_be_visible()
    expect(detail(page).get_by_text('"order": "ord_4711"').first).to_be_visible()
    expect(span(page, "find_order").get_by_role("link")).to_have_attribute("aria-current", "true")
    assert page.url.endswith(f"?span={stories.span_id('mia', 'find_order')}")
    assert_accessible(page)
    page.reload()
    expect(detail(page).get_by_role("heading", name="find_order")).to_be_visible()

    twig = page.get_by_role("button", name="Steps inside find_order")
    twig.click()
    expect(span(page, "SELECT orders")).to_be_hidden()
    twig.click()
    expect(span(page, "SELECT orders")).to_be_visible()

    page.get_by_role("link", name="Open as a page").click()
    expect(page.get_by_role("heading", name="find_order", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="SELECT orders")).to_be_visible()
    assert_accessible(page)


def test_by_keyboard(acme: World, page: Page) -> None:
    sign_in(page, acme.ada)
    keys = page.keyboard
    keys.press("/")
    keys.type("ord_4711")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Runs", exact=True)).to_be_visible()
    keys.press("j")
    focused(page, "refund-desk 2026.11.1")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="refund-desk", level=1)).to_be_visible()

    keys.press("j")
    focused(page, "invoke_agent refund-desk")
    keys.press("ArrowLeft")
    expect(span(page, "find_order")).to_be_hidden()
    keys.press("ArrowRight")
    expect(span(page, "find_order")).to_be_visible()
    keys.press("ArrowRight")
    focused(page, f"chat {stories.MODEL}")
    keys.press("Enter")
    expect(detail(page).get_by_text("Let me look at that order.")).to_be_visible()
    expect(detail(page).get_by_text("Asks for find_order")).to_be_visible()
    keys.press("End")
    keys.press("Enter")
    expect(detail(page).get_by_role("heading", name="Evaluations")).to_be_visible()
    expect(detail(page).get_by_text("fail 0.4")).to_be_visible()
    keys.press("Home")
    focused(page, "invoke_agent refund-desk")
    keys.press("Tab")
    assert page.evaluate("document.activeElement.closest('#span-detail') !== null"), "the tree is one stop of Tab"

    keys.press("?")
    help_box = page.get_by_role("dialog", name="Keyboard")
    expect(help_box.get_by_text("In a timeline: unfold and fold a span")).to_be_visible()
    assert_accessible(page)
    keys.press("Escape")
    expect(help_box).to_be_hidden()


def test_a_large_run_loads_what_is_opened(acme: World, page: Page) -> None:
    sign_in(page, acme.ada)
    page.goto(f"/t/acme/runs/{stories.run_id('large')}/")
    rows = page.locator(".span-row")
    expect(rows).to_have_count(6)
    page.keyboard.press("j")
    page.keyboard.press("j")
    focused(page, "step 0")
    page.keyboard.press("ArrowRight")
    expect(rows).to_have_count(106)
    page.keyboard.press("ArrowRight")
    focused(page, "fetch 0.0")
    page.keyboard.press("ArrowLeft")
    focused(page, "step 0")
    page.keyboard.press("ArrowLeft")
    expect(span(page, "fetch 0.0")).to_be_hidden()
    page.keyboard.press("ArrowRight")
    expect(span(page, "fetch 0.0")).to_be_visible()
    expect(rows).to_have_count(106)
    page.get_by_role("button", name="Show the next spans").click()
    expect(rows).to_have_count(206)
    page.get_by_role("button", name="Look for them").click()
    expect(page.get_by_text("Every span has its parent")).to_be_visible()
    assert_accessible(page)


def test_a_search_is_saved_and_shared(acme: World, page: Page, _chromium: Any) -> None:
    sign_in(page, acme.ada)
    page.goto("/t/acme/runs/")
    page.get_by_text("More filters").click()
    page.get_by_label("Error type").fill("TimeoutError")
    page.get_by_label("Error type").press("Enter")
    chips = page.get_by_label("Filters in force")
    expect(chips).to_contain_text("TimeoutError")
    page.get_by_text("Save this search").click()
    page.get_by_label("Name").fill("Timeouts")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Saved as “Timeouts”.")).to_be_visible()
    expect(page.get_by_role("link", name="billing-bot")).to_be_visible()

    page.get_by_text("Saved searches", exact=True).click()
    page.get_by_role("link", name="All saved searches").click()
    page.get_by_text("Share or delete").click()
    page.get_by_label("Share with").select_option(label="Audrey Kim")
    assert_accessible(page)
    page.get_by_role("button", name="Share", exact=True).click()
    expect(page.get_by_text("shared with Audrey Kim")).to_be_visible()

    page.context.clear_cookies()
    sign_in(page, acme.audrey)
    page.goto("/t/acme/searches/")
    page.keyboard.press("j")
    focused(page, "Timeouts")
    page.keyboard.press("Enter")
    expect(chips).to_contain_text("TimeoutError")
    expect(page.get_by_role("link", name="billing-bot")).to_be_visible()


def test_dead_letters_are_chosen_and_discarded_by_keyboard(acme: World, page: Page) -> None:
    send(acme.acme, stories.refused("bad"))
    sign_in(page, acme.ben)
    page.goto("/t/acme/ingest/")
    expect(page.locator("[data-chart][data-state=drawn] .main-svg").first).to_be_visible()
    assert_accessible(page)
    boxes = page.get_by_role("checkbox", name="Choose:")
    expect(boxes).to_have_count(3)
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(boxes.nth(1)).to_be_checked()
    page.get_by_role("button", name="Discard the chosen").press("Enter")
    expect(page.get_by_text("1 discarded.")).to_be_visible()
    page.get_by_label("Choose all on this page").check()
    page.get_by_role("button", name="Replay the chosen").click()
    expect(page.get_by_text("0 of 2 taken in.")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_a_run_reads_in_one_column(acme: World, page: Page, scheme: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    sign_in(page, acme.ada)
    for path in (
        "/t/acme/",
        "/t/acme/runs/",
        f"/t/acme/runs/{stories.run_id('failed')}/",
        "/t/acme/ingest/",
        "/t/acme/searches/",
    ):
        page.goto(path)
        assert_fits(page)
        assert_accessible(page)
    page.goto(f"/t/acme/runs/{stories.run_id('failed')}/")
    span(page, "charge_card").get_by_role("link").click()
    expect(page.get_by_role("heading", name="charge_card", level=1)).to_be_visible()
    expect(page.get_by_text("no answer after 5.0 s")).to_be_visible()


def test_staff_read_a_run_from_the_list_of_all(acme: World, page: Page) -> None:
    sign_in(page, acme.sam)
    page.keyboard.press("/")
    page.keyboard.type("ord_4711")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Where to look?")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name="Acme", exact=True).click()
    page.get_by_role("link", name="refund-desk").click()
    expect(page.get_by_role("heading", name="refund-desk", level=1)).to_be_visible()
    span(page, "refund_payment").get_by_role("link").click()
    expect(detail(page).get_by_role("heading", name="refund_payment")).to_be_visible()
    assert_accessible(page)
    agents_own = {"tool.observed", "side_effect.observed"}  # what the run's spans left
    assert set(acme.acme.actions()) - agents_own == {"staff.read"}
