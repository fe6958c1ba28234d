"""Pages of what the log keeps, holds and erases: what a person sees and may do, and what it leaves."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.http.response import HttpResponseBase
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import queries, services, tasks
from audit.models import Erasure, Hold
from audit.services import retention
from audit.types import ErasureState, Outcome, Target
from tests.audit.logs import entry
from tests.world import Organisation, Person, World

RETENTION, ERASURES = "audit/retention/", "audit/erasures/"
SOUGHT = "mia@customers.example"
GROUND = "GDPR 17(1)(b), request of 3 May"

Clients = Callable[..., Client]


def body(response: HttpResponseBase) -> str:
    return response.content.decode()  # type: ignore[attr-defined]


def write(organisation: Organisation, count: int = 1, **changes: Any) -> list[uuid.UUID]:
    made = [entry(number, **changes) for number in range(count)]
    with tenant_scope(organisation.id):
        services.record_many(tenant=organisation.id, entries=made)
    return [one.id for one in made]


def by_person(organisation: Organisation, address: str) -> uuid.UUID:
    """An entry that a member with this address is named in."""
    data = {"member": address, "role": "auditor"}
    [made] = write(organisation, action="member.added", target=Target("member", "1"), data=data)
    return made


def ask(world: World, *, by: Person | None = None, person: str = SOUGHT) -> uuid.UUID:
    with tenant_scope(world.acme.id):
        return services.ask_erasure(
            tenant=world.acme.id, person=person, legal_basis=GROUND, by=(by or world.ada).actor, at=clock.now()
        ).id


def request_of(world: World, erasure: uuid.UUID) -> Erasure:
    with tenant_scope(world.acme.id):
        return queries.erasure(tenant=world.acme.id, erasure=erasure)


def rest(erasure: uuid.UUID, after: str = "") -> str:
    return f"{ERASURES}{erasure}/{after}"


# -- how long ---------------------------------------------------------------------------------------------------------


def test_the_page_says_for_how_long_and_what_is_held(world: World, client_for: Clients) -> None:
    run = uuid.uuid4()
    with tenant_scope(world.acme.id):
        services.set_hold(tenant=world.acme.id, run=run, reason="case 12", by=world.ada.actor, at=clock.now())
    page = body(client_for(world.audrey).get(world.acme.url(RETENTION)))
    assert "396 days, which is what the Pro plan keeps" in page
    assert "case 12" in page and run.hex[:8] in page and "Ada Lovell" in page
    assert "Change the period" not in page and "Lift …" not in page, "an auditor changes nothing"
    mine = body(client_for(world.ben).get(world.acme.url(RETENTION)))
    assert "Change the period" in mine and "Lift …" in mine


def test_a_shorter_period_says_what_goes_and_is_asked_twice(
    world: World, client_for: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LEAST_DAYS", 1)  # the world is some days old
    client, path = client_for(world.ben, fresh=True), world.acme.url(f"{RETENTION}period/")
    page = client.post(path, {"days": "1"})
    assert page.status_code == 422
    assert f"{len(world.acme.before)} entries would be deleted" in body(page) and "shorter than now" in body(page)
    assert world.acme.actions() == []
    assert client.post(path, {"days": "1", "is_meant": "on"}).status_code == 302
    assert world.acme.entries()[-1].told() == {"days": 1, "old_days": 396}
    assert client.post(path, {"days": "300"}).status_code == 302, "a longer one deletes nothing, and is asked once"
    assert "the Pro plan would keep 396" in body(client.get(world.acme.url(RETENTION)))


@pytest.mark.parametrize("days", ["", "183", "397", "many"])
def test_a_period_outside_the_plan_is_refused_at_its_field(world: World, client_for: Clients, days: str) -> None:
    client = client_for(world.ben, fresh=True)
    page = client.post(world.acme.url(f"{RETENTION}period/"), {"days": days, "is_meant": "on"})
    assert page.status_code == 422 and "id_days_error" in body(page)
    assert world.acme.actions() == []


# -- what is held -----------------------------------------------------------------------------------------------------


def test_a_hold_on_a_run_is_set_and_lifted_by_page(world: World, client_for: Clients) -> None:
    run = uuid.uuid4()
    write(world.acme, run=run)
    client, path = client_for(world.ben, fresh=True), world.acme.url(f"{RETENTION}holds/new/")
    assert run.hex in body(client.get(f"{path}?run={run.hex}"))
    assert client.post(path, {"scope": "run", "run": run.hex, "reason": "case 12"}).status_code == 302
    with tenant_scope(world.acme.id):
        [hold] = Hold.objects.filter(tenant_id=world.acme.id)
    assert hold.run_id == run
    lift = world.acme.url(f"{RETENTION}holds/{hold.id}/lift/")
    assert client.post(lift, {"reason": ""}).status_code == 422
    assert client.post(lift, {"reason": "closed"}).status_code == 302
    assert world.acme.actions()[1:] == ["audit.hold_set", "audit.hold_lifted"]
    assert "It was lifted" in body(client.get(lift))
    assert "Ben Ortiz" in body(client.get(world.acme.url(RETENTION)))


def test_a_hold_on_the_whole_log_asks_for_no_run(world: World, client_for: Clients) -> None:
    path = world.acme.url(f"{RETENTION}holds/new/")
    assert client_for(world.ben).post(path, {"scope": "log", "run": "", "reason": "case 13"}).status_code == 302
    assert world.acme.entries()[-1].told()["scope"] == "the whole log"


@pytest.mark.parametrize(
    ("run", "said"),
    [("", "required"), ("nonsense", "32 hexadecimal digits"), ("0" * 31 + "1", "no entry of this run")],
)
def test_a_hold_on_no_run_of_the_log_is_refused(world: World, client_for: Clients, run: str, said: str) -> None:
    path = world.acme.url(f"{RETENTION}holds/new/")
    page = client_for(world.ben).post(path, {"scope": "run", "run": run, "reason": "case 12"})
    assert page.status_code == 422 and said in body(page)
    assert world.acme.actions() == []


# -- who is forgotten -------------------------------------------------------------------------------------------------


def test_a_person_is_erased_by_two_and_the_certificate_names_nobody(world: World, client_for: Clients) -> None:
    named = by_person(world.acme, SOUGHT)
    ada, ben = client_for(world.ada, fresh=True), client_for(world.ben, fresh=True)
    asked = ada.post(world.acme.url(f"{ERASURES}new/"), {"person": f" {SOUGHT} ", "legal_basis": GROUND})
    with tenant_scope(world.acme.id):
        [request] = queries.erasures(tenant=world.acme.id)
    page = world.acme.url(rest(request.id))
    assert asked.status_code == 302 and asked["Location"] == page
    seen = body(ben.get(page))
    assert SOUGHT in seen and "Agree and erase" in seen
    assert "<strong>1</strong> of the" in seen and "in what was written down of it: 1" in seen
    assert ben.post(world.acme.url(rest(request.id, "approval/"))).status_code == 302
    assert 'hx-trigger="every 2s"' in body(ben.get(page)), "it is being done"
    tasks.erase()
    services.seal_all(tenant=world.acme.id, at=clock.now())
    assert "What named the person was destroyed in 1 entry." in body(ben.get(page))
    certificate = body(ben.get(world.acme.url(rest(request.id, "certificate/"))))
    assert "1 value that named one person was destroyed in 1 entry" in certificate
    assert world.ada.email in certificate and world.ben.email in certificate and "Signed checkpoint" in certificate
    text = ben.get(world.acme.url(rest(request.id, "certificate.txt"))).content
    assert text.decode() == f"{named}:data.member\n"
    json = ben.get(world.acme.url(rest(request.id, "certificate.json"))).json()
    assert json["digest"] == hashlib.sha256(text).hexdigest()
    assert json["proof"]["checkpoint"].splitlines()[0].endswith(str(world.acme.id))
    pages = [page, world.acme.url(ERASURES), world.acme.url(rest(request.id, "certificate.json"))]
    assert SOUGHT not in certificate + "".join(body(ben.get(each)) for each in pages)


def test_whoever_asked_can_take_it_back_but_not_agree(world: World, client_for: Clients) -> None:
    erasure, client = ask(world), client_for(world.ada, fresh=True)
    page = body(client.get(world.acme.url(rest(erasure))))
    assert "somebody else has to agree" in page and "Agree and erase" not in page
    refused = client.post(world.acme.url(rest(erasure, "approval/")))
    assert refused.status_code == 403 and "a second person has to" in body(refused)
    assert request_of(world, erasure).state == ErasureState.ASKED
    assert client.post(world.acme.url(rest(erasure, "refusal/")), {"reason": "wrong address"}).status_code == 302
    found = request_of(world, erasure)
    assert (found.state, found.person) == (ErasureState.REFUSED, "")
    assert world.acme.actions() == ["privacy.erasure_requested", "privacy.erasure_refused"]


def test_a_second_person_can_refuse(world: World, client_for: Clients) -> None:
    erasure, client = ask(world), client_for(world.ben, fresh=True)
    path = world.acme.url(rest(erasure, "refusal/"))
    assert client.post(path, {"reason": ""}).status_code == 422
    assert client.post(path, {"reason": "we must keep it until 2030"}).status_code == 302
    page = body(client.get(world.acme.url(rest(erasure))))
    assert "we must keep it until 2030" in page and world.ben.email in page and SOUGHT not in page
    assert "is decided already: refused" in body(client.get(world.acme.url(rest(erasure, "approval/"))))
    assert client.post(world.acme.url(rest(erasure, "approval/"))).status_code == 409
    assert "is decided already" in body(client.post(path, {"reason": "again"}))


def test_an_auditor_sees_the_request_and_decides_nothing(world: World, client_for: Clients) -> None:
    erasure, client = ask(world), client_for(world.audrey, fresh=True)
    page = body(client.get(world.acme.url(rest(erasure))))
    assert GROUND in page and "Agree and erase" not in page and "Take it back" not in page
    for what in ("approval/", "refusal/"):
        assert client.post(world.acme.url(rest(erasure, what)), {"reason": "x"}).status_code == 403
    assert request_of(world, erasure).state == ErasureState.ASKED


def test_to_agree_one_proves_who_one_is(world: World, client_for: Clients) -> None:
    erasure = ask(world)
    response = client_for(world.ben).post(world.acme.url(rest(erasure, "approval/")))
    assert response.status_code == 302 and "/accounts/reauthenticate/" in response["Location"]
    assert request_of(world, erasure).state == ErasureState.ASKED


def test_while_the_whole_log_is_held_nobody_is_erased(world: World, client_for: Clients) -> None:
    erasure, client = ask(world), client_for(world.ben, fresh=True)
    with tenant_scope(world.acme.id):
        hold = services.set_hold(tenant=world.acme.id, run=None, reason="case 9", by=world.ada.actor, at=clock.now())
    refused = client.post(world.acme.url(rest(erasure, "approval/")))
    assert refused.status_code == 409 and "legal hold" in body(refused)
    with tenant_scope(world.acme.id):
        services.lift_hold(tenant=world.acme.id, hold=hold.id, reason="over", by=world.ada.actor, at=clock.now())
    client.post(world.acme.url(rest(erasure, "approval/")))
    with tenant_scope(world.acme.id):
        services.set_hold(tenant=world.acme.id, run=None, reason="case 10", by=world.ada.actor, at=clock.now())
    assert tasks.erase() == 0
    page = body(client.get(world.acme.url(rest(erasure))))
    assert "the whole log is under a legal hold" in page and "hx-trigger" not in page.split('id="erasure"')[1][:300]


@pytest.mark.parametrize(
    ("person", "ground", "field"),
    [
        ("x7", GROUND, "id_person_error"),
        ("", GROUND, "id_person_error"),
        (SOUGHT, "", "id_legal_basis_error"),
        (SOUGHT, f"request of {SOUGHT.upper()}", "id_legal_basis_error"),
    ],
)
def test_a_request_that_cannot_be_is_refused_at_its_field(
    world: World, client_for: Clients, person: str, ground: str, field: str
) -> None:
    form = {"person": person, "legal_basis": ground}
    page = client_for(world.ada).post(world.acme.url(f"{ERASURES}new/"), form)
    assert page.status_code == 422 and field in body(page)
    assert world.acme.actions() == []


def test_the_same_person_is_asked_for_once(world: World, client_for: Clients) -> None:
    ask(world)
    form = {"person": SOUGHT.upper(), "legal_basis": GROUND}
    page = client_for(world.ben).post(world.acme.url(f"{ERASURES}new/"), form)
    assert page.status_code == 422 and "asked for already" in body(page)


def test_somebody_alone_is_told_that_nobody_could_agree(world: World, client_for: Clients) -> None:
    assert "nobody who could agree" in body(client_for(world.cleo).get(world.globex.url(f"{ERASURES}new/")))
    assert "nobody who could agree" not in body(client_for(world.ada).get(world.acme.url(f"{ERASURES}new/")))


def test_there_is_no_certificate_before_it_is_done(world: World, client_for: Clients) -> None:
    erasure, client = ask(world), client_for(world.ada)
    for what in ("certificate/", "certificate.json", "certificate.txt"):
        assert client.get(world.acme.url(rest(erasure, what))).status_code == 404


def test_the_certificate_waits_for_its_seal(world: World, client_for: Clients) -> None:
    erasure = ask(world, person="nobody@acme.example")
    with tenant_scope(world.acme.id):
        services.approve_erasure(tenant=world.acme.id, erasure=erasure, by=world.ben.actor, at=clock.now())
    services.erase(tenant=world.acme.id, erasure=erasure, at=clock.now())
    client, path = client_for(world.ada), world.acme.url(rest(erasure, "certificate/"))
    page = body(client.get(path))
    assert "not sealed yet" in page and 'hx-trigger="every 2s"' in page and "no entry named them" in page
    assert client.get(world.acme.url(rest(erasure, "certificate.json"))).json()["proof"] is None
    services.seal_all(tenant=world.acme.id, at=clock.now())
    part = body(client.get(path, headers={"hx-request": "true"}))
    assert "Signed checkpoint" in part and "<html" not in part and "hx-trigger" not in part


# -- what an erasure would find ---------------------------------------------------------------------------------------


def test_what_would_be_found_is_what_is_erased(world: World) -> None:
    """The look and the deed are two statements: they must agree."""
    actor = world.ada.actor
    with tenant_scope(world.acme.id):
        services.record_many(
            tenant=world.acme.id,
            entries=[
                entry(1, actor=actor),
                entry(2, on_behalf_of="ADA@acme.example"),
                entry(3, actor=actor, reason="asked by ada@acme.example twice"),
                entry(4, action="member.added", data={"member": actor.label, "role": "x"}, outcome=Outcome.FAILURE),
                entry(5, action="approver_group.created", data={"name": "g", "members": [actor.label, "b"]}),
                entry(6, action="member.added", data={"member": f"x{actor.label}", "role": "x"}),
                entry(
                    7,
                    action="end_user.unlinked",
                    target=Target("end_user", actor.label),
                    data={"member": "m", "end_user": "e"},
                ),
                entry(8, target=Target("dead_letter", actor.label)),
                entry(9, action="staff.read", data={"what": "/staff/t/acme/audit/?text=Ada%40acme.example&x=1"}),
                entry(10, action="staff.read", data={"what": "/staff/t/acme/audit/?text=somebody"}),
                entry(11, action="search.saved", data={"name": "n", "query": "text=ada@acme.example"}),
            ],
        )
        found = queries.mentions(tenant=world.acme.id, person=" Ada@Acme.example ")
    erasure = ask(world, by=world.ben, person="ada@acme.example")
    with tenant_scope(world.acme.id):
        services.approve_erasure(tenant=world.acme.id, erasure=erasure, by=world.ada.actor, at=clock.now())
    before = found.entries + 1  # the agreement itself is one more of hers
    services.erase(tenant=world.acme.id, erasure=erasure, at=clock.now())
    assert request_of(world, erasure).entries == before
    assert found.is_whole and (found.on_behalf, found.as_target, found.in_reason) == (1, 1, 1)
    with tenant_scope(world.acme.id):
        assert queries.mentions(tenant=world.acme.id, person="ada@acme.example").entries == 0
