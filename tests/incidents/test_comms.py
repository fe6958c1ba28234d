"""Who is told what: two people for each text, one mail for each address, and what became of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse

from agentops.common import clock
from agentops.common.errors import DomainError, InvalidInput, NotFound
from agentops.common.ids import new_id
from agentops.common.scope import staff_scope, tenant_scope
from agentops.outbox.delivering import deliver_one
from evals.errors import SecondPersonMissing
from incidents.drafting import TEMPLATES, draft
from incidents.errors import AlreadyDone
from incidents.models import BlastItem, CustomerComm, IncidentSwitch, TimelineEntry
from incidents.policies import comms as policies
from incidents.queries import comm_facts
from incidents.queries import comms as queries
from incidents.queries.standing import standing
from incidents.services import comm_sending as sending
from incidents.services import comms
from incidents.tasks import learning as tasks
from tenants import services as tenants
from tenants.house import HOUSE_ID, house_scope
from tenants.roles import StaffRole
from tests.evals.telling import Machine
from tests.incidents import learning_rows as rows
from tests.incidents.learning_rows import AT, as_house
from tests.outbox.conftest import smtp as smtp
from tests.outbox.receivers import MailServer
from tests.world import OPERATOR, World

Clients = Callable[..., Client]


def url(name: str, ref: str = "INC-2026-0042", **places: Any) -> str:
    return reverse(name, kwargs={"ref": ref, **places})


def only() -> CustomerComm:
    with house_scope():
        return CustomerComm.objects.select_related("incident").get(tenant_id=HOUSE_ID)


def deliver() -> list[Any]:
    found = []
    while (state := deliver_one(tenant=HOUSE_ID)) is not None:
        found.append(state)
    return found


def drafted(world: World, incident: Any, **changes: Any) -> CustomerComm:
    values = {
        "about_tenant": world.acme.id,
        "audience": "admins",
        "channel": "mail",
        "template": "",
        "subject": "About your refunds",
        "body": "41 orders were refunded twice.",
        "recipients": ["ada@acme.example"],
        "next_update_due_at": None,
        "by": changes.pop("by", OPERATOR),
        "at": clock.now(),
        **changes,
    }
    return as_house(comms.draft_comm, incident_id=incident.id, **values)


def test_admins_are_told_by_two_people_once_and_it_is_known_who_was_first(
    world: World, client_for: Clients, smtp: MailServer
) -> None:
    suki, cora = rows.suki(), rows.cora()
    run = new_id()
    incident = rows.incident(world, runs=[{"tenant": str(world.acme.id), "run": str(run)}, {"run": "no id"}])
    with house_scope() as house:
        IncidentSwitch.objects.create(
            tenant_id=house, incident=incident, about_tenant=world.acme.id, switch_id=new_id(), scope="agent",
            scope_id="refund-desk", mode="stop", at=AT, by="sam@agentops.example",
        )  # fmt: skip
        for number in range(3):
            state = "confirmed" if number < 2 else "suspected"
            decided = {"decided_at": AT, "decided_by": "sam"} if number < 2 else {}
            BlastItem.objects.create(
                tenant_id=house, incident=incident, about_tenant=world.acme.id, kind="record",
                identity=f"ord_{number}", state=state, found_at=AT, **decided,
            )  # fmt: skip
    writer, reader = client_for(suki), client_for(cora)

    page = writer.get(url("incident-comms")).content.decode()
    assert "1 of 1 organisation was not told yet" in page and "not yet" in page
    assert "Draft" not in client_for(world.sam).get(url("incident-comms")).content.decode(), "on-call only reads it"

    new = f"{url('incident-comm-new')}?about={world.acme.id}&template=admins_first"
    form = writer.get(new).context["form"]
    assert form["recipients"].value() == "ada@acme.example\nben@acme.example"
    [looked] = world.acme.entries()
    assert (looked.action, looked.actor_label) == ("staff.read", suki.email), "who its people are was read"
    text = form["body"].value()
    assert "2 of your records were changed" in text and "1 more is being looked at" in text
    assert "We stopped the agent refund-desk (24 November 2026, 10:00 UTC)." in text
    assert "Incident INC-2026-0042" in form["subject"].value() and "\n\n\n" not in text
    values = {
        name: form[name].value() or "" for name in ("channel", "recipients", "subject", "body", "next_update_due_at")
    }
    values["next_update_due_at"] = (clock.now() + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M")
    bad = {**values, "recipients": "ada@acme.example\nnot an address"}
    answer = writer.post(new, bad)
    assert answer.status_code == 422 and "is no mail address" in answer.content.decode()
    assert writer.post(new, {**values, "body": f"{text}\n\nGlobex has it, too."}).status_code == 302
    comm = only()
    place = {"comm_id": comm.id}

    seen = comms.digest_of(comm)
    page = reader.get(url("incident-comm", **place)).content.decode()
    assert "The text names another customer" in page and "Globex" in page
    assert writer.post(url("incident-comm-approval", **place), {"seen": seen}).status_code == 409, "her own"
    assert writer.post(url("incident-comm-sending", **place)).status_code == 409, "nobody agreed to it"
    assert writer.post(url("incident-comm-text", **place), {**values, "seen": seen}).status_code == 302
    assert reader.post(url("incident-comm-approval", **place), {"seen": seen}).status_code == 409, "another text"
    seen = comms.digest_of(only())
    assert reader.post(url("incident-comm-approval", **place), {"seen": seen}).status_code == 302
    assert only().approved_digest == seen
    # A change after the approval takes it back; whoever changed it is its writer now.
    assert (
        reader.post(url("incident-comm-text", **place), {**values, "seen": seen, "subject": "Short"}).status_code == 302
    )
    assert (only().state, only().approved_by, only().drafted_by) == ("draft", "", cora.email)
    seen = comms.digest_of(only())
    assert reader.post(url("incident-comm-approval", **place), {"seen": seen}).status_code == 409
    assert writer.post(url("incident-comm-approval", **place), {"seen": seen}).status_code == 302

    smtp.answer = "550 No such mailbox"
    assert writer.post(url("incident-comm-sending", **place)).status_code == 302
    assert writer.post(url("incident-comm-sending", **place)).status_code == 409, "nothing is told twice"
    assert rows.again(incident).customer_told_at == only().sent_at
    assert tasks.settle_comms() == 1 and only().state == "sent", "mails are under way"
    assert only().before_they_noticed is True
    assert [state.value for state in deliver()] == ["given_up", "given_up"]
    tasks.settle_comms()
    assert only().state == "failed" and only().ended_at is not None
    assert "Not delivered" in writer.get(url("incident-comms")).content.decode()
    smtp.answer = "250 OK"
    assert writer.post(url("incident-comm-sending", **place)).status_code == 302, "what failed is tried again"
    assert [state.value for state in deliver()] == ["sent", "sent"]
    assert tasks.settle_comms() == 1 and only().state == "delivered" and tasks.settle_comms() == 0
    assert sorted(smtp.recipients) == ["ada@acme.example", "ben@acme.example"]
    assert {mail["Subject"] for mail in smtp.mails} == {"Short"}
    assert smtp.mails[0].get_payload(decode=True).decode().replace("\r\n", "\n").strip() == only().body

    with house_scope():
        told = TimelineEntry.objects.get(tenant_id=HOUSE_ID, data__comm=str(comm.id), text__contains="was mailed to")
        assert told.text.endswith("admins of the organisation (Acme).") and told.is_internal, (
            "no other customer reads it"
        )

    # A second text, after the customer complained of a run of the incident.
    Machine(world.acme).feedback(run, "down")
    late = drafted(world, incident, by=suki.actor)
    as_house(comms.approve_comm, comm_id=late.id, seen=comms.digest_of(late), by=cora.actor, at=clock.now())
    as_house(sending.send_comm, comm_id=late.id, by=suki.actor, at=clock.now())
    tasks.settle_comms()
    with house_scope():
        assert CustomerComm.objects.get(id=late.id).before_they_noticed is False
        first = CustomerComm.objects.get(id=comm.id)
        assert first.before_they_noticed is True, "what was known then stays"
        assert first.sent_at is not None
    assert rows.actions() == [
        "incident.comm_drafted", "incident.comm_changed", "incident.comm_approved", "incident.comm_changed",
        "incident.comm_approved", "incident.comm_sent", "delivery.given_up", "delivery.given_up", "delivery.repeated",
        "delivery.repeated", "incident.comm_sent_again", "incident.comm_drafted", "incident.comm_approved",
        "incident.comm_sent",
    ]  # fmt: skip
    for hours, was_first in (
        (-1, True),
        (1, False),
    ):  # somebody remembers that they had called, after it was sent and before
        values = {
            "about_tenant": world.acme.id,
            "when": first.sent_at - timedelta(hours=hours),
            "note": "",
            "by": suki.actor,
        }
        as_house(comms.note_contact, incident_id=incident.id, at=clock.now() + timedelta(hours=2), **values)
        with house_scope():
            assert CustomerComm.objects.get(id=comm.id).before_they_noticed is was_first


def test_calls_statements_waivers_and_what_is_due(world: World, client_for: Clients) -> None:
    suki, cora = rows.suki(), rows.cora()
    initech = tenants.create_tenant(
        slug="initech", name="Initech", plan="pro", owner_email="ivy@initech.example", owner_name="Ivy",
        password="eleven otters juggling", by=OPERATOR, at=AT,
    )  # fmt: skip
    incident = rows.incident(world, tenants=[world.acme.id, world.globex.id, initech.id])
    writer = client_for(suki)
    assert "think of a public statement" in writer.get(url("incident-comms")).content.decode()
    when = clock.now().replace(second=0, microsecond=0) - timedelta(minutes=30)

    # They came to us before anybody had called.
    contact = {
        "about_tenant": str(world.acme.id),
        "when": f"{when - timedelta(hours=1):%Y-%m-%dT%H:%M}",
        "note": "Odd!",
    }
    assert writer.post(url("incident-contact"), contact).status_code == 302
    assert writer.post(url("incident-contact"), {**contact, "about_tenant": str(new_id())}).status_code == 400

    call = drafted(world, incident, channel="call", subject="", recipients=["Ada Lovell, by telephone"], by=suki.actor,
                   next_update_due_at=clock.now() + timedelta(seconds=1))  # fmt: skip
    place = {"comm_id": call.id}
    told = {"told_at": f"{when:%Y-%m-%dT%H:%M}"}
    assert writer.post(url("incident-comm-telling", **place), told).status_code == 409, "nobody agreed yet"
    as_house(comms.approve_comm, comm_id=call.id, seen=comms.digest_of(call), by=cora.actor, at=clock.now())
    assert writer.post(url("incident-comm-sending", **place)).status_code == 400, "a call is no mail"
    assert writer.post(url("incident-comm-telling", **place), {"told_at": "soon"}).status_code == 400
    future = {"told_at": f"{clock.now() + timedelta(days=1):%Y-%m-%dT%H:%M}"}
    assert writer.post(url("incident-comm-telling", **place), future).status_code == 400
    assert writer.post(url("incident-comm-telling", **place), told).status_code == 302
    assert rows.again(incident).customer_told_at == when
    tasks.settle_comms()
    with house_scope():
        found = CustomerComm.objects.get(id=call.id)
        assert (found.state, found.before_they_noticed, found.sent_by) == ("delivered", False, suki.email)
        [due] = queries.updates_due(at=clock.now() + timedelta(hours=1))
        assert due.is_overdue and due.about_tenant == world.acme.id
        assert queries.overdue_incidents(at=clock.now() + timedelta(hours=1)) == {incident.id}
        lines = {
            line.tenant.slug: line
            for line in queries.organisations(incident, queries.comms_of(incident.id), at=clock.now())
        }
        assert lines["acme"].was_first is False and lines["globex"].told_at is None and lines["acme"].due is not None
    assert "refund-desk refunded" in writer.get(reverse("staff-updates-due")).content.decode()

    statement = drafted(world, incident, about_tenant=None, audience="public", channel="statement",
                        recipients=["https://status.example.com/42"], by=cora.actor)  # fmt: skip
    as_house(comms.approve_comm, comm_id=statement.id, seen=comms.digest_of(statement), by=suki.actor, at=clock.now())
    as_house(sending.note_told, comm_id=statement.id, told_at=clock.now(), by=suki.actor, at=clock.now())
    assert rows.again(incident).customer_told_at == when, "the first word counts"

    other = drafted(world, incident, about_tenant=world.globex.id, recipients=[], by=suki.actor)
    with pytest.raises(InvalidInput, match="at least one mail address"):
        as_house(comms.approve_comm, comm_id=other.id, seen=comms.digest_of(other), by=cora.actor, at=clock.now())
    with house_scope():
        assert [one.id for one in queries.open_comms(incident.id)] == [other.id]
        BlastItem.objects.create(
            tenant_id=HOUSE_ID, incident=incident, about_tenant=world.globex.id, kind="record", identity="ord_7",
            state="confirmed", found_at=AT, decided_at=AT, decided_by="sam",
        )  # fmt: skip
    ours = drafted(world, incident, about_tenant=world.globex.id, audience="success_manager", by=suki.actor)
    as_house(comms.waive_comm, comm_id=ours.id, reason="She knows.", by=suki.actor, at=clock.now())
    with house_scope():
        assert standing(incident).facts.untold_tenants == 1, "what our own people hear tells no customer anything"
    waiver = url("incident-comm-waiver", comm_id=other.id)
    assert "Not tell this?" in writer.get(waiver).content.decode()
    assert writer.post(waiver, {"reason": " "}).status_code == 422
    assert writer.post(waiver, {"reason": "Only test orders."}).status_code == 302
    with pytest.raises(AlreadyDone):
        as_house(comms.waive_comm, comm_id=call.id, reason="x", by=suki.actor, at=clock.now())
    with house_scope():
        assert queries.open_comms(incident.id) == []
        assert standing(incident).facts.untold_tenants == 0
    # A text of one incident is not found under another.
    rows.incident(world, 43)
    assert writer.get(url("incident-comm", "INC-2026-0043", comm_id=call.id)).status_code == 404


def test_what_is_no_text_to_customers_is_refused_with_what_would_be(world: World) -> None:
    incident = rows.incident(world)
    for changes, words in [
        ({"about_tenant": world.globex.id}, "does not concern"),
        ({"about_tenant": None}, "an organisation that was hit"),
        ({"audience": "admins\0"}, "one of admins"),
        ({"audience": "public"}, "none for a public statement"),
        ({"channel": "statement"}, "a statement is for everybody"),
        ({"channel": "pigeon"}, "one of mail"),
        ({"template": "x"}, "one of admins_first"),
        ({"subject": ""}, "Subject has 1 to 200 characters"),
        ({"subject": "x" * 201}, "Subject has 1 to 200 characters"),
        ({"body": "a\0b"}, "NUL"),
        ({"body": "x" * 20_001}, "Body has 1 to 20,000 characters"),
        ({"body": "\ud800"}, "surrogate"),
        ({"body": None}, "Body is a text"),
        ({"recipients": [f"a{n}@x.example" for n in range(501)]}, "at most 500"),
        ({"recipients": ["a@x.example\r\nBcc: eve@x.example"]}, "no mail address"),
        ({"next_update_due_at": AT - timedelta(days=900)}, "still to come"),
    ]:
        with pytest.raises(InvalidInput) as refused:
            drafted(world, incident, **changes)
        assert words in refused.value.detail, changes
    with pytest.raises(NotFound):
        as_house(comms.approve_comm, comm_id=uuid.uuid4(), seen="", by=OPERATOR, at=AT)
    assert rows.actions() == []


def test_sent_by_two_at_once_it_is_sent_once(world: World) -> None:
    suki = rows.suki()
    incident = rows.incident(world)
    comm = drafted(world, incident, recipients=["ada@acme.example", "ada@acme.example", "ben@acme.example"])
    as_house(comms.approve_comm, comm_id=comm.id, seen=comms.digest_of(comm), by=suki.actor, at=clock.now())
    with pytest.raises(SecondPersonMissing):
        own = drafted(world, incident, by=suki.actor)
        as_house(comms.approve_comm, comm_id=own.id, seen=comms.digest_of(own), by=suki.actor, at=clock.now())
    said: list[Any] = []

    def send() -> None:
        try:
            as_house(sending.send_comm, comm_id=comm.id, by=OPERATOR, at=clock.now())
            said.append("sent")
        except DomainError as refusal:
            said.append(type(refusal))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(map(str, said)) == sorted(map(str, ["sent", *[AlreadyDone] * 3]))
    with house_scope():
        assert len(CustomerComm.objects.get(id=comm.id).messages) == 2


def test_every_template_is_a_text_with_and_without_what_is_known(world: World) -> None:
    """Bare facts, and a hostile name: nothing is escaped, nothing is left out that a reader needs."""
    manager = rows.staff("mia@agentops.example", StaffRole.SUCCESS_MANAGER)
    with tenant_scope(world.acme.id):
        tenants.assign_success_manager(tenant=world.acme.id, manager=manager.user.pk, by=OPERATOR, at=AT)
    incident = rows.incident(world, title="<b>{{ 1 }}</b> & more", impact_started_at=None, detected_at=None, agent="")
    with staff_scope():
        for name, template in TEMPLATES.items():
            about = None if name == "public_statement" else world.acme.tenant
            subject, body = draft(name, comm_facts.facts_for(incident, about, template=name, at=AT))
            assert subject and "Subject:" not in body and "\n\n\n" not in body, name
            if template.audience in ("users", "success_manager"):
                assert "<b>{{ 1 }}</b> & more" in body
            assert ("We write again by" in body) == (name in ("admins_first", "admins_update")), name
        assert comm_facts.recipients_for(incident, world.acme.tenant, "success_manager") == ["mia@agentops.example"]
        assert comm_facts.recipients_for(incident, world.acme.tenant, "users") == []
    assert policies.names_in("We spoke to GLOBEX today.", ["Globex", "Post", "Acme"]) == ["Globex"]
    assert policies.names_in("globexian", ["Globex"]) == [], "a word inside another is no name"
