"""Ten runs of the review queue, labelled from the first to the last without a mouse."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from evals.models import HumanLabel
from evals.tasks import queue as tasks
from tests.evals.telling import Machine, fact, items, rubric
from tests.journeys.test_confirmations import PHONE
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.world import World

pytestmark = pytest.mark.journey
COUNT = 10


@pytest.fixture
def acme(world: World, live_portal: Any) -> World:
    """Ten runs that users found bad, with what they asked and what came; a rubric of three criteria."""
    machine = Machine(world.acme)
    rubric(world.acme)
    for number in range(COUNT):
        run, at = new_id(), clock.now() - timedelta(minutes=20 - number)
        call = {"tool": "find_flight", "arguments": {"to": "OSL"}, "result": {"flights": []}}
        machine.spans(run, call, at=at, input=f"Fly me to Oslo, attempt {number}", output="There is no such flight.")
        fact(world.acme, run, at=at)
        machine.feedback(run, "down", user=f"u-{number}", comment="There is one at nine.")
    tasks.fill_review_queue()
    return world


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


def test_ten_runs_are_labelled_by_keyboard(acme: World, page: Page) -> None:
    sign_in(page, acme.ben)
    page.goto(acme.acme.url("quality/queue/"))
    expect(page.get_by_role("table", name="Waiting for review").get_by_role("row")).to_have_count(COUNT + 1)
    assert_accessible(page)
    assert_fits(page)
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Fly me to Oslo")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_contain_text("Choose this value of the criterion")
    page.keyboard.press("Escape")

    for number in range(COUNT):
        before = page.url
        chosen = page.locator(".review-criterion.is-current")
        expect(chosen).to_contain_text("Goal reached")
        page.keyboard.press("2")  # Goal reached: fail
        expect(chosen).to_contain_text("Tone")
        page.keyboard.press("4")
        page.keyboard.press("k")
        page.keyboard.press("5")  # better said, Tone is 5
        page.keyboard.press("j")  # Depth is left out
        page.keyboard.press("b")
        expect(page.get_by_role("radio", name="Bad")).to_be_checked()
        if number == 3:
            page.keyboard.press("c")
            page.keyboard.type("gone for good, 1 of 9")
            page.keyboard.press("Escape")
            expect(page.get_by_role("radio", name="Bad")).to_be_checked()
        page.keyboard.press("Enter")
        page.wait_for_url(lambda url, before=before: url != before)

    expect(page.get_by_text("Nothing else waits here")).to_be_visible()
    expect(page.get_by_role("heading", name="Nothing waits")).to_be_visible()
    reviewed = items(acme.acme)
    assert [(item.state, item.verdict, item.reviewed_user) for item in reviewed] == [
        ("done", "bad", acme.ben.user.pk)
    ] * COUNT
    assert [item.note for item in reviewed if item.note] == ["gone for good, 1 of 9"]
    with tenant_scope(acme.acme.id):
        labels = HumanLabel.objects.filter(tenant_id=acme.acme.id).order_by("run_id", "criterion")
        assert [(label.criterion, label.value) for label in labels] == [("goal", "fail"), ("tone", "5")] * COUNT
    assert acme.acme.actions().count("review.done") == COUNT


def test_runs_are_passed_over_and_come_back(acme: World, page: Page) -> None:
    sign_in(page, acme.ada)
    page.goto(acme.acme.url("quality/queue/?reason=negative_feedback"))
    page.get_by_role("link", name="Start reviewing").click()
    current = page.locator(".review-criterion.is-current")
    expect(current).to_be_visible()
    first = page.url
    page.keyboard.press("n")
    page.wait_for_url(lambda url: url != first)
    expect(current).to_be_visible()
    assert "reason=negative_feedback" in page.url
    page.keyboard.press("p")
    page.wait_for_url(first)
    expect(current).to_be_visible()
    page.keyboard.press("Enter")  # without a verdict
    expect(page.get_by_role("radio", name="Good")).to_be_focused()
    assert page.url == first
    page.keyboard.press("g")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("Good, said")).to_be_visible()
    assert sum(item.state == "done" for item in items(acme.acme)) == 1


def test_without_javascript_a_run_is_reviewed_by_its_form(acme: World, page: Page, live_portal: Any) -> None:
    assert page.context.browser
    context = page.context.browser.new_context(base_url=live_portal.url, java_script_enabled=False)
    plain = context.new_page()
    sign_in(plain, acme.ada)
    plain.goto(acme.acme.url("quality/queue/"))
    plain.get_by_role("link", name="Start reviewing").click()
    plain.get_by_role("radio", name="Fail").check()
    plain.get_by_role("radio", name="Bad").check()
    plain.get_by_role("button", name="Save and next").click()
    expect(plain.get_by_role("heading", name="What do you say?")).to_be_visible()
    context.close()
    assert sum(item.verdict == "bad" for item in items(acme.acme)) == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_every_page_fits(acme: World, page: Page, scheme: Any) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)
    sign_in(page, acme.ben)
    item: uuid.UUID = items(acme.acme)[0].id
    for path in ("", "?state=done", "?reason=aborted", f"{item}/", "sampling/"):
        page.goto(acme.acme.url(f"quality/queue/{path}"))
        assert_fits(page)
        assert_accessible(page)
