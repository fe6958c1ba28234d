"""Staff look at alerts, answer them, and set rules; with hostile input, and in few statements."""

from __future__ import annotations

import uuid
from typing import Any

from django.test import Client
from django.urls import reverse

from agentops.common import clock
from incidents.models import Alert, AlertRule
from incidents.services import alerts
from incidents.types import AlertClass, ScopeType, Severity
from tenants.house import HOUSE_ID, house_scope
from tests.evals import rowsof
from tests.incidents.looks import look
from tests.incidents.looks import run as sample
from tests.traces.pages import statements, words
from tests.world import Organisation, Person, World


def raised(organisation: Organisation | None, **changed: Any) -> Alert:
    with house_scope():
        seen = look(organisation.id if organisation else None, since=clock.now(), **changed)
        return alerts.raise_alert(tenant=HOUSE_ID, seen=seen, at=clock.now())


def signed_in(person: Person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def kept(alert: Alert) -> Alert:
    with house_scope():
        return Alert.objects.get(tenant_id=HOUSE_ID, id=alert.id)


def test_from_the_list_to_the_verdict(world: World) -> None:
    sam, place = signed_in(world.sam), reverse("staff-alerts")
    assert "Nothing is wrong" in words(sam.get(place))
    (run_id,) = rowsof.runs(world.acme, 1, kind="llm", model="gpt-4o-mini-2024-07-18")
    known = sample(world.acme.id, 1)
    shown = type(known)(tenant=world.acme.id, run=uuid.UUID(run_id), at=clock.now())
    alert = raised(world.acme, runs=(known, shown), agent="refund-desk <b>&", data={"runs": 40, "odd": ["x"]})
    one = statements(sam, place)
    for number in range(30):
        raised(world.globex, scope_id=f"agent {number}", agent=f"agent {number}", severity=Severity.SEV3)
    assert statements(sam, place) == one
    listed = sam.get(place, {"organisation": "acme", "class": "error_rate", "severity": "2"})
    assert words(listed).count("refund-desk fails in 31 %") == 1 and "refund-desk <b>& of Acme" in words(listed)
    assert "No alert is like that" in words(sam.get(place, {"state": "ended"}))
    for odd in ({"class": "x" * 5000}, {"severity": "9" * 400}, {"organisation": "'; --"}):
        assert sam.get(place, odd).status_code == 200
    for wrong in ({"cursor": "x"}, {"state": "\x00"}):
        assert sam.get(place, wrong).status_code == 400

    page = sam.get(reverse("staff-alert", kwargs={"alert": alert.id}))
    html = page.content.decode()
    assert f"/staff/t/acme/runs/{run_id}/?span=" in html.replace(f"{run_id}?span", f"{run_id}/?span")
    assert "/staff/t/acme/kill-switches/new/?scope=agent&amp;id=refund-desk+%3Cb%3E%26" in html
    assert "its trace has not arrived" in words(page) and "How did it go?" not in words(page)
    assert sam.get(reverse("staff-alert", kwargs={"alert": uuid.uuid4()})).status_code == 404

    # Answered: each leads back to the page, and a second time is no other thing.
    for name, body in (("acknowledgement", {}), ("acknowledgement", {}), ("verdict", {"verdict": "actionable", "note": "a deploy"}), ("resolution", {}), ("resolution", {})):  # fmt: skip
        answer = sam.post(reverse(f"staff-alert-{name}", kwargs={"alert": alert.id}), body)
        assert (answer.status_code, answer["Location"]) == (302, reverse("staff-alert", kwargs={"alert": alert.id}))
    found = kept(alert)
    assert (found.acknowledged_by, found.verdict, found.verdict_note, found.resolved_by) == (
        world.sam.email, "actionable", "a deploy", world.sam.email,
    )  # fmt: skip
    acknowledge = reverse("staff-alert-acknowledgement", kwargs={"alert": alert.id})
    assert (sam.post(acknowledge).status_code, sam.get(acknowledge).status_code) == (409, 405)
    for wrong in (
        {"verdict": "great"},
        {"verdict": "noise", "note": "a\x00b"},
        {"verdict": "noise", "note": "n" * 9000},
    ):
        assert sam.post(reverse("staff-alert-verdict", kwargs={"alert": alert.id}), wrong).status_code == 400
    precision = words(sam.get(reverse("staff-alert-precision"), {"month": f"{clock.now():%Y-%m}"}))
    assert "Error rate" in precision and "100 %" in precision


def test_rules_are_set_changed_and_removed(world: World) -> None:
    sam = signed_in(world.sam)
    place = reverse("staff-alert-rule", kwargs={"alert_class": "runaway"})
    assert "Nothing chosen: all organisations" in words(sam.get(place))
    assert sam.get(reverse("staff-alert-rule", kwargs={"alert_class": "weather"})).status_code == 404
    given = {"organisation": "acme", "agent": "bot", "is_on": "on", "severity": "1", "runs": "3", "steps_times": "2.5"}
    for wrong in (
        {"runs": "0"},
        {"runs": "x"},
        {"severity": "7"},
        {"organisation": "none"},
        {"agent": "a" * 201},
        {"steps_times": "nan"},
    ):
        assert sam.post(place, given | wrong).status_code == 422
    assert sam.post(place, given).status_code == 302
    assert sam.post(place, given | {"runs": "4", "severity": ""}).status_code == 302
    with house_scope():
        (rule,) = AlertRule.objects.filter(tenant_id=HOUSE_ID)
    assert (rule.params, rule.severity, rule.about_tenant) == ({"runs": 4, "steps_times": 2.5}, None, world.acme.id)
    listed = sam.get(reverse("staff-alert-rules"))
    assert "bot of Acme" in words(listed) and "So many runs of an agent that the guard ended: 4" in words(listed)
    assert 'value="2.5"' in sam.get(f"{place}?rule={rule.id}").content.decode()
    assert sam.get(f"{place}?rule=x").status_code == 200
    removal = reverse("staff-alert-rule-removal", kwargs={"alert_rule": rule.id})
    assert [sam.post(removal).status_code for _ in range(2)] == [302, 404]


def test_an_alert_of_the_whole_product_leads_to_its_switch(world: World) -> None:
    alert = raised(
        None,
        alert_class=AlertClass.QUEUE_LAG,
        scope_type=ScopeType.PRODUCT,
        scope_id="outbox",
        agent="",
        summary="s" * 900,
    )
    page = signed_in(world.sam).get(reverse("staff-alert", kwargs={"alert": alert.id}))
    assert reverse("staff-kill-switch-new") in page.content.decode() and "no run shows it" in words(page)
