"""Runbooks: texts that are shown and never run, versions, and steps that are ticked in an incident."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from django.db import connections
from django.test import Client
from django.urls import resolve

from agentops.common import clock
from audit.models import Entry
from incidents import services
from incidents.models import Alert, Incident, IncidentAlert, Runbook, RunbookTick, TimelineEntry
from incidents.queries import runbooks as queries
from incidents.runbooks.reading import read, steps
from incidents.runbooks.shipped import shipped
from incidents.types import AlertClass
from tenants.house import HOUSE_ID, house_scope
from tests.world import World

Clients = Callable[..., Client]


def test_what_somebody_writes_is_shown_and_never_run() -> None:
    hostile = """
<script>alert(1)</script> text <img src=x onerror=alert(1)>

- [ ] <b onmouseover=alert(1)>bold</b> and `<i>code</i>`
- [x] [link](javascript:alert(1)) [data](data:text/html,x) [else](//evil.example/x) [tab](java\tscript:alert(1))
- [ ] ![image](https://evil.example/pixel.png) [fine](/staff/kill-switches/) [out](https://status.example/)

| a | b |
| - | - |
| <u>1</u> | 2 |

- not a step
- [ ] in a list of both it is none
"""
    html = "".join(part.html + "".join(step.html for step in part.steps) for part in read(hostile))
    assert re.findall(r"<(\w+)", html) == re.findall(r"<(p|code|a|table|thead|tr|th|tbody|td|ul|li)\b", html)
    assert re.findall(r'(?:href|src)="([^"]*)"', html) == [
        "https://evil.example/pixel.png",  # a link to follow, not an image that is loaded
        "/staff/kill-switches/",
        "https://status.example/",
    ]
    assert not re.search(r"<[^>]*\son\w+=", html)
    assert [step.number for step in steps(hostile)] == [1, 2, 3]
    assert steps(hostile)[0].html.startswith("&lt;b onmouseover")
    assert steps("- [ ] " + "[" * 5_000)[0].number == 1 and len(read("> " * 10_000)) == 1
    assert read("") == [] and steps("-\n- [ ] x") == []


def test_every_kind_of_alert_has_a_first_text_whose_links_lead_somewhere() -> None:
    for alert_class in AlertClass:
        title, body = shipped(alert_class)
        assert title and 8 <= len(steps(body)) <= 14, alert_class
        assert all(resolve(link) for link in re.findall(r"\]\((/[^)]*)\)", body)), alert_class


def test_versions_and_their_difference(world: World, client_for: Clients) -> None:
    client, url = client_for(world.sam), "/staff/runbooks/cost_spike/"
    assert client.get("/staff/runbooks/").content.decode().count("comes with the product") == len(AlertClass)
    assert "far above its own hour" in client.get(url).content.decode()
    with house_scope():
        assert queries.runbook_for(AlertClass.COST_SPIKE).version == 1 and not Runbook.objects.exists()
    form = {"title": "Stop it", "body": "Look.\r\n\r\n- [ ] Stop\r\n- [ ] Look", "note": "shorter", "seen_version": "1"}
    for change in ({"body": "no step"}, {"body": "- [ ] x\n" * 61}, {"title": ""}, {"body": "- [ ] " + "x" * 40_001}, {"seen_version": "x"}):  # fmt: skip
        assert client.post(f"{url}versions/", {**form, **change}).status_code == 422, change
    assert client.post(f"{url}versions/", form).status_code == 302
    late = client.post(f"{url}versions/", {**form, "body": "- [ ] Mine"})
    assert late.status_code == 422 and "meanwhile" in late.content.decode() and "- [ ] Mine" in late.content.decode()
    assert client.post(f"{url}versions/", {**form, "seen_version": "2"}).status_code == 302  # the same text: nothing
    shown = client.get(url).content.decode()
    assert "<ins>+ - [ ] Stop</ins>" in shown and "shorter" in shown
    assert "This is an old version." in client.get(f"{url}?version=1").content.decode()
    assert client.get("/staff/runbooks/nothing/").status_code == 404
    with house_scope():
        assert queries.runbook_for(AlertClass.COST_SPIKE).version == 2
        assert Entry.objects.filter(tenant_id=HOUSE_ID, action="runbook.set").count() == 1


def test_steps_are_ticked_in_an_incident_by_whoever_did_them(world: World, client_for: Clients) -> None:
    at, client = clock.now(), client_for(world.sam)
    with house_scope() as tenant:
        incident = Incident.objects.create(
            tenant_id=tenant, year=2026, number=42, title="Refunds", severity=1, declared_at=at, declared_by="x"
        )
        alert = Alert.objects.create(
            tenant_id=tenant, fingerprint="1", alert_class="runaway", scope_type="product", severity=1,
            summary="It runs", first_seen_at=at, opened_at=at, last_seen_at=at,
        )  # fmt: skip
    page, ticks = f"/staff/incidents/{incident.ref}/runbook/", f"/staff/incidents/{incident.ref}/runbook/ticks/"
    assert "No runbook yet" in client.get(page).content.decode()
    assert "Drift" in client.get(f"{page}?class=drift").content.decode()
    with house_scope() as tenant:
        IncidentAlert.objects.create(tenant_id=tenant, incident=incident, alert_id=alert.id, at=at, by="x")
    assert "0 of 13 steps done" in client.get(page).content.decode()
    step = {"class": "runaway", "version": "1", "step": "2", "note": "<i>a loop</i>"}
    wrong = (
        {"step": "14"},
        {"step": "0"},
        {"step": "-1"},
        {"version": "2"},
        {"version": "9" * 30},
        {"note": "x" * 2_001},
    )
    for change in wrong:
        assert client.post(ticks, {**step, **change}).status_code == 400, change
    assert client.post(ticks, {**step, "class": "king"}).status_code == 404
    for _ in range(2):  # who was first stays
        assert client.post(ticks, step).status_code == 302
    shown = client.get(page).content.decode()
    assert "1 of 13 steps done" in shown and world.sam.email in shown and "&lt;i&gt;a loop" in shown
    with house_scope() as tenant:
        services.set_runbook(
            tenant=tenant, alert_class=AlertClass.RUNAWAY, title="New", body="- [ ] only", note="", seen_version=1,
            by=world.sam.actor, at=at,
        )  # fmt: skip
    shown = client.get(page).content.decode()
    assert "1 of 13 steps done" in shown and "version 2 holds now" in shown  # what was begun goes on
    for _ in range(2):
        assert client.post(ticks, {**step, "undo": "1"}).status_code == 302
    assert "0 of 1 steps done" in client.get(page).content.decode()
    with house_scope():
        told = list(TimelineEntry.objects.order_by("recorded_at", "id").values_list("text", flat=True))
        assert [line.split(" of ")[0] for line in told] == ["Did step 2", "Took back step 2"]
        found = Entry.objects.filter(tenant_id=HOUSE_ID, action__startswith="runbook.step").order_by("id")
        assert list(found.values_list("action", flat=True)) == ["runbook.step_ticked", "runbook.step_unticked"]
        Incident.objects.update(status="cancelled")
    assert client.post(ticks, step).status_code == 409
    assert "Step 2 is done" not in client.get(page).content.decode()


def test_the_first_to_use_a_runbook_stores_it_once(world: World) -> None:
    at = clock.now()
    with house_scope() as tenant:
        incident = Incident.objects.create(
            tenant_id=tenant, year=2026, number=1, title="A", severity=2, declared_at=at, declared_by="x"
        )
    start = threading.Barrier(4)
    failed: list[BaseException] = []

    def tick() -> None:
        try:
            start.wait()
            with house_scope() as tenant:
                services.tick_step(
                    tenant=tenant, ref=incident.ref, alert_class=AlertClass.DRIFT, version=1, step=1, note="",
                    by=world.sam.actor, at=at,
                )  # fmt: skip
        except BaseException as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with house_scope():
        assert (failed, Runbook.objects.count(), RunbookTick.objects.count()) == ([], 1, 1)
        assert TimelineEntry.objects.count() == 1
