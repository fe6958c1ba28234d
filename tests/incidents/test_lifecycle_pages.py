"""One SEV-1 by its pages, over HTTP: declared from an alert, stopped, explained, fixed, watched, broken, resolved, closed."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import queries as runtime
from agentops.runtime import services as runtime_services
from agentops.runtime.types import SwitchMode, SwitchScope
from evals.models import CaseVersion, DriftFinding, ReviewItem
from incidents import services
from incidents.models import (
    ActionItem,
    Alert,
    BlastItem,
    CustomerComm,
    Fix,
    Incident,
    IncidentAlert,
    IncidentSwitch,
    Postmortem,
    Watch,
)
from incidents.tasks import lifecycle as tasks
from tenants.house import house_scope
from tenants.roles import StaffRole
from tests.evals.gates.making import Desk, F, P
from tests.guards.urls import Things
from tests.incidents import making
from tests.world import OPERATOR, World

Clients = Callable[..., Client]


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def said(response: Any) -> str:
    """What a form's answer says, on the page it leads back to."""
    return str(response.content.decode()).replace("&#x27;", "'").replace("&quot;", '"')


def test_the_life_of_a_sev_1_by_its_pages(world: World, client_for: Clients) -> None:
    commander = making.staff("carla@agentops.example", StaffRole.INCIDENT_COMMANDER)
    reader = making.staff("tina@agentops.example", StaffRole.TOOL_REVIEWER)
    sam, carla, tina = client_for(world.sam), client_for(commander), client_for(reader)
    desk, things, acme = Desk(world.acme, clock.now() - timedelta(days=1)), Things(world, world.acme), world.acme
    run, globex = things.run_id(), world.globex
    for version in "12":
        desk.version(version)
    Desk(globex, clock.now() - timedelta(days=1)).version("1")
    with house_scope():
        first = making.alert(
            acme.id, tenants=[acme.id, globex.id],
            sample_runs=[{"tenant": str(acme.id), "run": run, "step": things.span_id(), "value": 41, "at": ""}],
        )  # fmt: skip
        near = making.alert(acme.id, severity=2, alert_class="cost_spike", summary="It costs 41 times as much")
        other = making.alert(globex.id, severity=2, agent="clerk", summary="Another thing")

    # declared: what is alike is suggested and joins; another thing is not; the form sent twice is one incident
    assert "Nothing is open" in said(sam.get("/staff/incidents/"))
    page = said(sam.get(f"/staff/incidents/new/?alert={first.id}"))
    assert near.summary in page and "the same agent version" in page and other.summary not in page
    form = {
        "title": "desk goes round in a circle at Acme", "severity": "", "tenants": ["acme", "globex"], "agent": "desk",
        "agent_version": "1", "with": [str(near.id)], "incident_id": field(page, "incident_id"),
    }  # fmt: skip
    new = f"/staff/incidents/new/?alert={first.id}"
    assert sam.post(new, {**form, "title": ""}).status_code == 422
    assert "0 characters" not in said(sam.post(new, {**form, "title": "\0"}))
    for _ in range(2):
        assert sam.post(new, form).status_code == 302
    assert tina.post(new, form).status_code == 403
    with house_scope():
        [incident] = Incident.objects.all()
        assert IncidentAlert.objects.filter(incident=incident).count() == 2
        assert incident.runs == [{"tenant": acme.id.hex, "run": run, "step": things.span_id()}]
        making.keep_evidence(incident)
    base = f"/staff/incidents/{incident.ref}/"
    assert sam.get(new)["Location"] == base  # an alert leads to its incident

    # the first screen
    page = said(sam.get(base))
    assert page.index("Stop the harm first") < page.index("Next: active")
    for words in (
        "Stop desk of 2 organisations",
        f'href="/staff/alerts/{first.id}/"',
        "nobody has taken that role",
        "Nobody was paged",
        f"?span={things.span_id()}",
    ):
        assert words in page, words
    assert "Stop desk" not in said(tina.get(base)) and tina.post(f"{base}status/").status_code == 403

    def go(client: Client, to: str, **more: str) -> str:
        return said(client.post(f"{base}status/", {"to": to, **more}, follow=True))

    assert "nobody has taken that role" in go(sam, "active")
    assert "staff role" in said(sam.post(f"{base}roles/", {"role": "commander"}, follow=True))
    assert "The role is taken." in said(carla.post(f"{base}roles/", {"role": "commander"}, follow=True))
    assert "active." in go(sam, "active", expected="triage")
    assert "kill switch" in go(sam, "contained")

    # stopped: both customers' switches, their logs say who; asking alone acts on nothing
    kill = f"{base}kill-switch/"
    assert "desk of Acme" in said(sam.get(kill))
    with tenant_scope(acme.id):
        assert runtime.switches(tenant=acme.id) == []
    stop = {"target": "agent:all", "mode": "stop_next_step", "reason": "goes round in a circle"}
    assert sam.post(kill, {**stop, "target": "product"}).status_code == 422  # everything is asked once more
    assert sam.post(kill, {**stop, "target": "agent:evil"}).status_code == 422
    assert sam.post(kill, stop).status_code == 302 and sam.post(kill, stop).status_code == 302
    assert acme.actions().count("kill_switch.set") == globex.actions().count("kill_switch.set") == 1
    with house_scope():
        assert IncidentSwitch.objects.filter(incident=incident).count() == 2
    with tenant_scope(acme.id):  # set by somebody who was cut off before it was noted
        runtime_services.set_switch(
            tenant=acme.id, scope_kind=SwitchScope.TENANT, scope_id="", mode=SwitchMode.BLOCK_NEW,
            reason=f"{incident.ref}: cut off", by=OPERATOR, at=clock.now(),
        )  # fmt: skip
    assert tasks.follow_incidents() >= 1 and tasks.follow_incidents() == 0
    proof = said(sam.get(f"{base}proof/", headers={"hx-request": "true"}))
    assert proof.count("Refused since") == 3 and "<html" not in proof
    assert "contained." in go(sam, "contained")

    # explained and fixed: the case is there, fails on the old version, passes on the new
    cause = {"cause": "orchestration/loop", "owasp": "ASI08", "text": "nothing ended the circle"}
    root = f"{base}cause/root/"
    assert "Select a valid choice" in said(sam.post(root, {**cause, "cause": "orchestration/evil"}, follow=True))
    assert "written down" in said(sam.post(root, cause, follow=True))
    assert "written down" in said(sam.post(root, {**cause, "factor": "1", "cause": "permission/"}, follow=True))
    assert "identified" in go(sam, "identified")
    revision = desk.eval_set("starter", ["circle", "other"])
    with tenant_scope(acme.id):
        CaseVersion.objects.filter(key="circle").update(provenance={"kind": "trace", "id": run, "label": ""})
    good_before = desk.suite("1", revision, {"circle": [F], "other": [P]})
    bad_after = desk.suite("2", revision, {"circle": [P], "other": [F]})
    good_after = desk.suite("2", revision, {"circle": [P], "other": [P]})
    fix = {
        "change": "a cap on the circle", "tenant": "acme", "agent": "desk", "old_version": "1", "new_version": "2",
        "cases": "starter/circle",
    }  # fmt: skip
    assert "starter/circle" in said(sam.get(f"{base}cause/"))  # suggested: it was made of the run
    assert "has no such case" in said(sam.post(f"{base}fixes/", {**fix, "cases": "starter/none"}))
    assert sam.post(f"{base}fixes/", fix).status_code == sam.post(f"{base}fixes/", fix).status_code == 302
    with house_scope():
        [row] = Fix.objects.all()
    assert "fix in review" in go(sam, "fix_in_review")
    assert "No suite shows" in go(sam, "watching", hours="48")
    check = f"{base}fixes/{row.id}/check/"
    wrong = sam.post(check, {"old_suite": good_before.id, "new_suite": bad_after.id}, follow=True)
    assert "full suite does not pass on 2: other" in said(wrong)
    assert sam.post(check, {"old_suite": good_before.id, "new_suite": str(uuid.uuid4())}).status_code == 422
    right = sam.post(check, {"old_suite": good_before.id, "new_suite": good_after.id}, follow=True)
    assert "The fix holds." in said(right) and "Not available" in said(right)
    for hours in ("47", "73", "9999999", "x"):
        assert "48 to 72 hours" in go(sam, "watching", hours=hours, expected="fix_in_review")
    assert "watching" in go(sam, "watching", hours="48")

    # watched: an alert of what is watched reopens it; without one, a person closes it, a commander resolves
    assert "watch has not run" in go(carla, "resolved")
    assert tasks.look_at_watches() == 0
    with house_scope():
        [watch] = Watch.objects.all()
        assert {each["alert_class"] for each in watch.monitors} == {"runaway", "cost_spike"}
        again = making.alert(acme.id, severity=2, summary="desk is at it again")
        making.alert(globex.id, severity=1, agent="clerk", summary="not watched")
    assert (tasks.look_at_watches(), tasks.look_at_watches()) == (1, 0)
    page = said(sam.get(base))
    assert "Next: contained" in page and "desk is at it again" in page
    with house_scope():
        incident.refresh_from_db()
        assert (incident.status, incident.reopened, incident.contained_at) == ("active", 1, None)
        Alert.objects.filter(id=again.id).update(verdict="actionable", verdict_at=clock.now(), verdict_by="sam")
    assert "kill switch" in go(sam, "contained")  # what was set before did not hold it: it is looked at again
    assert sam.post(kill, stop).status_code == 302
    assert "contained." in go(sam, "contained") and "identified" in go(sam, "identified")
    assert "no fix is written down" in go(sam, "fix_in_review")
    assert sam.post(f"{base}fixes/", {**fix, "change": "a cap for all"}).status_code == 302
    with house_scope():
        newest = Fix.objects.order_by("-proposed_at").first()
        assert newest is not None and newest.id != row.id
    sam.post(f"{base}fixes/{newest.id}/check/", {"old_suite": good_before.id, "new_suite": good_after.id})
    assert "fix in review" in go(sam, "fix_in_review") and "watching" in go(sam, "watching", hours="72")
    assert "runs until" in said(sam.post(f"{base}watch/end/", follow=True))
    with house_scope():
        passed = clock.now() - timedelta(hours=73)
        Watch.objects.filter(state="running").update(starts_at=passed, ends_at=clock.now())
        Incident.objects.update(**dict.fromkeys(("impact_started_at", "detected_at", "declared_at"), passed))
    assert tasks.look_at_watches() == 1  # the alert of before is inside these 73 hours: broken again


def test_only_what_is_over_is_resolved_and_closed(world: World, client_for: Clients) -> None:
    commander = making.staff("carla@agentops.example", StaffRole.INCIDENT_COMMANDER)
    sam, carla, at = client_for(world.sam), client_for(commander), clock.now()
    long_ago = at - timedelta(hours=80)
    with house_scope() as house:
        made = services.declare(
            tenant=house, title="seals are late", severity=1, tenants=[world.acme.id], by=making.staff_actor(world.sam),
            at=long_ago,
        )  # fmt: skip
        services.assume_role(
            tenant=house, incident_id=made.id, role="commander", user=commander.user.pk,
            by=making.staff_actor(commander), at=long_ago,
        )  # fmt: skip
        making.keep_evidence(made)
    base = f"/staff/incidents/{made.ref}/"

    def go(client: Client, to: str, **more: str) -> str:
        return said(client.post(f"{base}status/", {"to": to, **more}, follow=True))

    go(sam, "active")
    assert sam.post(f"{base}decision/", {"reason": "nothing to stop"}).status_code == 403
    assert "with your name" in said(carla.post(f"{base}decision/", {"reason": "nothing to stop"}, follow=True))
    go(sam, "contained")
    sam.post(f"{base}cause/root/", {"cause": "unknown/", "owasp": "", "text": "the logs are gone"})
    go(sam, "identified")
    assert sam.post(f"{base}fixes/", {"change": "a second sealer"}).status_code == 302
    go(sam, "fix_in_review")
    assert "watching" in go(sam, "watching", hours="72")  # nothing was asked of an agent: no case, no suite
    with house_scope():
        begun = at - timedelta(hours=73)
        Watch.objects.update(starts_at=begun, ends_at=at - timedelta(minutes=1))
        Incident.objects.update(mitigated_at=begun, contained_at=begun)
    assert tasks.look_at_watches() == 0
    assert "has to close it" in go(carla, "resolved")
    assert "close the watch" in said(sam.get(f"{base}cause/"))
    assert "The watch is closed" in said(sam.post(f"{base}watch/end/", follow=True))
    assert "Only an incident commander" in go(sam, "resolved")
    assert "resolved." in go(carla, "resolved")
    with house_scope() as house:
        item = BlastItem.objects.create(
            tenant_id=house, incident=made, about_tenant=world.acme.id, kind="tenant", identity="acme", found_at=at
        )
        comm = CustomerComm.objects.create(
            tenant_id=house, incident=made, about_tenant=world.acme.id, audience="admins", channel="mail", body="b",
            drafted_at=at, drafted_by="sue",
        )  # fmt: skip
        action = ActionItem.objects.create(
            tenant_id=house, incident=made, title="a second sealer", kind="prevent", made_at=at, made_by="sam"
        )
        paper = Postmortem.objects.create(tenant_id=house, incident=made, begun_at=at, begun_by="sam")
    page = go(carla, "closed")
    for missing in (
        "1 item of the blast radius",
        "1 message neither sent",
        "postmortem is not reviewed",
        "without an owner",
    ):
        assert missing in page, missing
    with house_scope():
        BlastItem.objects.filter(id=item.id).update(state="ruled_out", decided_at=at, decided_by="sam", reason="none")
        CustomerComm.objects.filter(id=comm.id).update(state="waived", waived_because="nobody was hit", waived_by="sue")
        ActionItem.objects.filter(id=action.id).update(owner=world.sam.user, due_on=at.date())
        Postmortem.objects.filter(id=paper.id).update(state="reviewed", reviewed_at=at, reviewed_by="carla")
    assert "closed." in go(carla, "closed")
    assert "not changed any more" in said(sam.post(f"{base}severity/", {"severity": "2", "reason": "r"}, follow=True))
    assert "Nothing is open" in said(sam.get("/staff/incidents/"))
    for query in (
        "?state=over",
        "?state=all&q=sealer",
        f"?state=all&q={made.ref}",
        "?state=all&severity=1&tenant=acme",
    ):
        shown = said(sam.get(f"/staff/incidents/{query}"))
        assert ("seals are late" in shown) == ("sealer" not in query), query
    for query in ("?state=x&severity=9&tenant=nobody&drills=2", "?q=INC-99999-1", "?q=2026-99999999999"):
        assert sam.get(f"/staff/incidents/{query}").status_code == 200, query
    assert sam.get("/staff/incidents/?cursor=x").status_code == 400

    # the timeline: a note with Markdown in it is plain text in what is exported
    note = {"text": "# told [them](http://x)", "for_customers": "on"}
    assert "Noted." in said(sam.post(f"{base}notes/", note, follow=True))
    assert sam.post(f"{base}notes/", {**note, "link": "https://evil.example"}, follow=True).status_code == 200
    exported = sam.get(f"{base}timeline/export/?customer=1")
    assert "\\# told \\[them\\](http://x)" in exported.content.decode()
    assert exported["Content-Disposition"].endswith('-timeline.md"')
    assert "SEV-1: seals are late" in said(sam.get(f"{base}timeline/?kind=declared"))
    for name in ("INC-2026-9999", "INC-1-1", "x", "INC-99999-0001"):
        assert sam.get(f"/staff/incidents/{name}/").status_code == 404, name


def test_runs_review_items_and_findings_lead_to_incidents_and_pages_ask_little(
    world: World, client_for: Clients
) -> None:
    sam, things, acme = client_for(world.sam), Things(world, world.acme), world.acme
    item, run, finding = things.item(), things.run_id(), things.finding()
    assert f"/staff/incidents/new/?tenant=acme&amp;run={run}" in said(sam.get(f"/staff/t/acme/runs/{run}/"))
    page = said(sam.get(f"/staff/t/acme/quality/queue/{item}/"))
    found = re.search(r'href="(/staff/incidents/new/\?[^"]+)"', page)
    assert found and f"item={item}" in found[1]
    assert "/staff/incidents/new/" not in said(client_for(world.ada).get(acme.url(f"runs/{run}/")))
    new = found[1].replace("&amp;", "&")
    form = said(sam.get(new))
    sent = {"title": "it was rude", "severity": "2", "tenants": ["acme"], "incident_id": field(form, "incident_id")}
    assert sam.post(new, sent).status_code == 302
    with tenant_scope(acme.id):
        [led] = ReviewItem.objects.get(id=item).led_to
    assert led["kind"] == "incident" and led["id"].startswith("INC-")
    assert tasks.follow_incidents() == 0  # it knows already
    with tenant_scope(acme.id):
        assert len(ReviewItem.objects.get(id=item).led_to) == 1
        sentence = DriftFinding.objects.get(id=finding).sentence
    page = said(sam.get(f"/staff/t/acme/quality/drift/{finding}/"))
    found = re.search(r'href="(/staff/incidents/new/\?[^"]+)"', page)
    assert found and sentence in said(sam.get(found[1].replace("&amp;", "&")))
    for query in (
        "alert=x",
        f"alert={uuid.uuid4()}",
        f"run={run}&tenant=nobody",
        f"run={uuid.uuid4()}&tenant=acme",
    ):
        assert sam.get(f"/staff/incidents/new/?{query}").status_code == 404, query

    def asks(path: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            assert sam.get(path).status_code == 200
        return len(seen)

    base = f"/staff/incidents/{led['id']}/"
    paths = ("/staff/incidents/", base, f"{base}timeline/", f"{base}cause/")

    def grow(times: int) -> None:
        with house_scope() as house:
            of: dict[str, Any] = {"tenant": house, "by": making.staff_actor(world.sam), "at": clock.now()}
            incident = Incident.objects.order_by("declared_at").first()
            assert incident is not None
            for number in range(times):
                alert = making.alert(acme.id, severity=3)
                services.join_alert(incident_id=incident.id, alert_id=alert.id, **of)
                services.declare(title=f"more {number}", severity=3, tenants=[acme.id], **of)
                text = f"factor {times} {number}"
                services.add_factor(incident_id=incident.id, kind="tool", text=text, **of)

    grow(1)
    few = {path: asks(path) for path in paths}
    grow(12)
    assert {path: asks(path) for path in paths} == few
