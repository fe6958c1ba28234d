"""The life of one SEV-1, by three people of ours: on-call declares and stops, a commander decides, a success manager tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import queries as runtime
from evals.models import CaseVersion
from incidents.models import (
    ActionItem,
    Alert,
    BlastItem,
    CustomerComm,
    Incident,
    Postmortem,
    Watch,
)
from incidents.tasks import lifecycle as tasks
from tenants.house import house_scope
from tenants.roles import StaffRole
from tests.evals.gates.making import Desk, F, P
from tests.guards.urls import Things
from tests.incidents import making
from tests.journeys.test_confirmations import PHONE
from tests.journeys.test_runs import assert_accessible, assert_fits, sign_in
from tests.world import Person, World

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
        contexts.append(context)
        found: Page = context.new_page()
        sign_in(found, person)
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def alert(world: World, live_portal: Any) -> Alert:
    """desk goes round in a circle; two versions of it are registered, and its second one passes what the first fails."""
    run = Things(world, world.acme).run_id()
    desk = Desk(world.acme, clock.now() - timedelta(days=1))
    for version in "12":
        desk.version(version)
    revision = desk.eval_set("starter", ["circle", "other"])
    desk.suite("1", revision, {"circle": [F], "other": [P]})
    desk.suite("2", revision, {"circle": [P], "other": [P]})
    with tenant_scope(world.acme.id):
        CaseVersion.objects.filter(key="circle").update(provenance={"kind": "trace", "id": run, "label": ""})
    with house_scope():
        return making.alert(
            world.acme.id,
            summary="desk called refund 41 times in a circle",
            at=clock.now() - timedelta(minutes=2),
            sample_runs=[{"tenant": str(world.acme.id), "run": run, "value": 41, "at": ""}],
        )


def test_the_life_of_a_sev_1(world: World, alert: Alert, page: Page, another: Second) -> None:
    carla = making.staff("carla@agentops.example", StaffRole.INCIDENT_COMMANDER)
    sue = making.staff("sue@agentops.example", StaffRole.SUCCESS_MANAGER)
    sign_in(page, world.sam)
    page.goto(f"/staff/incidents/new/?alert={alert.id}")
    expect(page.get_by_text("An alert says SEV-1.")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.get_by_role("button", name="Declare", exact=True).click()

    # the first screen: what stops it, with what fits chosen; no step is left out
    expect(page.get_by_role("heading", name="Stop the harm first")).to_be_visible()
    expect(page.get_by_text("nobody has taken that role")).to_be_visible()
    expect(page.get_by_role("button", name="Take it up: active")).to_be_disabled()
    assert_accessible(page)
    assert_fits(page)
    overview = page.url
    with house_scope():
        incident = Incident.objects.get()
        making.keep_evidence(incident)
    page.get_by_role("link", name="Stop desk of Acme …").click()
    expect(page.get_by_role("radio", name="desk of Acme")).to_be_checked()
    assert_accessible(page)
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_text("1 kill switch set.")).to_be_visible()
    expect(page.get_by_text("Refused since")).to_be_visible()
    with tenant_scope(world.acme.id):
        [switch] = runtime.switches(tenant=world.acme.id)
    assert switch.scope_id == "desk" and switch.reason.startswith(incident.ref)

    commander = another(carla)
    commander.goto(overview)
    commander.get_by_role("button", name="I take it: Incident commander").click()
    expect(commander.locator(".incident-head").get_by_text("commander Carla")).to_be_visible()
    manager = another(sue)
    manager.set_viewport_size(PHONE)  # type: ignore[arg-type]
    manager.goto(overview)
    expect(manager.get_by_role("link", name="Stop more …")).to_have_count(0)  # it is not theirs to stop
    manager.get_by_role("button", name="I take it: Customer liaison").click()
    expect(manager.get_by_text("The role is taken.")).to_be_visible()
    assert_accessible(manager)
    assert_fits(manager)

    page.reload()
    page.get_by_role("button", name="Take it up: active").click()
    page.get_by_role("button", name="It is contained").click()

    # why, and what is changed
    expect(page.get_by_text("Say the cause, or that it is unknown and why.")).to_be_visible()
    page.get_by_role("link", name="Cause and fix").click()
    page.get_by_label("Cause", exact=True).first.select_option("orchestration/loop")
    page.get_by_label("In your words").first.fill("Nothing ended the circle of refund and lookup.")
    page.get_by_role("button", name="This is the cause").click()
    expect(page.get_by_text("Orchestration or guardrail: A loop that nothing ended").first).to_be_visible()
    page.get_by_text("Write down a fix").click()
    expect(page.get_by_label("Eval cases of the failing input")).to_have_value("starter/circle")
    page.get_by_label("What is changed").fill("A cap of five calls for the same order.")
    page.get_by_label("Version with the fix").fill("2")
    page.get_by_role("button", name="Write it down").click()
    expect(page.get_by_text("The fix is written down.")).to_be_visible()
    assert_accessible(page)
    assert_fits(page)
    page.goto(overview)
    page.get_by_role("button", name="The cause is known").click()
    page.get_by_role("button", name="Have the fix reviewed").click()
    expect(page.get_by_text("No suite shows that the cases fail on the old version.")).to_be_visible()
    page.get_by_role("link", name="Cause and fix").click()
    page.get_by_role("link", name="Show it by suites …").click()
    page.get_by_role("button", name="Look", exact=True).click()
    expect(page.get_by_text("The fix holds.")).to_be_visible()
    page.get_by_role("button", name="The fix is deployed: watch it").click()
    expect(page.get_by_text("watching.").first).to_be_visible()

    # two days later
    with house_scope():
        begun = clock.now() - timedelta(hours=49)
        Alert.objects.update(last_seen_at=begun, opened_at=begun, first_seen_at=begun)
        Incident.objects.update(
            **dict.fromkeys(("impact_started_at", "detected_at", "declared_at", "contained_at", "mitigated_at"), begun)
        )
        Watch.objects.update(starts_at=begun, ends_at=clock.now())
    assert tasks.look_at_watches() == 0
    page.reload()
    page.get_by_role("button", name="Nothing came back: close the watch").click()
    expect(page.get_by_text("The watch is closed.")).to_be_visible()
    page.goto(overview)
    expect(page.get_by_text("An incident commander resolves it.")).to_be_visible()
    commander.goto(overview)
    commander.get_by_role("button", name="It is resolved").click()

    # closed: only with everybody told, everything argued, and the lesson written
    with house_scope() as house:
        at = clock.now()
        made: dict[str, Any] = {"tenant_id": house, "incident": incident}
        item = BlastItem.objects.create(
            **made, about_tenant=world.acme.id, kind="record", identity="ord_1", found_at=at
        )
        ActionItem.objects.create(
            **made,
            title="a cap for all",
            kind="prevent",
            made_at=at,
            made_by="sam",
            owner=world.sam.user,
            due_on=at.date(),
        )
    commander.reload()
    expect(commander.get_by_text("1 item of the blast radius: confirm or rule out.")).to_be_visible()
    expect(commander.get_by_text("The postmortem is not reviewed.")).to_be_visible()
    expect(commander.get_by_role("button", name="It is closed")).to_be_disabled()
    assert_accessible(commander)
    with house_scope():
        BlastItem.objects.filter(id=item.id).update(state="confirmed", decided_at=at, decided_by="sam")
        Postmortem.objects.create(
            **made,
            state="reviewed",
            begun_at=at,
            begun_by="sam",
            submitted_by="sam",
            reviewed_at=at,
            reviewed_by="carla",
        )
    commander.reload()
    expect(commander.get_by_text("1 organisation confirmed as hit: not told, and not waived.")).to_be_visible()
    with house_scope():
        CustomerComm.objects.create(
            **made, about_tenant=world.acme.id, audience="admins", channel="call", body="told", state="sent", drafted_at=at,
            drafted_by=sue.email, approved_at=at, approved_by=carla.email, sent_at=at, sent_by=sue.email,
        )  # fmt: skip
    commander.reload()
    commander.get_by_role("button", name="It is closed").click()
    expect(commander.get_by_text("closed.").first).to_be_visible()

    page.goto(f"{overview}timeline/")
    expect(page.get_by_role("list", name="Timeline")).to_contain_text("The watch is closed: nothing came back.")
    assert_accessible(page)
    assert_fits(page)
