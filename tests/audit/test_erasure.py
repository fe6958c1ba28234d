"""Forgetting a person: two agree, values and salts are destroyed, the log can still be checked and says what is gone."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections

from agentops.common import clock
from agentops.common.errors import Conflict, Forbidden, InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from audit import canonical, queries, services, tasks
from audit.models import ErasedFields, Erasure, Export
from audit.origin import origin
from audit.types import Actor, ErasureState, Outcome, Target
from tests.audit.logs import Log
from tests.world import World

ADA = Actor(type="user", id="user:901", label="ada@acme.example")
BEN = Actor(type="user", id="user:902", label="ben@acme.example")
AGENT = Actor(type="agent", id="agent:desk", label="desk")
MARA = "mara@customer.example"


@pytest.fixture
def log(world: World) -> Log:
    return Log(world.acme)


def told_of(log: Log, **changes: Any) -> uuid.UUID:
    values: dict[str, Any] = {
        "tenant": log.id, "action": "member.added", "actor": AGENT, "target": Target("thing", "t-1"),
        "outcome": Outcome.SUCCESS, "data": {"member": "other@acme.example", "role": "admin"}, "at": clock.now(),
    }  # fmt: skip
    with tenant_scope(log.id):
        return services.record(**{**values, **changes})


def row_of(log: Log, entry: uuid.UUID) -> canonical.Row:
    with tenant_scope(log.id), connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(canonical.COLUMNS)} FROM audit_entry WHERE id = %s", [entry])
        return canonical.row_of(cursor.fetchone())


def ask(log: Log, person: str = MARA) -> uuid.UUID:
    with tenant_scope(log.id):
        made = services.ask_erasure(tenant=log.id, person=person, legal_basis="GDPR art. 17", by=ADA, at=clock.now())
    return uuid.UUID(str(made.id))


def agree(log: Log, erasure: uuid.UUID, by: Actor = BEN) -> None:
    with tenant_scope(log.id):
        services.approve_erasure(tenant=log.id, erasure=erasure, by=by, at=clock.now())


def erase(log: Log, person: str = MARA) -> Erasure:
    erasure = ask(log, person)
    agree(log, erasure)
    assert services.erase(tenant=log.id, erasure=erasure, at=clock.now())
    return state_of(log, erasure)


def state_of(log: Log, erasure: uuid.UUID) -> Erasure:
    with tenant_scope(log.id):
        return Erasure.objects.get(tenant_id=log.id, id=erasure)


def stored(log: Log) -> str:
    """Every text of every entry, lower case."""
    with connections["owner"].cursor() as cursor:
        cursor.execute("SELECT string_agg(lower(e::text), ' ') FROM audit_entry e WHERE tenant_id = %s", [log.id])
        return str(cursor.fetchone()[0])


def test_every_way_in_which_an_entry_names_a_person_is_erased_and_its_leaf_stays(log: Log) -> None:
    with origin(src_ip="203.0.113.9", user_agent="Firefox", auth_method="session"):
        by_them = told_of(
            log, actor=Actor(type="user", id="user:77", label="Mara@Customer.example"), reason="own words"
        )
    entries = {
        "actor": by_them,
        "behalf": told_of(log, on_behalf_of=MARA),
        "target": told_of(log, action="tool.observed", target=Target("mail", MARA), data={
            "tool": "send", "call": "c", "span": "s", "status": "ok", "error_type": "", "idempotency_key": ""}),
        "value": told_of(log, data={"member": MARA, "role": "admin"}),
        "list": told_of(log, action="approver_group.created", data={"name": "Money", "members": ["x@y.example", MARA]}),
        "reason": told_of(log, actor=ADA, reason=f"{MARA} asked for it"),
    }  # fmt: skip
    kept = told_of(log, on_behalf_of="someone else")
    log.seal()
    envelopes = {name: canonical.envelope(row_of(log, entry)) for name, entry in entries.items()}
    leaves = log.hashes()
    done = erase(log)
    assert MARA not in stored(log)
    assert "203.0.113.9" not in stored(log)
    for name, entry in entries.items():
        row = row_of(log, entry)
        assert canonical.envelope(row) == envelopes[name], "what was hashed is what it was"
        assert canonical.erased(row) != []
    assert log.hashes() == leaves
    assert row_of(log, kept).on_behalf_of_id == "someone else"
    assert row_of(log, entries["reason"]).actor_label == "ada@acme.example", "what names others stays"
    assert (done.state, done.person, done.entries) == (ErasureState.DONE, "", 6)
    with tenant_scope(log.id):
        listed = {row.entry_id: row.names for row in ErasedFields.objects.filter(tenant_id=log.id)}
    assert listed == {
        entries["actor"]: "actor_label,src_ip,user_agent", entries["behalf"]: "on_behalf_of_id",
        entries["target"]: "target_id", entries["value"]: "data.member", entries["list"]: "data.members",
        entries["reason"]: "reason",
    }  # fmt: skip


def test_the_salt_goes_too_so_the_value_cannot_be_guessed(log: Log) -> None:
    entry = told_of(log, on_behalf_of=MARA)
    salt = json.loads(row_of(log, entry).private)["on_behalf_of_id"]
    erase(log)
    assert salt not in stored(log)


def test_what_was_done_is_an_entry_with_a_digest_and_a_certificate_with_its_proof(log: Log, world: World) -> None:
    first, second = told_of(log, on_behalf_of=MARA), told_of(log, data={"member": MARA, "role": "admin"})
    done = erase(log)
    with tenant_scope(log.id):
        waiting = queries.certificate(tenant=log.id, erasure=done.id)
    assert waiting.proof is None
    log.seal()
    with tenant_scope(log.id):
        found = queries.certificate(tenant=log.id, erasure=done.id)
    lines = sorted([f"{first}:on_behalf_of_id\n", f"{second}:data.member\n"])
    assert found.data["digest"] == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert (found.data["entries"], found.data["fields"]) == (2, 2)
    said = found.as_json()
    assert said["proof"]["checkpoint"].startswith("") and said["agreed_by"] == BEN.label
    assert json.dumps(said) and MARA not in json.dumps(said)
    assert [name for name in world.acme.actions() if name.startswith("privacy.")] == [
        "privacy.erasure_requested", "privacy.erasure_approved", "privacy.erased",
    ]  # fmt: skip


def test_whoever_asked_cannot_agree_and_the_table_holds_it_too(log: Log) -> None:
    erasure = ask(log)
    with pytest.raises(Forbidden):
        agree(log, erasure, by=ADA)
    with pytest.raises(Exception, match="audit_erasure_two_people"), tenant_scope(log.id):
        Erasure.objects.filter(tenant_id=log.id, id=erasure).update(decided_by=ADA.id)
    assert state_of(log, erasure).state == ErasureState.ASKED


def test_without_a_second_person_nothing_is_erased(log: Log) -> None:
    told_of(log, on_behalf_of=MARA)
    erasure = ask(log)
    assert services.erase(tenant=log.id, erasure=erasure, at=clock.now()) is False
    assert tasks.erase() == 0
    assert MARA in stored(log)


def test_the_job_does_what_was_agreed_to_once(log: Log) -> None:
    told_of(log, on_behalf_of=MARA)
    agree(log, ask(log))
    assert tasks.erase() == 1
    assert tasks.erase() == 0
    assert MARA not in stored(log)


def test_one_that_breaks_keeps_no_other_waiting(log: Log, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app that forgets may break over one person: the others, and other organisations, are forgotten nevertheless."""
    from evals.services.keeping import erasing

    globex = Log(world.globex)
    told_of(log, on_behalf_of=MARA)
    told_of(globex, on_behalf_of=MARA)
    broken, other = ask(log), ask(globex)
    agree(log, broken)
    agree(globex, other)
    forget = erasing.forget_person

    def breaks(cursor: Any, **values: Any) -> None:
        if values["who"].tenant == log.id:
            cursor.execute("SELECT 1/0")
        forget(cursor, **values)

    with monkeypatch.context() as patch:
        patch.setattr(erasing, "forget_person", breaks)
        with pytest.raises(Exception, match="division"):
            tasks.erase()
    assert MARA in stored(log) and MARA not in stored(globex), "all of one or nothing, and each for itself"
    assert state_of(log, broken).state == ErasureState.APPROVED
    assert tasks.erase() == 1 and MARA not in stored(log)


def test_a_refusal_forgets_whom_it_was_about_and_may_come_from_whoever_asked(log: Log) -> None:
    told_of(log, on_behalf_of=MARA)
    for by in (ADA, BEN):
        erasure = ask(log)
        with tenant_scope(log.id):
            services.refuse_erasure(tenant=log.id, erasure=erasure, reason="law says keep", by=by, at=clock.now())
        found = state_of(log, erasure)
        assert (found.state, found.person, found.why_not) == (ErasureState.REFUSED, "", "law says keep")
        with pytest.raises(Conflict):
            agree(log, erasure)
    assert MARA in stored(log)


def test_a_hold_on_the_whole_log_forbids_it_and_one_on_a_run_keeps_its_entries(log: Log) -> None:
    run = uuid.uuid4()
    held, free = told_of(log, on_behalf_of=MARA, run=run), told_of(log, on_behalf_of=MARA)
    with tenant_scope(log.id):
        whole = services.set_hold(tenant=log.id, run=None, reason="case", by=ADA, at=clock.now())
    erasure = ask(log)
    with pytest.raises(Conflict):
        agree(log, erasure)
    with tenant_scope(log.id):
        services.lift_hold(tenant=log.id, hold=whole.id, reason="", by=ADA, at=clock.now())
    agree(log, erasure)
    with tenant_scope(log.id):
        again = services.set_hold(tenant=log.id, run=None, reason="case 2", by=ADA, at=clock.now())
    assert services.erase(tenant=log.id, erasure=erasure, at=clock.now()) is False
    assert "legal hold" in state_of(log, erasure).why_not
    with tenant_scope(log.id):
        services.lift_hold(tenant=log.id, hold=again.id, reason="", by=ADA, at=clock.now())
        services.set_hold(tenant=log.id, run=run, reason="case 3", by=ADA, at=clock.now())
    assert services.erase(tenant=log.id, erasure=erasure, at=clock.now())
    assert row_of(log, held).on_behalf_of_id == MARA
    assert row_of(log, free).on_behalf_of_id == ""


def test_another_tenants_entries_about_the_same_person_stay(log: Log, world: World) -> None:
    theirs = told_of(Log(world.globex), on_behalf_of=MARA)
    told_of(log, on_behalf_of=MARA)
    erase(log)
    assert row_of(Log(world.globex), theirs).on_behalf_of_id == MARA


@pytest.mark.parametrize(("person", "basis"), [("", "x"), ("ab", "x"), ("x" * 201, "x"), (MARA, ""), (MARA, "x" * 301)])
def test_what_is_not_complete_is_refused_with_what_would_be_taken(log: Log, person: str, basis: str) -> None:
    with pytest.raises(InvalidInput) as refused, tenant_scope(log.id):
        services.ask_erasure(tenant=log.id, person=person, legal_basis=basis, by=ADA, at=clock.now())
    assert refused.value.problems


def test_the_same_is_asked_for_once_at_a_time(log: Log) -> None:
    ask(log)
    with pytest.raises(Conflict):
        ask(log, MARA.upper())


def test_hostile_names_of_persons_match_nothing_but_themselves(log: Log) -> None:
    kept = told_of(log, on_behalf_of="anybody")
    for person in ('"%"', "%%%", "___", "' OR true --", "{}[]", '\\"\\'):
        assert erase(log, person).entries == 0
    odd = told_of(log, data={"member": 'o"\\dd%', "role": "admin"})
    assert erase(log, 'O"\\DD%').entries == 1
    assert canonical.erased(row_of(log, odd)) == ["data.member"]
    assert row_of(log, kept).on_behalf_of_id == "anybody"


def test_many_entries_are_erased_in_pieces(log: Log) -> None:
    entries = [
        services.NewEntry(action="search.saved", actor=AGENT, target=Target("search", str(number)), outcome=Outcome.SUCCESS,
                          data={"name": "n", "query": ""}, at=clock.now() + timedelta(microseconds=number), on_behalf_of=MARA)
        for number in range(4_500)
    ]  # fmt: skip
    with tenant_scope(log.id):
        services.record_many(tenant=log.id, entries=entries)
    assert erase(log).entries == 4_500
    assert MARA not in stored(log)


def test_who_is_killed_half_way_has_done_nothing_and_says_it_once(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    from audit.services import erasing

    told_of(log, on_behalf_of=MARA)
    erasure = ask(log)
    agree(log, erasure)
    with monkeypatch.context() as patch:
        patch.setattr(erasing, "_DONE", "SELECT 1/0, %s, %s, %s, %s, %s, %s, %s")
        with pytest.raises(Exception, match="division"):
            services.erase(tenant=log.id, erasure=erasure, at=clock.now())
    assert MARA in stored(log)
    assert services.erase(tenant=log.id, erasure=erasure, at=clock.now())
    assert MARA not in stored(log)
    assert log.organisation.actions().count("privacy.erased") == 1


def test_a_certificate_is_only_of_what_is_done(log: Log) -> None:
    erasure = ask(log)
    for wanted in (erasure, uuid.uuid4()):
        with pytest.raises(NotFound), tenant_scope(log.id):
            queries.certificate(tenant=log.id, erasure=wanted)


def test_what_was_searched_for_is_forgotten_and_who_asked_for_other_erasures(log: Log) -> None:
    """The address of a page that staff opened, a saved search, an export: each can hold the name of a person."""
    told = [
        told_of(log, action="staff.read", data={"what": f"/staff/t/acme/audit/?text={MARA.replace('@', '%40')}"}),
        told_of(log, action="search.saved", data={"name": "hers", "query": f"end_user={MARA}"}),
        told_of(
            log, action="audit.exported", data={"export": "1", "format": "csv", "filters": {"actor": MARA.upper()}}
        ),
    ]
    other = told_of(log, action="staff.read", data={"what": "/staff/t/acme/audit/?text=somebody"})
    earlier = ask(log, person=BEN.label)
    with tenant_scope(log.id):
        services.refuse_erasure(tenant=log.id, erasure=earlier, reason="no", by=ADA, at=clock.now())
        Export.objects.create(
            tenant_id=log.id, format="csv", filters={"actor": MARA}, asked_at=clock.now(), asked_by=ADA.id,
            asked_by_label=ADA.label, upto=clock.now(), state="done",
        )  # fmt: skip
    erase(log)
    assert MARA not in stored(log) and MARA.replace("@", "%40") not in stored(log)
    assert [canonical.erased(row_of(log, entry)) for entry in told] == [["data.what"], ["data.query"], ["data.filters"]]
    assert canonical.erased(row_of(log, other)) == []
    with tenant_scope(log.id):
        [export] = Export.objects.filter(tenant_id=log.id)
    assert (export.filters, export.asked_by_label) == ({}, ADA.label)
    second = ask(log, person=ADA.label)
    agree(log, second)
    services.erase(tenant=log.id, erasure=second, at=clock.now())
    assert state_of(log, earlier).asked_by_label == state_of(log, second).asked_by_label == "(erased)"
    assert state_of(log, second).decided_by_label == BEN.label
    with tenant_scope(log.id):
        assert Export.objects.get(tenant_id=log.id).asked_by_label == "(erased)"
