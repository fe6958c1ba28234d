"""Agents under guard, in a browser: stopped and let go by keyboard, a tool reviewed, decisions read between the spans."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.catalog import queries as catalog
from tenants import machines
from tests.journeys.test_runs import assert_accessible, assert_fits, focused, sign_in, span
from tests.runtime.guarded import MANIFEST, Caller, apply, unreviewed
from tests.runtime.test_pages import spans_of
from tests.traces.pages import send
from tests.world import World

pytestmark = pytest.mark.journey


@pytest.fixture
def acme(world: World, live_portal: Any) -> World:
    """Acme's refund desk under guard: version 2 waits for its review."""
    machines.forget_cached_keys()
    catalog.forget()
    apply(world.acme, MANIFEST)
    apply(world.acme, unreviewed(), approve=False)
    return world


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


def tab_to(page: Page, name: str) -> None:
    """Press Tab until something with this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.ariaLabel || document.activeElement.innerText || '').trim()") == name:
            return
    raise AssertionError(f"no stop of Tab is called {name}")


def test_a_kill_switch_is_pressed_and_lifted_by_keyboard(acme: World, page: Page) -> None:
    caller = Caller(acme.acme)
    run = caller.run()
    run.look_up()
    keys = page.keyboard
    sign_in(page, acme.ada)
    page.goto("/t/acme/agents/")
    keys.press("j")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="refund-desk", level=1)).to_be_visible()
    assert_accessible(page)
    tab_to(page, "Stop it …")
    keys.press("Enter")

    expect(page.get_by_role("heading", name="Stop agents")).to_be_visible()
    assert_accessible(page)
    expect(page.get_by_label("Agent", exact=True)).to_have_value("refund-desk")
    expect(page.get_by_label("End user", exact=True)).to_be_hidden()
    expect(page.locator("[name=mode]:checked")).to_have_count(0)
    page.get_by_role("radio", name="Stop at the next step").focus()
    keys.press("Space")
    keys.press("Tab")
    keys.type("It refunds everybody.")
    tab_to(page, "Stop now")
    keys.press("Enter")

    expect(page.get_by_role("heading", name="Agent refund-desk")).to_be_visible()
    in_progress = page.locator(".stat", has_text="Still in progress").locator("dd").first
    expect(in_progress).to_have_text("1")
    assert_accessible(page)
    assert run.look_up()["code"] == "killed"
    expect(in_progress).to_have_text("0")  # the page asks again by itself
    assert_accessible(page)

    tab_to(page, "Lift the kill switch: Agent refund-desk")
    page.wait_for_timeout(2_500)  # the figures came anew meanwhile, and the focus stayed
    keys.press("Enter")
    question = page.get_by_role("dialog", name="Lift this kill switch?")
    expect(question.get_by_label("Reason")).to_be_visible()
    assert_accessible(page)
    question.get_by_label("Reason").focus()
    keys.type("Mended.")
    tab_to(page, "Lift it")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Nothing is stopped")).to_be_visible()
    expect(page.get_by_text("Lifted: Mended.")).to_be_visible()
    assert caller.run().look_up()["decision"] == "allow"


def test_a_tool_is_reviewed_and_its_version_approved(acme: World, page: Page) -> None:
    sign_in(page, acme.ben)
    page.goto("/t/acme/tools/")
    assert_accessible(page)
    page.get_by_role("table", name="Waiting for a review").get_by_role("link", name="send_letter").click()
    expect(page.get_by_role("heading", name="send_letter", level=1)).to_be_visible()
    assert_accessible(page)
    page.get_by_role("radio", name="Approve Agents").check()
    exception = page.get_by_label("Nobody is asked before it acts, and that is right")
    expect(exception).to_be_hidden()
    page.get_by_role("radio", name="Tier 1").check()
    expect(exception).to_be_visible()
    page.get_by_role("radio", name="Tier 2").check()
    page.get_by_role("textbox", name="Reason").fill("Reads well, and the user confirms.")
    page.get_by_role("button", name="Record the review").click()
    expect(page.get_by_text("send_letter 1 is approved.")).to_be_visible()

    page.goto("/t/acme/agents/refund-desk/")
    page.get_by_role("link", name="Approve 2").click()
    question = page.get_by_role("dialog", name="Approval")
    question.get_by_label("Reason").fill("Compared with version 1.")
    assert_accessible(page)
    question.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Version 2 is approved: its runs may begin.")).to_be_visible()
    run = Caller(acme.acme).run(agent_version="2")
    assert run.tool_call("send_letter", {"text": "Dear Ms Kim"})["decision"] == "confirm"


def test_decisions_are_read_between_the_spans(acme: World, page: Page) -> None:
    run = Caller(acme.acme).run()
    run.look_up()
    run.refund(amount=900_000)
    send(acme.acme, spans_of(run))  # type: ignore[list-item]
    keys = page.keyboard
    sign_in(page, acme.audrey)
    page.goto("/t/acme/decisions/?code=rule_violated")
    assert_accessible(page)
    keys.press("j")
    keys.press("Enter")
    expect(page.get_by_text("between 1 and 500000 minor units").first).to_be_visible()
    assert_accessible(page)
    page.get_by_role("link", name=run.id[:8]).click()
    opened = page.get_by_role("article", name="Decision: Refused refund")
    expect(opened.get_by_text("rule_violated").first).to_be_visible()
    expect(span(page, "Refused refund").get_by_role("link")).to_have_attribute("aria-current", "true")
    assert_accessible(page)
    keys.press("j")
    keys.press("j")
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    focused(page, "Allowed look_up_order")
    keys.press("Enter")
    expect(page.get_by_role("article", name="Decision: Allowed look_up_order")).to_be_visible()
    assert "decision=" in page.url
    page.reload()
    expect(page.get_by_role("article", name="Decision: Allowed look_up_order")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_fits(acme: World, page: Page, scheme: Any) -> None:
    run = Caller(acme.acme).run()
    run.refund(amount=900_000)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme=scheme)
    sign_in(page, acme.ada)
    for path in (
        "agents/", "agents/refund-desk/", "tools/", "tools/audit/", "caps/", "kill-switches/", "kill-switches/new/",
        "decisions/", f"runs/{run.id}/",
    ):  # fmt: skip
        page.goto(f"/t/acme/{path}")
        assert_fits(page)
        assert_accessible(page)


def test_staff_stop_everything_and_ask_to_let_go(acme: World, page: Page) -> None:
    sign_in(page, acme.sam)
    page.goto("/staff/tools/")
    assert_accessible(page)
    page.goto("/staff/tools/audit/")
    assert_accessible(page)
    page.get_by_role("link", name="Kill switches").click()
    expect(page.get_by_role("heading", name="Nothing is stopped")).to_be_visible()
    page.get_by_role("link", name="Stop everything …").click()
    page.get_by_role("radio", name="Stop at the next step").check()
    page.get_by_label("Reason").fill("A model went mad.")
    page.get_by_label("I mean every agent of every organisation").check()
    assert_accessible(page)
    page.get_by_role("button", name="Stop everything").click()
    expect(page.get_by_role("heading", name="Every agent of every organisation")).to_be_visible()
    assert Caller(acme.acme).start(status=403)["code"] == "killed"
    page.get_by_role("link", name="Ask to lift it …").click()
    question = page.get_by_role("dialog", name="Let all agents go on?")
    question.get_by_label("Reason").fill("Rolled back.")
    assert_accessible(page)
    question.get_by_role("button", name="Ask to lift it").click()
    expect(page.get_by_text("Another person has to agree.")).to_be_visible()
    assert Caller(acme.acme).start(status=403)["code"] == "killed"
