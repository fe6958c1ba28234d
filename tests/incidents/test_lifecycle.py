"""The way of an incident: what each step needs, who may go it, what it leaves, and what cannot be done."""

from __future__ import annotations

import dataclasses
import itertools
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.errors import DomainError, InvalidInput
from agentops.common.scope import tenant_scope
from agentops.outbox.models import Message
from incidents import services, states
from incidents.errors import AlreadyDone, GateNotMet, WrongState
from incidents.models import Incident, IncidentAlert, IncidentRole, SeverityChange, Snapshot, TimelineEntry, Watch
from incidents.policies import gates, grouping
from incidents.policies.gates import Facts
from incidents.queries.named import incident_called
from incidents.queries.standing import standing
from incidents.states import Who
from incidents.types import IncidentRoleName, IncidentStatus
from tenants import services as tenant_services
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.incidents import making
from tests.world import OPERATOR, World

S = IncidentStatus


def refused(work: Callable[[], Any]) -> DomainError:
    """What is refused leaves nothing; the rest of the scope goes on."""
    with pytest.raises(DomainError) as caught:
        work()
    return caught.value


def test_an_incident_is_declared_once_and_goes_on_only_with_what_each_step_needs(world: World) -> None:
    commander = making.staff("carla@agentops.example", StaffRole.INCIDENT_COMMANDER)
    manager = making.staff("sue@agentops.example", StaffRole.SUCCESS_MANAGER)
    with tenant_scope(world.acme.id):
        tenant_services.assign_success_manager(
            tenant=world.acme.id, manager=manager.user.pk, by=OPERATOR, at=clock.now()
        )
    sam, carla, at = making.staff_actor(world.sam), making.staff_actor(commander), clock.now()
    token = uuid.uuid4()
    with house_scope() as house:
        first = making.alert(world.acme.id, at=at - timedelta(minutes=3))
        said: dict[str, Any] = {"tenant": house, "by": sam, "at": at}
        lower = refused(lambda: services.declare(title="x", severity=3, alerts=[first.id], **said))
        assert "SEV-1" in lower.detail
        for title in ("", " \n", "\0", "x" * 201, None):
            assert isinstance(refused(lambda title=title: services.declare(title=title, **said)), InvalidInput)
        made = services.declare(title="desk refunds\n in a circle", alerts=[first.id], incident_id=token, **said)
        again = services.declare(title="desk refunds in a circle", alerts=[first.id], incident_id=token, **said)
        assert (again.id, Incident.objects.count(), made.ref) == (made.id, 1, f"INC-{at.year}-0001")
        assert made.title == "desk refunds in a circle"  # one line: it is a subject of mails, and a heading
        assert isinstance(refused(lambda: services.declare(title="y", alerts=[first.id], **said)), AlreadyDone)
        assert (made.severity, made.agent, made.agent_version, made.tenants) == (1, "desk", "1", [world.acme.id])
        assert made.impact_started_at == made.detected_at == first.opened_at and made.acknowledged_at == at
        assert Snapshot.objects.filter(incident=made).count() == 1
        assert IncidentRole.objects.get(incident=made).role == IncidentRoleName.ON_CALL  # who is on call took it
        [mail] = Message.objects.filter(tenant_id=HOUSE_ID, template="incidents/mail/declared.txt")
        assert (mail.destination, mail.context["organisations"]) == (manager.email, "Acme")

    def move(to: IncidentStatus, who: Who = Who.RESPONDER, **more: Any) -> Incident:
        by = carla if who is Who.COMMANDER else sam
        with house_scope() as house:
            return services.move(tenant=house, incident_id=made.id, to=to, by=by, at=clock.now(), who=who, **more)

    assert refused(lambda: move(S.CONTAINED)).code == "wrong_state"  # no step is left out
    missing = refused(lambda: move(S.ACTIVE))
    assert isinstance(missing, GateNotMet) and len(missing.needs) == 2
    assert "commander" in missing.needs[0] and "evidence" in missing.needs[1]

    with house_scope() as house:
        said = {"tenant": house, "incident_id": made.id, "at": clock.now()}
        role = {"role": IncidentRoleName.COMMANDER, **said}
        assert "staff role" in refused(lambda: services.assume_role(user=world.sam.user.pk, by=sam, **role)).detail
        services.assume_role(user=commander.user.pk, by=carla, **role)
        making.keep_evidence(made)
    assert move(S.ACTIVE).status == S.ACTIVE
    assert "kill switch" in refused(lambda: move(S.CONTAINED)).detail
    with house_scope() as house:
        said["at"] = clock.now()
        assert "commander" in refused(lambda: services.renounce_role(role="commander", by=carla, **said)).detail
        decide = {"reason": "it reads only", **said}
        assert isinstance(refused(lambda: services.decide_not_to_stop(by=sam, who=Who.RESPONDER, **decide)), WrongState)
        switch = uuid.uuid4()
        noted = {
            "switch_id": switch, "about_tenant": world.acme.id, "kind": "agent", "scope_id": "desk",
            "mode": "stop_next_step", "set_at": clock.now(), "by": sam, **said,
        }  # fmt: skip
        assert services.note_switch(**noted).id == services.note_switch(**noted).id  # twice is once
    contained = move(S.CONTAINED)
    assert contained.contained_at and move(S.CONTAINED, expected=S.ACTIVE).status == S.CONTAINED  # sent twice
    assert refused(lambda: move(S.CANCELLED, Who.COMMANDER, reason="none")).code == "wrong_state"
    assert "cause" in refused(lambda: move(S.IDENTIFIED)).detail
    with house_scope() as house:
        fix: dict[str, Any] = {"tenant": house, "incident_id": made.id, "change": "a limit", "by": sam}
        before = services.propose_fix(**fix, at=clock.now())
        assert services.propose_fix(**fix, at=clock.now()).id == before.id  # sent twice
    reopened = move(S.ACTIVE, reason="it goes on elsewhere")
    assert (reopened.contained_at, reopened.reopened, reopened.status_number) == (None, 1, 2)
    assert "kill switch" in refused(lambda: move(S.CONTAINED)).detail  # that one did not hold it
    with house_scope():  # nor did that fix: the same words say it anew
        assert standing(reopened).fix is None
        assert services.propose_fix(**fix, at=clock.now()).id != before.id
        assert standing(reopened).fix is not None
    with house_scope():
        entries = list(TimelineEntry.objects.filter(incident_id=made.id).order_by("recorded_at", "id"))
    assert [entry.kind for entry in entries if entry.kind != "page"] == [
        "declared", "alert", "role", "role", "status", "switch", "status", "fix", "status", "fix",
    ]  # fmt: skip
    assert making.house_actions() == [
        "incident.declared", "evidence.planned", "incident.role_assumed", "incident.role_assumed", "incident.activated",
        "incident.switch_noted", "incident.contained", "incident.fix_proposed", "incident.reopened", "incident.fix_proposed",
    ]  # fmt: skip


def test_severity_times_alerts_and_merging(world: World) -> None:
    sam, at = making.staff_actor(world.sam), clock.now()
    with house_scope() as house:
        said: dict[str, Any] = {"tenant": house, "by": sam, "at": at}
        one = services.declare(title="one", severity=3, tenants=[world.globex.id], **said)
        other = services.declare(title="other", severity=2, **said)
        assert (one.number, other.number) == (1, 2)
        of = {"incident_id": one.id, **said}
        services.set_severity(severity=2, reason="unsure", **of)
        assert isinstance(refused(lambda: services.set_severity(severity=3, reason="less", **of)), WrongState)
        services.set_severity(severity=3, reason="less", who=Who.COMMANDER, **of)
        changes = SeverityChange.objects.filter(incident=one).order_by("at", "id")
        assert list(changes.values_list("was", "became")) == [(None, 3), (3, 2), (2, 3)]

        worse = making.alert(world.acme.id, severity=1, at=at - timedelta(minutes=9))
        joined = services.join_alert(alert_id=worse.id, rule="same_tool", compared={"tool": "refund"}, **of)
        assert services.join_alert(alert_id=worse.id, **of).id == joined.id
        one = incident_called(one.ref.lower())
        assert (one.severity, set(one.tenants)) == (1, {world.acme.id, world.globex.id})
        assert isinstance(
            refused(lambda: services.join_alert(alert_id=worse.id, **{**of, "incident_id": other.id})), AlreadyDone
        )
        before = {"last_harm_at": worse.last_seen_at - timedelta(seconds=1)}
        told = refused(lambda: services.correct_times(times=before, reason="r", **of))
        assert "tell of harm until" in told.detail  # else the sweep says so again a minute later
        services.remove_alert(alert_id=worse.id, reason="another thing", **of)
        assert services.correct_times(times=before, reason="it was not that alert", **of).last_harm_at
        assert not services.follow_clocks(tenant=house, incident_id=one.id)
        assert "pinned out" in refused(lambda: services.join_alert(alert_id=worse.id, **of)).detail

        late = {"impact_started_at": at + timedelta(seconds=1)}
        assert isinstance(refused(lambda: services.correct_times(times=late, reason="r", **of)), InvalidInput)
        wrong = {"detected_at": at - timedelta(hours=2)}  # before the harm began
        told = refused(lambda: services.correct_times(times=wrong, reason="r", **of))
        assert "“Harm began” is not after “Detected”" in told.detail
        early = {"impact_started_at": at - timedelta(hours=3), **wrong}
        assert services.correct_times(times=early, reason="the logs", **of).detected_at == wrong["detected_at"]
        assert isinstance(
            refused(lambda: services.correct_times(times={"contained_at": at}, reason="r", **of)), InvalidInput
        )

        assert isinstance(refused(lambda: services.merge(into=one.id, reason="r", **of)), InvalidInput)
        Incident.objects.filter(id=other.id).update(status=S.WATCHING)
        watch = Watch.objects.create(
            tenant_id=house, incident=other, starts_at=at - timedelta(hours=1), ends_at=at, started_by="sam"
        )
        told = refused(
            lambda: services.merge(into=other.id, reason="the same", **of)
        )  # it came back: the fix did not hold
        assert f"reopen {other.ref} first" in told.detail
        Watch.objects.filter(id=watch.id).update(starts_at=at, ends_at=at + timedelta(hours=48))
        merged = services.merge(into=other.id, reason="the same", **of)
        assert services.merge(into=other.id, reason="the same", **of).id == merged.id
        assert (merged.status, merged.merged_into_id) == (S.MERGED, other.id)
        taken = incident_called(other.ref)
        assert (taken.severity, set(taken.tenants)) == (
            1,
            {world.acme.id, world.globex.id},
        )  # as bad as the worse of both
        assert list(SeverityChange.objects.filter(incident=other).order_by("id").values_list("became", flat=True)) == [
            2,
            1,
        ]
        assert not IncidentAlert.objects.filter(removed_at__isnull=True).exists()
        assert isinstance(refused(lambda: services.set_severity(severity=1, reason="late", **of)), WrongState)
        assert services.add_note(text="what was learnt late", **of)
        for link in ("//evil.example", "https://evil.example", "/\\evil.example", "/\t/evil.example"):
            assert isinstance(refused(lambda link=link: services.add_note(text="t", link=link, **of)), InvalidInput)
        part = services.declare(title="part", severity=2, **said)
        services.set_parent(**{**of, "incident_id": part.id}, parent=other.id)
        back = {**of, "incident_id": other.id}
        assert isinstance(refused(lambda: services.set_parent(parent=part.id, **back)), InvalidInput)
        cancel = {**said, "incident_id": part.id, "to": S.CANCELLED, "reason": "a false alarm"}
        assert "commander" in refused(lambda: services.move(**cancel)).detail
        assert services.move(who=Who.COMMANDER, **cancel).status == S.CANCELLED


ALL_THERE = Facts(
    severity=1, has_commander=True, has_snapshot=True, switches=1, has_cause=True, has_input=True, has_fix=True, cases=1,
    failed_on_old=True, passes_on_new=True, full_suite_passed=True, has_canary_note=True, watch_closed_by="sam",
    has_postmortem=True, is_postmortem_reviewed=True,
)  # fmt: skip
MISSING: list[tuple[S, dict[str, Any], str]] = [
    (S.ACTIVE, {"has_commander": False}, "incident"),
    (S.ACTIVE, {"has_snapshot": False}, "incident-evidence"),
    (S.CONTAINED, {"switches": 0}, "incident"),
    (S.IDENTIFIED, {"switches": 0}, "incident"),  # it was made a SEV-1 after it was contained
    (S.CLOSED, {"switches": 0}, "incident"),
    (S.IDENTIFIED, {"has_cause": False}, "incident-cause"),
    (S.FIX_IN_REVIEW, {"cases": 0}, "incident-cause"),
    (S.FIX_IN_REVIEW, {"has_fix": False}, "incident-cause"),
    (S.WATCHING, {"failed_on_old": None}, "incident-cause"),
    (S.WATCHING, {"passes_on_new": False}, "incident-cause"),
    (S.WATCHING, {"full_suite_passed": False}, "incident-cause"),
    (S.WATCHING, {"has_canary_note": False}, "incident-cause"),
    (S.RESOLVED, {"watch_closed_by": "", "is_watch_over": True}, "incident-cause"),
    (S.CLOSED, {"suspected": 1}, "incident-blast"),
    (S.CLOSED, {"open_reversals": 1}, "incident-reversals"),
    (S.CLOSED, {"unsent_comms": 1}, "incident-comms"),
    (S.CLOSED, {"untold_tenants": 1}, "incident-comms"),
    (S.CLOSED, {"is_postmortem_reviewed": False}, "incident-postmortem"),
    (S.CLOSED, {"bare_actions": 1}, "incident-postmortem"),
    (S.CLOSED, {"open_parts": 1}, "incident"),
    (S.CANCELLED, {"confirmed_harm": 1}, "incident-blast"),
    (S.CANCELLED, {"told": 1}, "incident-comms"),
]


def test_each_gate_asks_for_one_thing_after_the_other() -> None:
    for target in S:
        assert gates.unmet(target, ALL_THERE) == []
    for target, lack, where in MISSING:
        [need] = gates.unmet(target, dataclasses.replace(ALL_THERE, **lack))
        assert need.page == where, (target, lack)
    relaxed = dataclasses.replace(ALL_THERE, switches=0, not_stopped_by="carla")
    assert gates.unmet(S.CONTAINED, relaxed) == []
    nothing_asked = Facts(severity=3, has_cause=True, has_fix=True, has_canary_note=True)  # an incident of the product
    assert gates.unmet(S.WATCHING, nothing_asked) == gates.unmet(S.CLOSED, nothing_asked) == []


def test_the_table_leads_on_and_alerts_are_grouped_by_what_they_share() -> None:
    for early, late in itertools.pairwise(states.CHAIN):
        assert states.following(early) == late and states.may_become(early, late, Who.COMMANDER)
        assert not states.may_become(late, early, Who.COMMANDER) or early == S.ACTIVE
    for end in (S.CLOSED, S.CANCELLED, S.MERGED):
        assert all(arrow.origin is not end for arrow in states.TABLE)
    readme = Path(states.__file__).with_name("README.md")
    assert states.diagram() in readme.read_text()
    at, acme, globex = clock.now(), uuid.uuid4(), uuid.uuid4()

    def marks(tenant: uuid.UUID, minutes: int, **about: str) -> grouping.Marks:
        told = {"agent": "", "agent_version": "", "tool": "", "model_route": "", **about}
        moment = at + timedelta(minutes=minutes)
        return grouping.Marks(id=uuid.uuid4(), tenant=tenant, since=moment, until=moment, **told)

    one = marks(acme, 0, agent="desk", agent_version="2", tool="refund", model_route="openai/gpt-4o")
    others = [
        marks(acme, 30, agent="desk", agent_version="2"),
        marks(acme, 31, agent="desk", agent_version="2"),
        marks(globex, 1, tool="refund"),
        marks(acme, -5, tool="refund"),
        marks(globex, 5, model_route="openai/gpt-4o"),
        marks(acme, 0, agent="desk"),
    ]
    found = grouping.suggested([one], [one, *others])
    assert [(alike.id, alike.rule) for alike in found] == [
        (others[0].id, "same_version"), (others[3].id, "same_tool"), (others[4].id, "same_model"),
    ]  # fmt: skip
