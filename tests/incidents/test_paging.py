"""Pages over real HTTP to pagers that fail: none is lost, none rings twice for one change of state, and answers come back."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from apprise.plugins.slack import NotifySlack
from django.core import mail as django_mail
from django.test import Client
from django.urls import resolve, reverse

from agentops.common import clock
from agentops.common.errors import InvalidInput
from agentops.common.scope import tenant_scope
from agentops.outbox import delivering
from agentops.outbox.models import Message, Pace
from agentops.outbox.pagers import chat, opsgenie, pagerduty
from agentops.outbox.pagers.document import read
from audit.models import Entry
from incidents.detecting.seen import Seen
from incidents.models import Alert, Escalation, Incident, Page, PagingTarget, TimelineEntry
from incidents.queries import oncall
from incidents.queries import targets as targeted
from incidents.services import alerts, answers, escalating, paging, second_channels
from incidents.services import targets as targeting
from incidents.services.targets import Terms
from incidents.tasks import paging as tasks
from incidents.types import AlertStatus, PageAction, Severity
from tenants.house import HOUSE_ID, house_scope
from tenants.models import Tenant
from tests.incidents.looks import look, run
from tests.incidents.pagers import API_KEY, FAULTS, ROUTING_KEY, Jsm, PagerDuty, Slack, chaos, running
from tests.world import World

BACK_SECRET, TOKEN = "whsec-of-the-tests-0123456789", "u+reader"
SLACK_URL = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"


@dataclass
class Desk:
    """Our own paging, with three services at the other end of real sockets."""

    world: World
    pagerduty: PagerDuty = field(default_factory=PagerDuty)
    jsm: Jsm = field(default_factory=Jsm)
    slack: Slack = field(default_factory=Slack)
    targets: dict[str, PagingTarget] = field(default_factory=dict)

    def set(self, name: str, **terms: Any) -> PagingTarget:
        with house_scope() as tenant:
            made = targeting.set_target(
                tenant=tenant, terms=Terms(name=name, **terms), by=self.world.sam.actor, at=clock.now()
            )
        self.targets[name] = made
        return made

    def set_all(self, *, jsm_second: bool = False) -> None:
        every = {"severities": (1, 2), "back_secret": BACK_SECRET, "api_token": TOKEN}
        first = self.set("Night", kind="pagerduty", base_url=self.pagerduty.url, secret=ROUTING_KEY, **every)
        second = first.id if jsm_second else None
        given = every | {"api_token": API_KEY, "second_for": second}
        self.set("Atlas", kind="opsgenie", base_url=self.jsm.url, secret=API_KEY, **given)
        self.set("Room", kind="chat", secret=SLACK_URL, severities=(1, 2, 3))

    def see(self, agent: str, at: datetime | None = None, **changed: Any) -> Alert:
        seen: Seen = look(self.world.acme.id, scope_id=agent, agent=agent, **changed)
        with house_scope() as tenant:
            return alerts.raise_alert(tenant=tenant, seen=seen, at=at or clock.now(), cooldown_seconds=0)

    def end(self, alert: Alert) -> None:
        with house_scope() as tenant:
            alerts.resolve_alert(tenant=tenant, alert_id=alert.id, by=self.world.sam.actor, at=clock.now())

    def deliver(self, rounds: int = 1) -> int:
        """Whatever is due, `rounds` times, with the waits in between left out; answers what still waits."""
        for _ in range(rounds):
            while delivering.deliver_one(tenant=HOUSE_ID) is not None:
                pass
            with tenant_scope(HOUSE_ID):
                Pace.objects.all().delete()
                waiting = Message.objects.filter(state="waiting")
                if not waiting.update(next_attempt_at=clock.database_now(), claimed_until=None):
                    return 0
        with tenant_scope(HOUSE_ID):
            return Message.objects.filter(state="waiting").count()

    def sweep(self, after: float = 0.0) -> tuple[int, int, int]:
        """As the task does, so many seconds later."""
        at = clock.now() + timedelta(seconds=after)
        with house_scope() as tenant:
            ended = paging.note_deliveries(tenant=tenant, at=at)
        with house_scope() as tenant:
            second = second_channels.use_second_channels(tenant=tenant, at=at)
        with house_scope() as tenant:
            return ended, second, escalating.escalate(tenant=tenant, at=at)

    def pages(self, **having: Any) -> list[Page]:
        with house_scope():
            return list(Page.objects.filter(**having).select_related("target").order_by("created_at", "id"))

    def key(self, alert: Alert) -> str:
        return f"agentops/alert/{alert.id}"

    def told(self, body: dict[str, Any], *, secret: str = BACK_SECRET, others: str = "") -> Any:
        """A webhook of PagerDuty, signed."""
        raw = json.dumps(body).encode()
        right = "v1=" + hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        url = reverse("api-paging-pagerduty", args=[self.targets["Night"].id])
        header = f"{others}{right}"
        return Client().post(url, raw, content_type="application/json", headers={"x-pagerduty-signature": header})


@pytest.fixture
def desk(world: World, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    found = Desk(world)
    with ExitStack() as stack:
        for each in (found.pagerduty, found.jsm, found.slack):
            stack.enter_context(running(each))
        settings.WEBHOOK_ALLOWED_HOSTS = [f"127.0.0.1:{each.port}" for each in (found.pagerduty, found.jsm)]
        monkeypatch.setattr(NotifySlack, "webhook_url", f"{found.slack.url}/services")
        monkeypatch.setattr(NotifySlack, "request_rate_per_sec", 0)
        settings.PUBLIC_URL = "https://agentops.example"
        yield found


def pagerduty_event(alert: Alert, kind: str = "incident.acknowledged", **changed: Any) -> dict[str, Any]:
    event = {
        "id": "01EVENT",
        "event_type": kind,
        "occurred_at": clock.rfc3339(clock.now() + timedelta(seconds=1)),
        "agent": {"type": "user_reference", "summary": "Nora\u0000 Night"},
        "data": {"type": "incident", "incident_key": f"agentops/alert/{alert.id}"},
    }
    return {"event": event | changed}


def test_whatever_fails_no_page_is_lost_and_none_rings_twice_for_one_change(desk: Desk) -> None:
    """Five alerts through four changes each, while half of all requests go wrong in every way there is."""
    desk.set_all()
    desk.pagerduty.fault, desk.jsm.fault = chaos(1, *FAULTS), chaos(2, *FAULTS)
    # A chat has nothing to fold a second copy with, so its lost answers stand below, on their own.
    desk.slack.fault = chaos(3, "throttle", "error", "drop")
    opened = []
    for number in range(5):
        alert = desk.see(f"agent-{number}", runs=(run(desk.world.acme.id, number, 3.0),))
        assert desk.see(f"agent-{number}").id == alert.id, "one more look at the same is no change"
        opened.append(alert)
    desk.deliver(rounds=3)
    for alert in opened:
        desk.see(alert.agent, severity=Severity.SEV1)
    desk.deliver(rounds=3)
    for alert in opened[:3]:
        desk.end(alert)
    desk.deliver(rounds=3)
    again = desk.see(opened[0].agent)  # within half an hour: the same alert, open again
    assert again.id == opened[0].id
    assert desk.deliver(rounds=60) == 0, "all of it leaves in the end"

    pages, changes = desk.pages(), 5 + 5 + 3 + 1
    assert len(pages) == 3 * changes == len({(p.target_id, p.subject_id, p.action, p.state_number) for p in pages})
    desk.sweep()
    withdrawn = [page for page in desk.pages() if page.failed_at]
    assert all(
        page.action == PageAction.TRIGGER and page.subject_id in {a.id for a in opened[:3]} for page in withdrawn
    )
    for pager in (desk.pagerduty, desk.jsm):
        # Each alert is there under its one key, stands as ours does, and rang once for each time that it opened.
        lost = {page.subject_id for page in withdrawn if page.target.base_url == pager.url}
        for index, alert in enumerate(opened):
            if alert.id in lost:
                continue  # over before it could be delivered: nobody is woken for that any more
            found = pager.alerts[desk.key(alert)]
            assert found.status == ("resolved" if 0 < index < 3 else "triggered"), (pager, alert.agent)
            assert found.rang == (2 if index == 0 else 1), (pager, alert.agent)
            assert found.summary.startswith("SEV-2 (again)" if index == 0 else "SEV-1")
    # Of each alert, a pager takes the changes in their order, however often it has to be asked; copies are of the same key.
    for alert in opened:
        order = [e["event_action"] for e in desk.pagerduty.taken if e["dedup_key"] == desk.key(alert)]
        kinds = [kind for index, kind in enumerate(order) if index == 0 or order[index - 1] != kind]
        assert kinds in (
            ["trigger"],
            ["trigger", "resolve"],
            ["resolve"],
            ["trigger", "resolve", "trigger"],
            ["resolve", "trigger"],
        )
    chat_pages = [page for page in pages if page.target.kind == "chat"]
    chat_withdrawn = [page for page in withdrawn if page.target.kind == "chat"]
    assert len(desk.slack.taken) == len(chat_pages) - len(chat_withdrawn), "a chat is told each change exactly once"


def test_what_a_page_says_and_where_it_leads(desk: Desk, world: World) -> None:
    desk.set_all()
    hostile = "refund-desk @everyone <!channel> " + "x" * 2_000
    alert = desk.see("refund-desk", summary=hostile, tool="stripe.refund", runs=(run(world.acme.id, 4, 9.5),))
    desk.deliver()
    [event] = desk.pagerduty.taken
    assert (event["dedup_key"], event["client"]) == (desk.key(alert), "agentops")
    payload = event["payload"]
    assert payload["summary"].startswith("SEV-2 refund-desk @everyone")
    assert payload["severity"] == "error"
    assert (payload["source"], payload["component"], payload["group"], payload["class"]) == (
        "agent:refund-desk",
        "tool:stripe.refund",
        "tenant:acme",
        "error_rate",
    )
    assert payload["custom_details"]["organisations"] == "Acme"
    links = {each["text"]: each["href"] for each in event["links"]}
    step = f"https://agentops.example/staff/t/acme/runs/{uuid.UUID(int=5).hex}/?span=00000000000000aa"
    assert links["Trace at the failing step"] == step
    kill = "https://agentops.example/staff/t/acme/kill-switches/new/?scope=agent&id=refund-desk"
    assert links["Kill switch (agent refund-desk)"] == kill
    for href in (step, kill):
        assert resolve(href.removeprefix("https://agentops.example").partition("?")[0]).url_name.startswith(
            "staff-tenant"
        )
    assert links["Runbook"].endswith("/staff/runbooks/error_rate/")
    [made] = desk.jsm.taken
    assert (made["alias"], made["priority"], len(made["message"])) == (desk.key(alert), "P2", 130)
    said = json.dumps(desk.slack.taken[0], ensure_ascii=False)
    assert "@everyone" not in said and "<!channel>" not in said and "everyone" in said
    # Keys stand in no message, nowhere in clear, and the destination names the target and its host only.
    with tenant_scope(HOUSE_ID):
        for message in Message.objects.all():
            kept = json.dumps(message.context) + message.destination
            assert not any(secret in kept for secret in (ROUTING_KEY, API_KEY, "TIiajkdnlazkcOXrIdevi7FQ"))
        assert Message.objects.get(channel="pagerduty").destination == "Night (127.0.0.1)"
        assert ROUTING_KEY.encode() not in bytes(PagingTarget.objects.get(name="Night").secret)
    # The limits of what is sent, whatever is asked for.
    huge = {
        "action": "trigger",
        "dedup_key": "k" * 400,
        "severity": 9,
        "summary": "s" * 5_000,
        "details": {f"{n}": "d" * 9_000 for n in range(500)},
        "links": [{"href": "https://x.example/", "text": "t" * 500}] * 90,
    }
    built = pagerduty.event(read(huge), ROUTING_KEY)
    assert len(json.dumps(built)) < pagerduty.EVENT_BYTES and len(built["dedup_key"]) == 255
    assert len(built["payload"]["summary"]) == 1024
    path, body = opsgenie.request(read(huge))
    assert path == "/v2/alerts" and len(body["message"]) == 130 and len(body["description"]) <= 15_000


def test_over_before_it_was_delivered_wakes_nobody(desk: Desk) -> None:
    desk.set_all()
    desk.pagerduty.fault = lambda: "error"
    alert = desk.see("refund-desk")
    desk.deliver()
    desk.end(alert)
    desk.pagerduty.fault = lambda: ""
    desk.deliver(rounds=3)
    assert [event["event_action"] for event in desk.pagerduty.taken] == ["resolve"]
    assert desk.pagerduty.alerts == {}
    assert desk.jsm.alerts[desk.key(alert)].status == "resolved"
    assert desk.sweep(after=400) == (6, 0, 0), "and nothing is sent by a second channel, nobody is mailed"


def test_a_page_about_what_was_missed_is_as_new_as_any(desk: Desk) -> None:
    """A detector that catches up writes pages about hours ago: nobody had the time to deliver them, or to acknowledge."""
    desk.set_all(jsm_second=True)
    desk.see("refund-desk", at=clock.now() - timedelta(hours=2))
    assert desk.sweep()[1:] == (0, 0)
    assert desk.sweep(after=121)[1] == 1


def test_what_is_not_delivered_goes_by_a_second_channel_then_people_are_mailed_until_somebody_has_it(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oncall, "chain", lambda *, at: [(world.sam.user, 0), (world.ada.user, 300)])
    desk.set_all(jsm_second=True)
    desk.pagerduty.fault = lambda: "drop"
    alert = desk.see("refund-desk", severity=Severity.SEV1)
    other = desk.see("billing-bot")
    desk.deliver()
    assert desk.jsm.taken == [], "a second channel hears nothing at first hand"
    assert desk.sweep(after=100)[1] == 0, "not before two minutes are over"
    # No pager has it: whoever is on call is mailed at once, about both in one mail.
    with house_scope():
        assert sorted(Escalation.objects.values_list("to_user", flat=True)) == [world.sam.user.pk] * 2
    assert desk.sweep(after=130)[1] == 2
    assert desk.sweep(after=140)[1] == 0, "once, however often it is looked"
    desk.deliver()
    assert {(e["alias"], e["verb"]) for e in desk.jsm.taken} == {
        (desk.key(alert), "create"),
        (desk.key(other), "create"),
    }
    assert "second channel" in desk.jsm.alerts[desk.key(alert)].summary
    assert [mail.to for mail in django_mail.outbox] == [["sam@agentops.example"]]
    assert "2 alerts or incidents" in django_mail.outbox[0].subject
    assert "https://agentops.example/staff/t/acme/kill-switches/new/" in django_mail.outbox[0].body

    # One is acknowledged on its page, which pagers are told; the other waits, so that the next in the chain is asked.
    with house_scope() as tenant:
        alerts.acknowledge_alert(tenant=tenant, alert_id=alert.id, by=world.sam.actor, at=clock.now())
    assert desk.sweep(after=310)[2] == 1
    assert desk.sweep(after=320)[2] == 0
    desk.pagerduty.fault = lambda: ""
    desk.deliver(rounds=3)
    assert [mail.to for mail in django_mail.outbox[1:]] == [["ada@acme.example"]]
    assert "billing-bot" in django_mail.outbox[1].body and str(alert.id) not in django_mail.outbox[1].body
    assert desk.pagerduty.alerts[desk.key(alert)].status == "acknowledged"
    assert desk.jsm.alerts[desk.key(alert)].status == "acknowledged"
    assert desk.jsm.alerts[desk.key(other)].status == desk.pagerduty.alerts[desk.key(other)].status == "triggered"

    # A third that nobody takes either stands in the next mail, not in one more at once.
    late = desk.see("late-bot", at=clock.now() + timedelta(seconds=330))
    assert desk.sweep(after=640)[2] == 2, "five minutes after the mail before: both are asked about it"
    with house_scope():
        assert Escalation.objects.filter(subject_id=late.id).count() == 2


def test_where_no_pager_is_set_whoever_is_on_call_is_mailed(
    world: World, monkeypatch: pytest.MonkeyPatch, desk: Desk
) -> None:
    monkeypatch.setattr(oncall, "chain", lambda *, at: [(world.sam.user, 0)])
    with house_scope():
        incident = Incident.objects.create(
            tenant_id=HOUSE_ID,
            year=2026,
            number=42,
            title="Refunds paid twice",
            severity=1,
            tenants=[world.acme.id],
            agent="refund-desk",
            declared_at=clock.now(),
            declared_by="sam",
        )

    def plan(action: PageAction, because: str) -> list[Page]:
        with house_scope() as tenant:
            return paging.plan_pages(
                tenant=tenant,
                subject_kind="incident",
                subject_id=incident.id,
                state_number=1,
                action=action,
                severity=1,
                because=because,
                at=clock.now(),
            )

    assert plan(PageAction.TRIGGER, "declared") == []
    desk.deliver()
    assert [mail.to for mail in django_mail.outbox] == [["sam@agentops.example"]]
    assert "INC-2026-0042: Refunds paid twice" in django_mail.outbox[0].subject

    # With one, the incident is paged there, and the pager's acknowledgement is the incident's.
    desk.set(
        "Night",
        kind="pagerduty",
        base_url=desk.pagerduty.url,
        secret=ROUTING_KEY,
        severities=(1,),
        back_secret=BACK_SECRET,
    )
    [page] = plan(PageAction.TRIGGER, "declared")
    assert plan(PageAction.TRIGGER, "declared") == [page], "the same change asked for again is the same page"
    with house_scope():
        [line] = targeted.latest_pages(target_id=desk.targets["Night"].id)
    assert (line.ref, line.url) == ("INC-2026-0042", "/staff/incidents/INC-2026-0042/")
    desk.deliver()
    [event] = desk.pagerduty.taken
    assert event["payload"]["summary"] == "SEV-1 INC-2026-0042: Refunds paid twice"
    key = {"type": "incident", "incident_key": f"agentops/incident/{incident.id}"}
    event_back = {"id": "E", "event_type": "incident.acknowledged", "agent": {"summary": "Nora"}, "data": key}
    assert desk.told({"event": event_back}).json() == {"acknowledged": True}
    with house_scope():
        incident.refresh_from_db()
        texts = list(
            TimelineEntry.objects.filter(incident_id=incident.id).order_by("id").values_list("text", flat=True)
        )
    assert incident.acknowledged_at is not None
    assert texts == ["Nobody had acknowledged it: Sam Ito was mailed.", "Paged (declared): Night.", *texts[2:]]
    assert any("Acknowledged" in text for text in texts)
    assert desk.sweep(after=4_000)[2] == 0


def test_an_acknowledgement_comes_back_by_a_signed_webhook(desk: Desk) -> None:
    desk.set_all()
    alert = desk.see("refund-desk")
    desk.deliver()

    def standing() -> Alert:
        with house_scope():
            return Alert.objects.get(id=alert.id)

    refused = desk.told(pagerduty_event(alert), secret="another secret")
    assert (refused.status_code, refused["Content-Type"]) == (401, "application/problem+json")
    assert desk.told(pagerduty_event(alert), others="v0=x,").status_code == 200  # several, one of which is right
    found = standing()
    assert (found.status, found.acknowledged_via) == (AlertStatus.ACKNOWLEDGED, "pagerduty")
    assert found.acknowledged_by == "Nora Night at Night"
    assert desk.told(pagerduty_event(alert)).json() == {"acknowledged": False}, "the same event again"
    with house_scope():
        assert Entry.objects.filter(tenant_id=HOUSE_ID, action="alert.acknowledged").count() == 1
    desk.deliver(rounds=2)
    assert desk.jsm.alerts[desk.key(alert)].status == "acknowledged", "the other pager stops to ring, too"

    # What was before the latest page, what is of no alert of ours, what a program did, and what is no event: nothing.
    desk.end(alert)
    desk.see("refund-desk")
    for number, body in enumerate(
        [
            pagerduty_event(alert, occurred_at="2026-01-01T00:00:00Z"),
            pagerduty_event(alert, "incident.resolved", agent={"type": "inbound_integration_reference"}),
            pagerduty_event(alert, data={"incident_key": "agentops/alert/nonsense"}),
            pagerduty_event(alert, data={"incident_key": f"agentops/alert/{uuid.uuid4()}"}),
            pagerduty_event(alert, data=["x"], agent=7),
            pagerduty_event(alert, "pagey.ping"),
            {"event": None},
        ]
    ):
        if isinstance(body["event"], dict):
            body["event"]["id"] = f"E{number}\u0000"
        assert desk.told(body).json() == {"acknowledged": False}, body
    assert standing().status == AlertStatus.OPEN
    closing = pagerduty_event(alert, "incident.resolved", id="closed by hand")
    assert desk.told(closing).json() == {"acknowledged": True}, "who closes it there has it"
    assert desk.told([]).status_code == 400  # type: ignore[arg-type]
    url = reverse("api-paging-pagerduty", args=[desk.targets["Night"].id])
    assert Client().post(url, b"x" * 300_000, content_type="application/json").status_code == 413
    assert Client().post(url, b"{}", content_type="application/json").status_code == 401
    for wrong in (uuid.uuid4(), desk.targets["Atlas"].id):
        wrong_url = reverse("api-paging-pagerduty", args=[wrong])
        assert Client().post(wrong_url, b"{}", content_type="application/json").status_code == 404

    # JSM signs nothing: its secret comes in a header.
    second = desk.see("billing-bot")
    url = reverse("api-paging-opsgenie", args=[desk.targets["Atlas"].id])
    body = {
        "action": "Acknowledge",
        "alert": {"alias": desk.key(second), "username": "nora@x.example", "updatedAt": 1_900_000_000_000_000_000},
    }
    for secret, status in ((BACK_SECRET + "x", 401), (BACK_SECRET, 200)):
        header = {"authorization": f"Bearer {secret}"}
        assert (
            Client().post(url, json.dumps(body), content_type="application/json", headers=header).status_code == status
        )
    with house_scope():
        assert Alert.objects.get(id=second.id).acknowledged_via == "opsgenie"
    for moment in (10**400, 10**17 + 1, -1, True, 1.5, "soon", {}):  # no moment of ours, and no reason to fall over
        body["alert"] = {"alias": desk.key(second), "updatedAt": moment}
        raw = json.dumps(body)
        assert Client().post(url, raw, content_type="application/json", headers=header).status_code == 200, moment


def test_pagers_are_asked_where_a_webhook_was_lost_and_a_page_that_they_lost_goes_elsewhere(desk: Desk) -> None:
    desk.set_all(jsm_second=True)
    alert = desk.see("refund-desk")
    desk.deliver()
    desk.sweep()
    assert tasks.poll_pagers() == 0
    [page] = desk.pages(target__kind="pagerduty")
    assert page.confirmed_by_poll_at is not None, "the pager knows it"
    assert tasks.poll_pagers() == 0, "not asked again a moment later"
    desk.pagerduty.change(desk.key(alert), "acknowledged", who="Nora Night")

    def ask_again(seconds: float = 0.0) -> int:
        """As the task does, later."""
        with house_scope() as tenant:
            polls = answers.claim_polls(tenant=tenant, at=clock.now() + timedelta(seconds=max(seconds, 31.0)))
        found = 0
        for poll in polls:
            asked = tasks._ASK[poll.kind](base_url=poll.base_url, token=poll.token, dedup_key=poll.dedup_key)
            with house_scope() as tenant:
                at = clock.now() + timedelta(seconds=seconds)
                found += answers.take_poll(tenant=tenant, page_id=poll.page_id, standing=asked, at=at)
        return found

    assert ask_again() == 1
    with house_scope():
        assert Alert.objects.get(id=alert.id).acknowledged_by == "Nora Night at Night"

    # It answers 202 and makes nothing of it: after three minutes the page counts as lost.
    desk.pagerduty.forgets = True
    lost = desk.see("billing-bot")
    desk.deliver()
    desk.sweep()
    assert ask_again() == 0 and desk.sweep(after=130)[1] == 0
    assert ask_again(seconds=200) == 0
    assert desk.sweep(after=201)[1] == 1 and desk.sweep(after=210)[1] == 0
    desk.deliver()
    desk.sweep()
    assert desk.jsm.alerts[desk.key(lost)].rang == 1
    desk.jsm.change(desk.key(lost), "resolved")
    desk.jsm.alerts[desk.key(lost)].changed_at = clock.rfc3339(clock.now() + timedelta(seconds=300))
    assert ask_again(seconds=600) == 1, "who closes it there has it"

    # What it still knows is the alert of before, which ended: the new page is lost as well.
    desk.pagerduty.forgets = False
    again = desk.see("travel-bot")
    desk.deliver()
    desk.sweep()
    desk.end(again)
    desk.deliver()
    desk.pagerduty.forgets = True
    assert desk.see("travel-bot").state_number == 2
    desk.deliver()
    desk.sweep()
    assert ask_again(seconds=200) == 0
    pages = desk.pages(target__kind="pagerduty", subject_id=again.id, action="trigger")
    assert [(each.state_number, each.failed_at is None) for each in pages] == [(1, True), (2, False)]


def test_targets_refuse_what_would_lead_inside_or_lose_a_secret(desk: Desk, world: World) -> None:
    desk.set_all()
    night, atlas = desk.targets["Night"], desk.targets["Atlas"]

    def refused(target: PagingTarget | None = None, **terms: Any) -> str:
        given = {"name": "X", "kind": target.kind if target else "pagerduty", "severities": (1,), **terms}
        with house_scope() as tenant, pytest.raises(InvalidInput) as caught:
            targeting.set_target(
                tenant=tenant,
                terms=Terms(**given),
                by=world.sam.actor,
                at=clock.now(),
                target_id=target.id if target else None,
            )
        return caught.value.problems[0].pointer

    assert refused(secret=ROUTING_KEY, base_url="http://169.254.169.254/latest") == "/base_url"
    assert refused(secret=ROUTING_KEY, base_url="https://user:pw@events.pagerduty.com") == "/base_url"
    assert refused(secret=ROUTING_KEY, base_url="https://events.pagerduty.com/?x=") == "/base_url"
    assert refused(secret="too short") == "/secret"
    assert refused(secret="R" * 31 + "\n") == "/secret"
    assert refused() == "/secret"
    assert refused(secret=ROUTING_KEY, severities=()) == "/severities"
    assert refused(secret=ROUTING_KEY, severities=(4,)) == "/severities"
    assert refused(secret=ROUTING_KEY, name="a\u0000b") == "/name"
    assert refused(kind="pigeon") == "/kind"
    assert refused(kind="mail", address="nobody") == "/address"
    assert refused(kind="webhook", base_url="http://10.0.0.1/") == "/base_url"
    # Elsewhere, the key that is kept is not used: whoever sets the address could read it there.
    assert refused(night, name="Night", base_url=desk.jsm.url) in ("/secret", "/api_token")
    assert refused(night, name="Night", base_url=desk.jsm.url, secret=ROUTING_KEY) == "/api_token"
    # A ring of second channels would leave nobody who hears of anything.
    assert refused(night, name="Night", base_url=night.base_url, second_for=night.id) == "/second_for"
    with house_scope():
        PagingTarget.objects.filter(id=atlas.id).update(second_for=night.id)
    assert refused(night, name="Night", base_url=night.base_url, second_for=atlas.id) == "/second_for"

    for url in (
        "json://169.254.169.254/",
        "file:///etc/passwd",
        "https://evil.example/",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/?template=/etc/passwd",
        "mmost://127.0.0.1:1/abcdefghijklmnop",
        "workflows://10.0.0.1/643e69f83c8944438d68119179a10a64/sig",
        "workflows://logic.azure.com.evil.example/643e69f83c8944438d68119179a10a64/sig",
        "slack://",
        "",
        "x" * 900,
    ):
        assert refused(kind="chat", secret=url) == "/secret", url
        with pytest.raises(ValueError, match=r"it is not|it names no place|none of Microsoft|not among"):
            chat.opened(url)
    assert chat.host_of("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ") == "Slack"

    # Off, nothing is sent there, whatever waits.
    alert = desk.see("refund-desk")
    with house_scope() as tenant:
        targeting.turn_target(tenant=tenant, target_id=night.id, is_on=False, by=world.sam.actor, at=clock.now())
    desk.deliver(rounds=2)
    assert desk.pagerduty.taken == []
    with tenant_scope(HOUSE_ID):
        assert "turned off" in Message.objects.get(channel="pagerduty").last_error
    assert desk.pages(target_id=night.id)[0].subject_id == alert.id
    assert desk.jsm.taken == [], "the second channel of a pager that was on"
    desk.see("billing-bot")
    desk.deliver()
    assert len(desk.jsm.taken) == 1, "while the first is off, the second channel hears of it itself"


def test_a_drill_wakes_nobody_who_did_not_ask_for_it(desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oncall, "chain", lambda *, at: [(world.sam.user, 0)])
    desk.set("Night", kind="pagerduty", base_url=desk.pagerduty.url, secret=ROUTING_KEY, severities=(1, 2, 3))
    desk.set("Room", kind="chat", secret=SLACK_URL, severities=(1, 2, 3), hears="all")
    desk.set("Drills", kind="opsgenie", base_url=desk.jsm.url, secret=API_KEY, severities=(1, 2, 3), hears="drills")
    Tenant.objects.filter(id=world.acme.id).update(is_drill=True)
    drill = desk.see("drilled", severity=1)
    Tenant.objects.filter(id=world.acme.id).update(is_drill=False)
    real = desk.see("real", severity=1)
    desk.deliver()
    told = {(each.target.name, each.subject_id) for each in desk.pages()}
    assert told == {("Room", drill.id), ("Drills", drill.id), ("Room", real.id), ("Night", real.id)}
    assert desk.pagerduty.alerts.keys() == {desk.key(real)} and desk.jsm.alerts.keys() == {desk.key(drill)}
    Tenant.objects.filter(id=world.acme.id).update(is_drill=True)
    assert desk.sweep(after=600)[1:] == (0, 0), "nobody is mailed about a drill, and no other pager hears of it"
    with house_scope() as tenant, pytest.raises(InvalidInput, match="real") as refused:
        targeting.set_target(
            tenant=tenant, terms=Terms(name="x", kind="mail", address="a@b.example", severities=(1,), hears="no"),
            by=world.sam.actor, at=clock.now(),
        )  # fmt: skip
    assert refused.value.problems[0].pointer == "/hears"


def test_the_pages_of_targets(desk: Desk, world: World, client_for: Callable[..., Client]) -> None:
    sam = client_for(world.sam, fresh=True)
    empty = sam.get("/staff/alerts/targets/").content.decode()
    assert "Nobody is paged yet" in empty and "SEV-1 and SEV-2 reach no pager" in empty
    form = {
        "name": "Night <b>shift</b>",
        "base_url": desk.pagerduty.url,
        "secret": ROUTING_KEY,
        "back_secret": BACK_SECRET,
        "severities": ["1", "2"],
    }
    wrong = sam.post("/staff/alerts/targets/new/pagerduty/", form | {"secret": "short", "base_url": "http://10.0.0.1"})
    assert wrong.status_code == 422 and b"https" in wrong.content and ROUTING_KEY.encode() not in wrong.content
    made = sam.post("/staff/alerts/targets/new/pagerduty/", form)
    assert made.status_code == 302, made.content.decode()
    page = sam.get(made["Location"]).content.decode()
    assert "Night &lt;b&gt;shift" in page and "/api/v1/paging/pagerduty/" in page and ROUTING_KEY not in page
    assert sam.post(f"{made['Location']}test/").status_code == 302
    assert b"tested a moment ago" in sam.post(f"{made['Location']}test/", follow=True).content
    desk.pagerduty.fault = lambda: "error"
    desk.deliver()
    assert "PagerDuty answered with the status 503." in sam.get(made["Location"]).content.decode()
    desk.pagerduty.fault = lambda: ""
    desk.deliver()
    [event] = desk.pagerduty.taken
    assert event["payload"]["summary"].startswith("Test page agentops reaches Night")
    assert sam.get(made["Location"]).content.decode().count("Attempt ") == 2
    edit = sam.get(f"{made['Location']}terms/").content.decode()
    assert "Set. Leave empty to keep it." in edit and ROUTING_KEY not in edit and BACK_SECRET not in edit
    kept = sam.post(f"{made['Location']}terms/", form | {"secret": "", "back_secret": "", "name": "Night"})
    assert kept.status_code == 302, kept.content.decode()
    # The test ends as soon as somebody answers it.
    with house_scope():
        target = PagingTarget.objects.get(name="Night")
    desk.targets["Night"] = target
    key = {"type": "incident", "incident_key": f"agentops/test/{target.id}"}
    body = {"event": {"id": "T", "event_type": "incident.acknowledged", "agent": {"summary": "Nora"}, "data": key}}
    assert desk.told(body).json() == {"acknowledged": True}
    desk.deliver(rounds=2)
    assert desk.pagerduty.alerts[f"agentops/test/{target.id}"].status == "resolved"
    listed = sam.get("/staff/alerts/targets/").content.decode()
    assert "reach no pager" not in listed and "Acknowledged" in listed and "Nora at Night" in listed
    assert sam.post(f"{made['Location']}switch/", {"on": "0"}, follow=True).status_code == 200
    with house_scope():
        actions = list(
            Entry.objects.filter(tenant_id=HOUSE_ID, action__startswith="paging_target")
            .order_by("id")
            .values_list("action", flat=True)
        )
    assert actions == [f"paging_target.{what}" for what in ("set", "tested", "set", "turned_off")]
    assert client_for(world.ada).get("/staff/alerts/targets/").status_code in (403, 404)
