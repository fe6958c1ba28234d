"""A run that a user found bad becomes a case of an eval set, and the queue remembers what came of it."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from evals import services
from evals.models import CaseVersion
from evals.tasks import queue as tasks
from tests.evals.telling import Machine, fact, items
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.world import OPERATOR, World

pytestmark = pytest.mark.journey


@pytest.fixture
def bad_run(world: World, live_portal: Any) -> uuid.UUID:
    """A run whose user was told that there is no flight; and an eval set to put it into."""
    machine, run, at = Machine(world.acme), new_id(), clock.now() - timedelta(minutes=5)
    call = {"tool": "find_flight", "arguments": {"to": "OSL"}, "result": {"flights": []}}
    machine.spans(run, call, at=at, input="Fly me to Oslo", output="There is no such flight.")
    fact(world.acme, run, at=at)
    machine.feedback(run, "down", user="u-1", comment="There is one at nine.")
    tasks.fill_review_queue()
    with tenant_scope(world.acme.id):
        services.create_set(tenant=world.acme.id, name="flights", description="", by=OPERATOR, at=at)
    return run


@pytest.fixture(autouse=True)
def no_complaints(page: Page) -> Iterator[None]:
    """Whatever the browser complains about (scripts, policy, missing files) fails the journey."""
    found: list[str] = []
    page.on("pageerror", lambda error: found.append(str(error)))
    page.on("console", lambda message: found.append(message.text) if message.type in ("error", "warning") else None)
    yield
    assert found == []


def test_a_bad_run_is_made_a_case(world: World, bad_run: uuid.UUID, page: Page) -> None:
    sign_in(page, world.ben)
    page.goto(world.acme.url("quality/queue/"))
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“There is one at nine.”", exact=True)).to_be_visible()
    page.get_by_role("link", name="Make it an eval case").click()

    expect(page.get_by_role("heading", name="A case from a run")).to_be_visible()
    drafted = page.get_by_label("YAML")
    expect(drafted).to_have_value(re.compile("find_flight"))
    assert_accessible(page)
    assert_fits(page)
    text = drafted.input_value()
    assert "Fly me to Oslo" in text and "OSL" in text, "input and recorded tools are there"
    page.get_by_role("button", name="Add the case").click()

    expect(page.get_by_text("is a case of flights now")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    with tenant_scope(world.acme.id):
        [case] = CaseVersion.objects.filter(tenant_id=world.acme.id)
    assert case.provenance["kind"] == "queue" and case.provenance["id"] == bad_run.hex
    [item] = items(world.acme)
    assert [led["label"] for led in item.led_to] == [f"{case.key} in flights"]
    assert world.acme.actions()[-1] == "review.led_to"
    page.goto(world.acme.url(f"quality/queue/{item.id}/"))
    expect(page.get_by_text(f"{case.key} in flights")).to_be_visible()
