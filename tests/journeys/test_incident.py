"""The life of one SEV-1, by three people of ours: on-call declares and stops, a commander decides, a success manager tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import queries as runtime
from incidents.tasks import learning
from incidents.tasks import lifecycle as tasks
from tenants import services as tenants
from tenants.roles import StaffRole
from tests.incidents import making
from tests.journeys import incident_lesson as lesson
from tests.journeys import incident_stage as stage
from tests.journeys.incident_acting import Life, looks_well, press_all_the_same
from tests.journeys.test_confirmations import PHONE
from tests.journeys.test_runs import sign_in
from tests.outbox.conftest import smtp as smtp
from tests.outbox.receivers import MailServer
from tests.world import OPERATOR, Person, World

pytestmark = pytest.mark.journey
Second = Callable[[Person], Page]


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


@pytest.fixture
def another(_chromium: Any, live_portal: Any) -> Iterator[Second]:
    """Another person's browser, signed in."""
    contexts = []

    def opened(person: Person) -> Page:
        context = _chromium.new_context(base_url=live_portal.url, reduced_motion="reduce")
        context.set_default_timeout(10_000)
        contexts.append(context)
        found: Page = context.new_page()
        sign_in(found, person)
        return found

    yield opened
    for context in contexts:
        context.close()


def test_the_life_of_a_sev_1(world: World, live_portal: Any, smtp: MailServer, page: Page, another: Second) -> None:
    run = stage.ran(world)
    carla = making.staff("carla@agentops.example", StaffRole.INCIDENT_COMMANDER)
    sue = making.staff("sue@agentops.example", StaffRole.SUCCESS_MANAGER)
    with tenant_scope(world.acme.id):
        tenants.assign_success_manager(tenant=world.acme.id, manager=sue.user.pk, by=OPERATOR, at=clock.now())
    sign_in(page, world.sam)
    life = Life(page, another(carla), another(sue))

    declared(life, stage.paged(world, smtp))
    stopped(life, world)
    roles_are_taken(life)
    evidence_is_kept(life, run)
    hit_is_argued(life)
    undone(life)
    told(life, smtp)
    cause_and_fix(life)
    watched_and_resolved(life)
    lesson.postmortem(life)
    closed(life)


def declared(life: Life, link: str) -> None:
    """From the page to the incident."""
    page = life.on_call
    page.goto(link)
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("has it since")).to_be_visible()
    page.get_by_role("link", name="Declare an incident").click()
    page.get_by_label("What is wrong, in one sentence").fill("The refund desk pays out in a circle")
    page.get_by_role("radio", name="SEV-1 Harm goes on").check()
    expect(page.get_by_label("Agent optional")).to_have_value("refund-desk")
    page.get_by_label("Tool optional").fill("refund")
    looks_well(page)
    page.get_by_role("button", name="Declare", exact=True).click()
    # The first screen: what stops it, with what fits chosen; no step is left out.
    expect(page.get_by_role("heading", name="Stop the harm first")).to_be_visible()
    expect(page.get_by_text("nobody has taken that role yet").first).to_be_visible()
    expect(page.get_by_text("The evidence is still being kept")).to_be_visible()
    looks_well(page)
    life.overview = page.url
    press_all_the_same(page, "Take it up: active", "The evidence is still being kept")


def stopped(life: Life, world: World) -> None:
    page = life.on_call
    page.get_by_role("link", name="Stop refund-desk of Acme …").click()
    expect(page.get_by_role("radio", name="refund-desk of Acme")).to_be_checked()
    looks_well(page)
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_text("1 kill switch set.")).to_be_visible()
    expect(page.get_by_text("Refused since")).to_be_visible()
    with tenant_scope(world.acme.id):
        [switch] = runtime.switches(tenant=world.acme.id)
    assert switch.scope_id == "refund-desk" and switch.reason.startswith("INC-")


def roles_are_taken(life: Life) -> None:
    commander, manager = life.turn(life.commander), life.manager
    commander.get_by_role("button", name="I take it: Incident commander").click()
    expect(commander.locator(".incident-head").get_by_text("commander Carla")).to_be_visible()
    manager.set_viewport_size(PHONE)  # type: ignore[arg-type]
    life.turn(manager)
    expect(manager.get_by_role("link", name="Stop more …")).to_have_count(0)  # it is not theirs to stop
    manager.get_by_role("button", name="I take it: Customer liaison").click()
    expect(manager.get_by_text("The role is taken.")).to_be_visible()
    looks_well(manager)


def evidence_is_kept(life: Life, run: str) -> None:
    page = life.turn(life.on_call)
    page.get_by_role("listitem").filter(has_text="The evidence is still being kept").get_by_role("link").click()
    expect(page.get_by_text("Being taken", exact=True)).to_be_visible()
    stage.taken()
    page.reload()
    expect(page.get_by_role("table", name="Snapshots").get_by_text("Complete")).to_be_visible()
    expect(page.get_by_role("table", name="Items").get_by_text(f"run:{run.replace('-', '')}").first).to_be_visible()
    page.get_by_role("button", name="Check every digest").click()
    expect(page.get_by_text("items are what was kept, and 2 audit logs say so.")).to_be_visible()
    looks_well(page)
    life.turn(page)
    page.get_by_role("button", name="Take it up: active").click()
    page.get_by_role("button", name="It is contained").click()
    expect(page.get_by_text("contained.").first).to_be_visible()


def hit_is_argued(life: Life) -> None:
    """The first look begins by itself; people say of each what they found."""
    page = life.turn(life.on_call, "Blast radius")
    expect(page.get_by_text("looking …")).to_be_visible()
    stage.looked()
    page.reload()
    items = page.get_by_role("table", name="Items")
    expect(items.get_by_text("stripe:rf_ord_9")).to_be_visible()
    looks_well(page)
    page.get_by_role("button", name="Say so").click()  # nothing is ticked, nothing said: the browser asks for it
    expect(page.get_by_label("They are")).to_be_focused()
    page.get_by_role("checkbox", name="stripe:rf_ord_9").check()
    page.get_by_role("checkbox", name="ann").check()
    page.get_by_label("They are").select_option("ruled_out")
    page.get_by_label("Because").fill("A refund that the customer had asked for")
    page.get_by_role("button", name="Say so").click()
    expect(page.get_by_text("2 items are ruled out now.")).to_be_visible()
    page.get_by_role("navigation", name="State").get_by_role("link", name="Suspected").click()
    expect(items.get_by_text("stripe:rf_ord_9")).to_have_count(0)
    page.get_by_label("They are").select_option("confirmed")
    page.get_by_label("Because").fill("The payment system shows it")
    page.get_by_label("All that the filter shows").check()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing like this.")).to_be_visible()


def undone(life: Life) -> None:
    """Planned by one, agreed to by another, the last refund first, each with its proof."""
    page, commander = life.turn(life.on_call, "Reversal"), life.commander
    page.get_by_role("button", name="Plan the reversal").click()
    expect(page.get_by_text("2 side effects are planned to be undone.")).to_be_visible()
    looks_well(page)
    rows = page.get_by_role("table", name="Reversals")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("definition").filter(has_text="POST /refunds/{ref}/cancel")).to_be_visible()
    expect(page.get_by_role("button", name="Agree to it")).to_have_count(0)
    for order in stage.ORDERS:
        life.turn(commander, "Reversal").get_by_role("link", name=f"rf_{order}").click()
        commander.get_by_role("button", name="Agree to it").click()
        expect(commander.get_by_text("Agreed: it may begin.")).to_be_visible()
    first, last = stage.ORDERS
    life.turn(page, "Reversal")
    rows.get_by_role("link", name=f"rf_{first}").click()
    page.get_by_role("button", name="I begin now").click()
    expect(page.get_by_role("alert").filter(has_text="1 later effect of the same run")).to_be_visible()
    for order in (last, first):
        life.turn(page, "Reversal")
        rows.get_by_role("link", name=f"rf_{order}").click()
        page.get_by_role("button", name="I begin now").click()
        page.get_by_label("It is").select_option("done")
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_role("alert").filter(has_text="Name the receipt")).to_be_visible()
        page.get_by_label("It is").select_option("done")
        page.get_by_label("Proof").fill(f"cancel_{order}")
        page.get_by_role("button", name="Keep it").click()
        expect(page.get_by_text(f"cancel_{order}")).to_be_visible()


def told(life: Life, smtp: MailServer) -> None:
    """Written by the success manager on a phone, agreed to by the commander, sent once, and arrived."""
    manager, commander = life.turn(life.manager, "Communication"), life.commander
    expect(manager.get_by_text("1 of 1 organisation was not told yet")).to_be_visible()
    manager.get_by_role("button", name="Draft").click()
    expect(manager.get_by_label("To optional")).to_have_value("ada@acme.example\nben@acme.example")
    body = manager.get_by_label("Text", exact=True)
    body.fill(f"{body.input_value()}\n\nGlobex had it, too.")
    looks_well(manager)
    manager.get_by_role("button", name="Save").click()
    expect(manager.get_by_text("The text names another customer")).to_be_visible()
    expect(manager.get_by_role("button", name="Approve exactly this text")).to_have_count(0)
    expect(manager.get_by_role("button", name="Send to")).to_have_count(0)
    manager.get_by_role("link", name="Change").click()
    body.fill(body.input_value().replace("\n\nGlobex had it, too.", ""))
    manager.get_by_role("button", name="Save").click()
    expect(manager.get_by_text("Waits for a second person")).to_be_visible()
    looks_well(manager)
    commander.goto(manager.url)
    commander.get_by_role("button", name="Approve exactly this text").click()
    manager.reload()
    manager.get_by_role("button", name="Send to 2 recipients").click()
    expect(manager.get_by_role("button", name="Send to")).to_have_count(0)
    smtp.mails.clear()
    smtp.recipients.clear()
    stage.delivered()
    assert learning.settle_comms() == 1
    told_them = [address for address in smtp.recipients if address.endswith("@acme.example")]
    assert sorted(told_them) == ["ada@acme.example", "ben@acme.example"]
    manager.reload()
    expect(manager.get_by_role("table", name="Recipients").get_by_text("Sent")).to_have_count(2)


def cause_and_fix(life: Life) -> None:
    """Why, and what is changed; then shown to hold."""
    page = life.turn(life.on_call)
    expect(page.get_by_text("Say the cause, or that it is unknown and why.")).to_be_visible()
    press_all_the_same(page, "The cause is known", "Say the cause")
    page.get_by_role("link", name="Cause and fix").click()
    page.get_by_label("Cause", exact=True).first.select_option("orchestration/loop")
    page.get_by_label("In your words").first.fill("Nothing ended the circle of refund and lookup.")
    page.get_by_role("button", name="This is the cause").click()
    expect(page.get_by_text("Orchestration or guardrail: A loop that nothing ended").first).to_be_visible()
    life.turn(page).get_by_role("button", name="The cause is known").click()
    press_all_the_same(page, "Have the fix reviewed", "no fix is written down")
    page.get_by_role("link", name="Cause and fix").click()
    page.get_by_text("Write down a fix").click()
    expect(page.get_by_label("Eval cases of the failing input")).to_have_value("starter/circle")
    page.get_by_label("What is changed").fill("A cap of five calls for the same order.")
    page.get_by_label("Version with the fix").fill("2")
    page.get_by_role("button", name="Write it down").click()
    expect(page.get_by_text("The fix is written down.")).to_be_visible()
    looks_well(page)
    life.turn(page).get_by_role("button", name="Have the fix reviewed").click()
    press_all_the_same(page, "The fix is deployed: watch it", "No suite shows that the cases fail on the old version.")
    page.get_by_role("link", name="Cause and fix").click()
    page.get_by_role("link", name="Show it by suites …").click()
    page.get_by_role("button", name="Look", exact=True).click()
    expect(page.get_by_text("The fix holds.")).to_be_visible()
    page.get_by_role("button", name="The fix is deployed: watch it").click()
    expect(page.get_by_text("watching.").first).to_be_visible()


def watched_and_resolved(life: Life) -> None:
    commander = life.turn(life.commander)
    press_all_the_same(commander, "It is resolved", "The watch has not run its 48 to 72 hours yet.")
    stage.two_days_later()
    assert tasks.look_at_watches() == 0
    page = life.turn(life.on_call)
    page.get_by_role("listitem").filter(has_text="a person has to close it").get_by_role("link").click()
    page.get_by_role("button", name="Nothing came back: close the watch").click()
    expect(page.get_by_text("The watch is closed.")).to_be_visible()
    expect(life.turn(page).get_by_text("An incident commander resolves it.")).to_be_visible()
    expect(page.get_by_role("button", name="It is resolved")).to_have_count(0)
    life.turn(commander).get_by_role("button", name="It is resolved").click()
    expect(commander.get_by_text("resolved.").first).to_be_visible()


def closed(life: Life) -> None:
    commander, page = life.turn(life.commander), life.on_call
    commander.get_by_role("button", name="It is closed").click()
    expect(commander.get_by_text("closed.").first).to_be_visible()
    timeline = life.turn(page, "Timeline").get_by_role("list", name="Timeline")
    for line in ("was mailed to", "The watch is closed: nothing came back."):
        expect(timeline).to_contain_text(line)
    looks_well(page)
    life.turn(page, "Postmortem").get_by_role("link", name="All postmortems").click()
    page.get_by_label("Search", exact=True).fill("circle")
    expect(page.get_by_role("link", name="The refund desk pays out in a circle")).to_be_visible()
