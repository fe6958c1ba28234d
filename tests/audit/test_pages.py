"""The pages of the log: what auditors ask, what they are shown, and what nobody is shown yet."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces.audited import NOT_NAMED
from audit import canonical, notes, queries, services, tree
from audit.types import Actor, Outcome, Target
from tests.audit.logs import Log
from tests.confirmations.asked import Desk
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import World

Clients = Callable[..., Client]
DESK = Actor("agent", "agent:desk", "desk")


@pytest.fixture
def log(world: World) -> Log:
    return Log(world.acme)


@pytest.fixture
def auditor(world: World, client_for: Clients) -> Client:
    return client_for(world.audrey)


def record(log: Log, **changes: Any) -> uuid.UUID:
    given: dict[str, Any] = {
        "action": "tool.called",
        "actor": DESK,
        "target": Target("tool", "refund"),
        "outcome": Outcome.SUCCESS,
        "data": {"call": "t1", "outcome": "ok", "external_system": "", "external_id": "", "idempotency_key": ""},
        "at": clock.now(),
        "on_behalf_of": "ann@home.example",
    }
    with tenant_scope(log.id):
        return services.record(tenant=log.id, **{**given, **changes})


def text(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.content
    return re.sub(r"\s+", " ", answer.content.decode())


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html))


def test_the_log_says_in_sentences_what_happened(log: Log, world: World, auditor: Client) -> None:
    made = record(log)
    page = text(auditor, world.acme.url("audit/"))
    assert "desk called refund: done" in words(page)
    assert "for ann@home.example" in words(page)
    assert world.acme.url(f"audit/entries/{made}/") in page


def test_the_address_filters_and_a_fragment_is_the_results_alone(log: Log, world: World, auditor: Client) -> None:
    record(log)
    record(log, outcome=Outcome.FAILURE, target=Target("tool", "transfer"))
    answer = auditor.get(world.acme.url("audit/?outcome=failure"), headers={"HX-Request": "true"})
    html = words(answer.content.decode())
    assert "<html" not in answer.content.decode() and "HX-Request" in answer["Vary"]
    assert "transfer" in html and "refund" not in html


def test_a_filter_that_cannot_be_meant_is_told_and_nothing_breaks(world: World, auditor: Client) -> None:
    page = words(text(auditor, world.acme.url("audit/?outcome=perhaps&run=1")))
    assert "This search cannot be run" in page and "is a run id of 32 hex digits" in page


def test_one_entry_shows_everything_that_is_kept_of_it(log: Log, world: World, auditor: Client) -> None:
    made = record(log, reason="because <b>I</b> say so")
    page = text(auditor, world.acme.url(f"audit/entries/{made}/"))
    assert "because &lt;b&gt;I&lt;/b&gt; say so" in page
    assert "ann@home.example" in page and "entries get their place within a minute" in page
    log.seal()
    sealed = text(auditor, world.acme.url(f"audit/entries/{made}/"))
    [leaf] = [each for each in log.leaves() if each.entry_id == made]
    assert bytes(leaf.leaf_hash).hex() in sealed


def test_what_was_erased_is_said_on_the_page_and_in_the_list(log: Log, world: World, auditor: Client) -> None:
    made = record(log)
    log.execute(
        "UPDATE audit_entry SET on_behalf_of_id = '', private = '{}' WHERE tenant_id = %s AND id = %s", log.id, made
    )
    assert "for (erased)" in words(text(auditor, world.acme.url("audit/")))
    page = text(auditor, world.acme.url(f"audit/entries/{made}/"))
    assert "(erased)" in page and "ann@home.example" not in page


def test_a_deleted_entry_keeps_its_place(log: Log, world: World, auditor: Client) -> None:
    made = record(log)
    log.seal()
    log.execute("DELETE FROM audit_entry WHERE tenant_id = %s AND id = %s", log.id, made)
    assert "This entry was deleted" in text(auditor, world.acme.url(f"audit/entries/{made}/"))


def test_everything_one_did_and_everything_done_to_one_thing(log: Log, world: World, auditor: Client) -> None:
    record(log)
    record(log, actor=Actor("agent", "agent:other", "other"), target=Target("tool", "transfer"))
    who = words(text(auditor, world.acme.url("audit/who/?actor=agent:desk")))
    assert "Everything it did" in who and "refund" in who and "transfer" not in who
    person = words(text(auditor, world.acme.url("audit/who/?person=ann@home.example")))
    assert "on this user's behalf" in person.replace("&#x27;", "'") and "refund" in person and "transfer" in person
    what = words(text(auditor, world.acme.url("audit/what/?target_type=tool&target_id=transfer")))
    assert "Everything that was done to it" in what and "other called transfer" in what and "desk" not in what
    record(log, actor=Actor("agent", "agent:unknown", NOT_NAMED))
    assert "before it was known whose it is" in words(text(auditor, world.acme.url("audit/who/?actor=agent:unknown")))
    assert auditor.get(world.acme.url("audit/who/")).status_code == 404
    assert auditor.get(world.acme.url("audit/what/?target_type=tool")).status_code == 404


def test_a_page_of_its_own_is_offered_only_where_there_is_one(log: Log, world: World, auditor: Client) -> None:
    """A trace may name an agent that nobody registered; a run may have asked the guard and sent no spans."""
    apply(world.acme, MANIFEST)
    run = Caller(world.acme).run()
    for name, is_there in (("refund-desk", True), ("nobody", False)):
        offered = f'href="{world.acme.url(f"agents/{name}/")}"'
        made = record(log, action="agent.created", target=Target("agent", name), data={"agent": name})
        for path in (f"who/?actor=agent:{name}", f"what/?target_type=agent&target_id={name}", f"entries/{made}/"):
            assert (offered in text(auditor, world.acme.url(f"audit/{path}"))) is is_there, path
    for run_id, is_there in ((run.uuid, True), (uuid.uuid4(), False)):
        made = record(log, run=run_id)
        page = text(auditor, world.acme.url(f"audit/entries/{made}/"))
        offered = world.acme.url(f"runs/{run_id.hex}/")
        assert (f'href="{offered}"' in page) is is_there
        assert (auditor.get(offered).status_code == 200) is is_there


def test_data_that_is_kept_beside_its_entry_is_on_its_page(log: Log, world: World, auditor: Client) -> None:
    changes = {f"cap-{number}": ["x" * 30, "y" * 30] for number in range(400)}
    made = record(log, action="caps.changed", data={"changes": changes})
    assert "cap-0" in text(auditor, world.acme.url(f"audit/entries/{made}/"))


def test_what_one_of_two_said_is_on_no_page_until_the_other_has_spoken(
    world: World, client_for: Clients, key_for: Callable[..., str]
) -> None:
    desk = Desk(world.acme)
    asked = desk.ask(4)
    desk.approve(asked, world.pete)
    voted = [entry for entry in world.acme.entries() if entry.action == "approval.voted"]
    assert len(voted) == 1
    paths = ("audit/", "audit/?action=approval.voted", f"audit/who/?actor=user:{world.pete.user.pk}")
    for person in (world.audrey, world.ada):
        client = client_for(person)
        for path in paths:
            assert str(voted[0].id) not in text(client, world.acme.url(path))
        assert client.get(world.acme.url(f"audit/entries/{voted[0].id}/")).status_code == 404
        told = client.get(world.acme.url(f"audit/proofs.json?entry={voted[0].id}")).json()
        assert told["entries"] == [{"id": str(voted[0].id), "state": "unknown"}]
    headers = {"Authorization": f"Bearer {key_for(world.acme, 'read')}"}
    machine = Client().get("/api/v1/audit/entries?action=approval.voted", headers=headers)
    assert machine.json()["results"] == []
    desk.approve(asked, world.ada)
    assert str(voted[0].id) in text(client_for(world.audrey), world.acme.url("audit/?action=approval.voted"))


def test_a_look_of_staff_is_an_entry_that_the_organisation_sees(
    world: World, client_for: Clients, auditor: Client
) -> None:
    assert client_for(world.sam).get("/staff/t/acme/audit/?q=ann").status_code == 200
    page = words(text(auditor, world.acme.url("audit/?action=staff.read")))
    assert "sam@agentops.example of agentops read /staff/t/acme/audit/?q=ann" in page


@pytest.mark.parametrize("person", ["pete", "uma", "stella"])
def test_who_may_not_read_the_log_does_not(world: World, client_for: Clients, person: str) -> None:
    assert client_for(world.person(person)).get(world.acme.url("audit/")).status_code in (403, 404)


# -- what a browser checks -------------------------------------------------------------------------------------------


def test_a_browser_is_given_what_proves_each_entry(log: Log, world: World, auditor: Client) -> None:
    made = [record(log), record(log)]
    log.seal()
    waiting = record(log)
    query = "&".join(f"entry={each}" for each in (*made, waiting))
    told = auditor.get(world.acme.url(f"audit/proofs.json?{query}")).json()
    checkpoint = notes.read(told["checkpoint"]["note"])
    assert [each["state"] for each in told["entries"]] == ["sealed", "sealed", "pending"]
    for each in told["entries"][:2]:
        leaf = canonical.leaf_hash(each["entry"].encode())
        path = [bytes.fromhex(sibling) for sibling in each["path"]]
        assert tree.root_from_inclusion(leaf, each["leaf"], checkpoint.size, path) == checkpoint.root
        salt, value = each["private"]["on_behalf_of_id"]
        committed = json.loads(each["entry"])["commitments"]["on_behalf_of_id"]
        assert value == "ann@home.example"
        assert canonical.commitment(bytes.fromhex(salt), "on_behalf_of_id", value).hex() == committed


@pytest.mark.parametrize(
    "query", ["", "?entry=1", "?" + "&".join(f"entry={uuid.UUID(int=number)}" for number in range(101))]
)
def test_a_browser_names_one_to_a_hundred_entries(world: World, auditor: Client, query: str) -> None:
    assert auditor.get(world.acme.url(f"audit/proofs.json{query}")).status_code == 400


def test_the_page_of_proofs_shows_the_newest_checkpoint_and_its_key(log: Log, world: World, auditor: Client) -> None:
    assert "no key yet" in text(auditor, world.acme.url("audit/proofs/"))
    record(log)
    log.seal()
    page = text(auditor, world.acme.url("audit/proofs/"))
    newest = log.checkpoints()[-1]
    assert newest.key_id in page and newest.note.splitlines()[2] in page
    with tenant_scope(log.id):
        assert str(queries.sealing_state(tenant=log.id).tree_size) in page


# -- machines --------------------------------------------------------------------------------------------------------


def test_machines_read_entries_page_by_page(log: Log, world: World, key_for: Callable[..., str]) -> None:
    made = [record(log) for _ in range(5)]
    log.seal()
    headers = {"Authorization": f"Bearer {key_for(world.acme, 'read')}"}
    path, found = "/api/v1/audit/entries?action=tool.called&limit=2", []
    while path:
        body = Client().get(path, headers=headers).json()
        found += body["results"]
        path = (body["next"] or "").removeprefix("http://testserver")
    assert [each["id"] for each in found] == [str(each) for each in reversed(made)]
    first = found[0]
    assert first["sentence"] == "desk called refund: done"
    assert first["actor"] == {"type": "agent", "id": "agent:desk", "label": "desk"}
    assert first["on_behalf_of"] == "ann@home.example" and first["data"]["call"] == "t1" and first["erased"] == []
    assert first["leaf_index"] == log.leaves()[-1].leaf_index


@pytest.mark.parametrize("query", ["?outcome=perhaps", "?limit=0", "?limit=201", "?cursor=x", "?actr=x"])
def test_machines_are_told_what_is_wrong_with_a_search(world: World, key_for: Callable[..., str], query: str) -> None:
    headers = {"Authorization": f"Bearer {key_for(world.acme, 'read')}"}
    answer = Client().get(f"/api/v1/audit/entries{query}", headers=headers)
    assert answer.status_code == 400 and answer.json()["errors"][0]["pointer"] == f"/{query[1:].partition('=')[0]}"


def test_each_filter_in_force_is_a_chip_that_takes_it_away(world: World, auditor: Client) -> None:
    page = text(auditor, world.acme.url("audit/?category=approval&outcome=denied"))
    assert f'href="{world.acme.url("audit/?outcome=denied")}"' in page
    assert 'aria-label="Remove filter Kind approval"' in page
    who = text(auditor, world.acme.url("audit/who/?actor=agent:desk&outcome=denied"))
    assert f'href="{world.acme.url("audit/who/?actor=agent%3Adesk")}"' in who and "Remove filter Who" not in who
