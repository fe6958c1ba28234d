"""An admin sees a user near their limit, looks at what a higher one would do, raises it, and the user sees it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.budgets import services
from agentops.budgets.types import Action, Charge, EntryKind, Period, Scope
from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.money import nano_usd
from agentops.common.scope import tenant_scope
from tenants import services as tenant_services
from tests.budgets.money import Purse
from tests.journeys.test_confirmations import PHONE
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.world import OPERATOR, World

pytestmark = pytest.mark.journey
NEEDED = "18.40"


@pytest.fixture
def acme(world: World, live_portal: Any) -> World:
    """Four weeks of spend. Uma, whom agents know as u-uma, has a budget a day of her own, and is near it today."""
    purse, now = Purse(world.acme.id, at=clock.now()), clock.now()
    history = [
        _charge(f"{20 + day % 7}.5", now - timedelta(days=day), user=user, agent=agent)
        for day in range(1, 28)
        for user, agent in (("u-uma", "desk"), ("u-ron", "concierge"))
    ]
    today = [_charge(NEEDED, now, user="u-uma", agent="desk"), _charge("3", now, user="u-ron", agent="concierge")]
    with tenant_scope(world.acme.id):
        services.charge_many(tenant=world.acme.id, charges=history, at=now)
    purse.budget(2_000, period=Period.MONTH, action=Action.THROTTLE)
    purse.budget(24, scope=Scope.USER, of="u-uma", action=Action.THROTTLE)
    assert world.uma.membership_id
    with tenant_scope(world.acme.id):
        services.charge_many(tenant=world.acme.id, charges=today, at=now)
        tenant_services.link_end_user(
            tenant=world.acme.id, member=world.uma.membership_id, external_id="u-uma", by=OPERATOR, at=now
        )
    return world


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


def _charge(usd: str, at: Any, *, user: str, agent: str) -> Charge:
    return Charge(
        kind=EntryKind.CHARGE, occurred_at=at, run_id=new_id(), span_id=7, call_id="", agent=agent, user_id=user,
        model="house-model", provider="house", input_tokens=9_000, output_tokens=900, cache_read_tokens=4_000,
        cache_write_tokens=0, reasoning_tokens=0, amount_nano_usd=nano_usd(usd), price_version="t", saved_nano_usd=nano_usd("0.4"),
    )  # fmt: skip


def test_an_admin_raises_the_budget_of_a_user_at_three_quarters(acme: World, page: Page) -> None:
    sign_in(page, acme.ben)
    page.get_by_role("link", name="Budgets", exact=True).click()
    near = page.get_by_role("table", name="Near a limit").get_by_role("row", name="End user u-uma")
    expect(near).to_contain_text("76 %")
    expect(near).to_contain_text("Near its limit")
    expect(page.get_by_role("heading", name="Budgets", level=1)).to_be_visible()
    expect(page.locator("[data-chart][data-state=drawn]")).to_be_visible(timeout=30_000)
    assert_accessible(page)
    assert_fits(page)

    page.get_by_role("link", name="Agents", exact=True).last.click()
    expect(page.get_by_role("row", name="concierge")).to_contain_text("Advisory")
    assert "by=agent" in page.url

    page.get_by_role("navigation", name="Budgets").get_by_role("link", name="Notices").click()
    notice = page.get_by_role("row", name="75 % · End user u-uma")
    expect(notice).to_be_visible()
    assert_accessible(page)
    notice.get_by_role("link", name="Raise the limit").click()

    limit = page.get_by_label("Limit, US dollars")
    expect(limit).to_have_value("36.00")
    what = page.get_by_role("region", name="What it does")
    reached = what.get_by_role("row", name="Days in which the limit was reached")
    expect(reached.get_by_role("cell").nth(1)).to_have_text("12 of 30")
    expect(reached.get_by_role("cell").nth(2)).to_have_text("0 of 30")
    expect(what).to_contain_text("$18.40 is used already, 51 % of the limit")
    assert_accessible(page)

    before = what.get_by_text("of the limit (").text_content()
    limit.fill("25")
    expect(reached.get_by_role("cell").nth(2)).to_have_text("8 of 30")
    assert what.get_by_text("of the limit (").text_content() != before, "the forecast is told against the new limit"
    limit.fill("40")
    expect(reached.get_by_role("cell").nth(2)).to_have_text("0 of 30")
    page.get_by_role("button", name="Save").click()

    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="End user u-uma"))
    expect(card).to_contain_text("$40.00 a day")
    expect(card).to_contain_text("46 % used")
    expect(card).to_contain_text("Room left")
    assert_accessible(page)
    assert acme.acme.actions().count("budget.set") == 3

    page.context.clear_cookies()
    sign_in(page, acme.uma)
    page.get_by_role("link", name="My usage").click()
    expect(page.get_by_role("heading", name="$21.60 left")).to_be_visible()
    expect(page.get_by_text("u-ron")).to_have_count(0)
    assert_accessible(page)
    assert_fits(page)


def test_a_budget_is_changed_in_its_place_by_keyboard(acme: World, page: Page) -> None:
    sign_in(page, acme.ben)
    page.goto(acme.acme.url("budgets/limits/"))
    page.get_by_role("link", name="Change: End user u-uma, a day").focus()
    page.keyboard.press("Enter")
    limit = page.get_by_label("Limit, US dollars")
    expect(limit).to_be_focused()
    assert_accessible(page)
    page.keyboard.press("Control+A")
    page.keyboard.type("10")
    expect(page.get_by_text("every call is refused at once")).to_be_visible()
    page.get_by_role("button", name="Save").focus()
    page.keyboard.press("Enter")
    card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="End user u-uma"))
    expect(card).to_contain_text("At its ceiling")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_every_page_fits(acme: World, page: Page, scheme: Any) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)
    sign_in(page, acme.ben)
    for path in (
        "budgets/", "budgets/?by=agent", "budgets/?by=tool", "budgets/?by=day&period=week", "budgets/?period=day",
        "budgets/limits/", "budgets/limits/new/", "budgets/notices/",
    ):  # fmt: skip
        page.goto(acme.acme.url(path))
        assert_fits(page)
        assert_accessible(page)


def test_staff_read_what_agents_cost_by_keyboard_and_on_a_phone(acme: World, page: Page) -> None:
    sign_in(page, acme.sam)
    page.goto("/staff/spend/")
    expect(page.get_by_role("heading", name="Spend", exact=True)).to_be_visible()
    assert_accessible(page)
    page.get_by_role("navigation", name="Spend").get_by_role("link", name="Agents and models").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Spend by agent and model")).to_be_visible()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="desk", exact=True)).to_be_focused()
    assert_accessible(page)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="dark")
    assert_fits(page)  # turned, not loaded anew: charts become narrower, too
    for path in ("/staff/spend/agents/", "/staff/spend/", "/staff/tools/"):
        page.goto(path)
        assert_fits(page)
        assert_accessible(page)
