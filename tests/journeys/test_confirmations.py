"""People decide, in a browser: on a phone, by keyboard, two and a third, and a link that leads nowhere for others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from playwright.sync_api import Page, expect

from agentops.catalog import queries as catalog
from agentops.runtime.services import approvals
from tenants import machines
from tests.confirmations.deciding import Bank, has_authenticator, mailed_code, many_values, six_digits
from tests.journeys.test_guard import tab_to
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.runtime.guarded import shift
from tests.world import PASSWORD, Person, World

pytestmark = pytest.mark.journey
ASKED_AGAIN = 15_000  # the pages look again every few seconds
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def bank(world: World, live_portal: Any) -> Bank:
    machines.forget_cached_keys()
    catalog.forget()
    return Bank(world)


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey; a refusal is no complaint."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if _is_complaint(message) else None)
    yield
    assert found == []


def _is_complaint(message: Any) -> bool:
    is_refusal = "Failed to load resource" in message.text and any(code in message.text for code in ("404", "422"))
    return message.type in ("error", "warning") and not is_refusal


@pytest.fixture
def browser_of(page: Page, live_portal: Any) -> Iterator[Callable[[Person], Page]]:
    """A browser of their own for each person with a second factor, signed in with it."""
    contexts: list[Any] = []

    def opened(person: Person) -> Page:
        own = page.context.browser.new_context(base_url=live_portal.url)  # type: ignore[union-attr]
        own.set_default_timeout(10_000)
        contexts.append(own)
        made: Page = own.new_page()
        sign_in_with_two_factors(made, person)
        return made

    yield opened
    for context in contexts:
        context.close()


def sign_in_with_two_factors(page: Page, person: Person) -> None:
    """Signing in counts as a proof for five minutes, so that nobody has to wait for the app's next six digits."""
    page.goto("/accounts/login/")
    page.locator("input[name=login]").fill(person.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_label("Code")).to_be_visible()
    if time.time() % 30 > 26:  # the app's digits are about to change
        time.sleep(30.5 - time.time() % 30)
    page.get_by_label("Code").fill(six_digits())
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your account")).to_be_visible()


def test_an_end_user_confirms_a_transfer_on_a_phone(world: World, bank: Bank, page: Page) -> None:
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    asked = bank.asked("transfer", says="She asked me to pay the bakery.")
    sign_in(page, world.uma)
    expect(page).to_have_title("(1) Inbox · Acme · agentops")
    assert_accessible(page)
    assert_fits(page)
    page.get_by_role("link", name="Transfer 480.00 EUR to DE89370400440532013000").click()

    question = page.get_by_role("dialog", name="Transfer 480.00 EUR to DE89370400440532013000")
    expect(question.get_by_role("heading", name="Exactly this runs")).to_be_visible()
    expect(question.get_by_text("Bakery Ost")).to_be_visible()
    expect(question.get_by_role("complementary", name="What the agent says")).to_contain_text(
        "not part of what you agree"
    )
    expect(question.get_by_text("Proven. It counts until")).to_be_visible()
    assert page.evaluate("document.activeElement === document.body")
    assert_accessible(page)
    assert_fits(page)

    phrase = question.get_by_label("Type 480.00 3000")
    phrase.fill("480.00 300")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Enter does nothing here. Press the button itself")).to_be_visible()
    assert asked.state == "pending"
    question.get_by_role("button", name="I agree: do it").click()
    expect(page.get_by_role("alert")).to_contain_text("Type the phrase exactly as the page shows it.")
    assert_accessible(page)
    page.get_by_label("Type 480.00 3000").fill("480.00 3000")
    page.get_by_role("button", name="I agree: do it").click()
    expect(page.get_by_text("The agent may run exactly this, once")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)

    asked.run_it()
    expect(page.get_by_text("It ran, as it was approved")).to_be_visible(timeout=ASKED_AGAIN)  # it renews itself
    assert_accessible(page)
    page.get_by_role("button", name="Yes, correct").click()
    expect(page.get_by_text("You said that it was,")).to_be_visible()
    page.get_by_role("link", name="Receipt").click()
    expect(page.get_by_text("Everything that was told about it agrees")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)


def test_a_password_is_asked_for_where_signing_in_was_too_long_ago(world: World, bank: Bank, page: Page) -> None:
    asked = bank.asked("transfer")
    sign_in(page, world.uma)
    stored = Session.objects.get()
    data = stored.get_decoded()
    for record in data["account_authentication_methods"]:
        record["at"] -= 600
    stored.session_data = Session.objects.encode(data)
    stored.save()
    page.goto(asked.url())
    page.get_by_role("link", name="Confirm it is me").click()
    expect(page.get_by_role("heading", name="Confirm it is you")).to_be_visible()
    expect(page.get_by_text("What you are about to do takes a fresh proof of who you are.")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("Proven. It counts until")).to_be_visible()
    assert page.url.endswith("#decide")


def test_a_letter_is_sent_by_keyboard_and_only_by_meaning_it(world: World, bank: Bank, page: Page) -> None:
    asked = bank.asked("send_letter")
    keys = page.keyboard
    sign_in(page, world.uma)
    expect(page.get_by_role("link", name="Send letter to Ann Kim")).to_be_visible()
    keys.press("j")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Send letter to Ann Kim", level=1)).to_be_visible()
    assert_accessible(page)
    keys.press("Enter")
    assert asked.state == "pending"
    tab_to(page, "Do it")
    keys.press("Enter")
    expect(page.get_by_text("Enter does nothing here. Press the button itself")).to_be_visible()
    assert asked.state == "pending"
    keys.press("Space")
    expect(page.get_by_text("The agent may run exactly this, once")).to_be_visible()
    assert asked.state == "approved"


def test_a_letter_is_changed_by_keyboard(world: World, bank: Bank, page: Page) -> None:
    asked = bank.asked("send_letter")
    keys = page.keyboard
    sign_in(page, world.uma)
    page.goto(asked.url())
    tab_to(page, "Edit …")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Edit what is asked for")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("to", exact=True).focus()
    keys.press("End")
    keys.type("ura")
    tab_to(page, "Ask with these values")
    keys.press("Enter")
    expect(page.get_by_role("heading", name="Send letter to Ann Kimura", level=1)).to_be_visible()
    expect(page.get_by_text("nothing was agreed to yet")).to_be_visible()
    assert asked.state == "edited"


def test_two_people_release_a_change_and_a_third_stops_another(
    world: World, bank: Bank, page: Page, browser_of: Callable[[Person], Page]
) -> None:
    has_authenticator(world.pete, world.ada, world.ben)
    run = bank.run(agent="bank-desk", user="mia-204")
    changes = [bank.asked("raise_limit", run=run, account=account) for account in ("acc_1", "acc_2")]
    pete, ada, ben = (browser_of(person) for person in (world.pete, world.ada, world.ben))

    for change, account in zip(changes, ("acc_1", "acc_2"), strict=True):
        for own, person in ((pete, world.pete), (ada, world.ada)):
            own.goto(world.acme.url("inbox/"))
            own.get_by_role("link", name=f"Raise limit {account}").click()
            expect(own.get_by_role("heading", name="Do you agree, as one of two people?")).to_be_visible()
            expect(own.get_by_text("Waiting", exact=True)).to_be_visible()
            assert "pete@" not in own.content() or own is pete
            own.get_by_role("button", name="Send the code").click()
            expect(own.get_by_text(f"A code was sent to {person.email}.")).to_be_visible()
            assert_accessible(own)
            own.get_by_label("Type the code").fill(mailed_code(world.acme, person))
            own.get_by_role("button", name="I agree").click()
            expected = "It waits for a second person." if own is pete else "Two people agreed."
            expect(own.get_by_text(expected)).to_be_visible()
            assert_accessible(own)
        assert change.state == "cooling"

    ben.goto(world.acme.url("inbox/"))
    expect(ben.get_by_role("heading", name="Agreed, and can still be stopped")).to_be_visible()
    assert_accessible(ben)
    ben.get_by_role("link", name="Raise limit acc_2").click()
    left = ben.get_by_role("timer")
    before = left.inner_text()
    expect(left).not_to_have_text(before)  # it counts down
    ben.get_by_label("Reason").fill("Not before the audit.")
    ben.get_by_role("button", name="Stop it").click()
    expect(ben.get_by_text("It was stopped, and nothing was done")).to_be_visible()
    assert [change.state for change in changes] == ["cooling", "cancelled"]
    # Ada's page learns of it by itself, and loads anew: to leave before would be two ways at once.
    expect(ada.get_by_text("It was stopped, and nothing was done")).to_be_visible(timeout=ASKED_AGAIN)

    release(world, changes[0].id)
    ada.goto(changes[0].url())
    expect(ada.get_by_text("The agent may run exactly this, once")).to_be_visible()
    changes[0].run_it()
    expect(ada.get_by_text("It ran, as it was approved")).to_be_visible(timeout=ASKED_AGAIN)
    assert changes[0].state == "executed"


def release(world: World, confirmation: Any) -> None:
    """Let the delay pass, and have the sweep look."""
    shift(world.acme, "confirmations_confirmation", "cooling_until", timedelta(hours=-1), f"id = '{confirmation}'")
    assert approvals.release_due(tenant=world.acme.id) == 1


def test_a_forwarded_link_shows_nothing(world: World, bank: Bank, page: Page) -> None:
    asked = bank.asked("transfer")
    page.goto(asked.url())
    expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    page.locator("input[name=login]").fill(world.stella.email)
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Not found")).to_be_visible()
    assert "480" not in page.content() and "Acme" not in page.content() and "transfer" not in page.content().lower()
    assert_accessible(page)
    assert world.acme.actions()[-1] == "approval.opened_by_other"


def test_the_inbox_fills_and_empties_by_itself_and_nothing_jumps(world: World, bank: Bank, page: Page) -> None:
    sign_in(page, world.uma)
    expect(page.get_by_text("Nothing waits for you")).to_be_visible()
    first = bank.asked("transfer")
    expect(page).to_have_title("(1) Inbox · Acme · agentops", timeout=ASKED_AGAIN)
    link = page.get_by_role("link", name="Transfer 480.00 EUR")
    link.focus()
    box = link.bounding_box()
    page.wait_for_timeout(6_000)  # it was asked for again meanwhile
    assert link.bounding_box() == box and link.evaluate("link => link === document.activeElement")
    first.run.finish()
    expect(page.get_by_text("Nothing waits for you")).to_be_visible(timeout=ASKED_AGAIN)
    expect(page).to_have_title("Inbox · Acme · agentops")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_everything_fits_however_long_or_odd(world: World, bank: Bank, page: Page, scheme: Any) -> None:
    run = bank.run(agent="bank-desk", user="mia-204")
    odd = bank.asked(
        "send_letter", run=run, to="P\u0430ypal\u202e moc.live " + "x" * 400, text="\u200b" + "word " * 300
    )
    many = bank.asked("send_letter", run=run, **many_values(120))
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme=scheme)
    sign_in(page, world.uma)
    for address in (
        world.acme.url("inbox/"), world.acme.url("history/"), odd.url(), odd.url("refusal/"), odd.url("edit/"),
        many.url(), many.url("edit/"),
    ):  # fmt: skip
        page.goto(address)
        assert_fits(page)
        assert_accessible(page)
