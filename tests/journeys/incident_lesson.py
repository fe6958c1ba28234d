"""The postmortem, as three people write it, read it and publish it."""

from __future__ import annotations

from datetime import timedelta

from playwright.sync_api import expect

from agentops.common import clock
from tests.journeys.incident_acting import Life, looks_well, press_all_the_same

WHYS = (
    ("Why did it go round in a circle?", "Nothing ended the circle of refund and lookup."),
    ("Why did nothing end it?", "The cap counts calls of one tool, and these were two."),
    ("Why does the cap count one tool?", "It was written for the first agent, which had one."),
    ("Why was it not looked at since?", "The quarterly look has no line for caps."),
    ("Why has it none?", "Caps were no part of the manifest when it was written."),
)


def postmortem(life: Life) -> None:
    """Five whys, each with what shows it; who does what until when; read by another person."""
    press_all_the_same(life.commander, "It is closed", "The postmortem is not reviewed.")
    page, commander = life.turn(life.on_call, "Postmortem"), life.commander
    page.get_by_role("button", name="Begin the postmortem").click()
    expect(page.get_by_text("Before another person can review it")).to_be_visible()
    expect(page.get_by_role("button", name="Submit for review")).to_have_count(0)
    page.get_by_role("link", name="Write", exact=True).click()
    page.get_by_label("Summary").fill("The desk refunded two orders again and again, until the guard stopped it.")
    page.get_by_label("Impact").fill("Two orders of Acme were refunded. Both refunds were taken back.")
    for number, (question, answer) in enumerate(WHYS, start=1):
        page.get_by_label(f"{number}. Why").fill(question)
        page.locator(f"[name=answer_{number}]").fill(answer)
        if number < len(WHYS):
            page.locator(f"[name=evidence_{number}]").select_option(index=number)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 answer without evidence: name what shows it.")).to_be_visible()
    expect(page.get_by_text("There is no action item")).to_be_visible()
    page.get_by_role("link", name="Write", exact=True).click()
    page.locator(f"[name=shown_{len(WHYS)}]").fill("The manifest's first version, of March")
    looks_well(page)
    page.get_by_role("button", name="Save").click()
    page.get_by_role("link", name="Add an action item").click()
    page.get_by_label("What is done").fill("One cap for all tools of a run")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("1 action item without an owner or a date.")).to_be_visible()
    page.get_by_role("link", name="One cap for all tools of a run").click()
    page.get_by_label("Owner").select_option(label="Sam Ito")
    page.get_by_label("Until").fill(f"{clock.now() + timedelta(days=7):%Y-%m-%d}")
    page.get_by_role("button", name="Save").click()
    looks_well(page)
    page.get_by_role("button", name="Submit for review").click()
    expect(page.get_by_text("You submitted it, so somebody else reviews it.")).to_be_visible()
    life.turn(commander)
    press_all_the_same(commander, "It is closed", "The postmortem is not reviewed.")
    commander.get_by_role("listitem").filter(has_text="The postmortem is not reviewed").get_by_role("link").click()
    commander.get_by_role("button", name="I have read it; it is right").click()
    commander.get_by_role("button", name="Publish").click()
    expect(commander.get_by_text("Published").first).to_be_visible()
