"""Finding entries: every filter and every pair of filters finds exactly what it says, page by page, whatever index is walked."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from audit import queries, services
from audit.queries import Listed, entries, ways
from audit.searching import Filters
from audit.services import NewEntry
from audit.types import Actor, Outcome, Target
from tests.audit.logs import Log
from tests.world import World

RUNS = [uuid.uuid5(uuid.NAMESPACE_URL, str(number)) for number in range(7)]
AGENTS = [Actor("agent", f"agent:desk-{number}", f"desk-{number}") for number in range(3)]
BEN = Actor("user", "user:2", "ben@acme.example")
BEGIN = clock.now() - timedelta(days=20)
COUNT = 240


@pytest.fixture
def log(world: World) -> Log:
    """Entries of several kinds, mixed, an hour apart and some at the same moment."""
    found = Log(world.acme)
    made = [_entry(number, BEGIN + timedelta(hours=number // 2)) for number in range(COUNT)]
    with tenant_scope(found.id):
        services.record_many(tenant=found.id, entries=made)
    return found


def _entry(number: int, at: datetime) -> NewEntry:
    agent = AGENTS[number % 3]
    if number % 11 == 0:
        data: dict[str, Any] = {"switch": "1", "scope": "agent", "id": "desk-1", "mode": "block_new"}
        return NewEntry(
            action="kill_switch.set", actor=BEN, target=Target("agent", "desk-1"), outcome=Outcome.SUCCESS, data=data,
            at=at, reason="a drill",
        )  # fmt: skip
    if number % 5 == 0:
        return NewEntry(
            action="approval.refused", actor=BEN, target=Target("confirmation", str(RUNS[number % 7])), outcome=Outcome.DENIED,
            data={"tool": "refund", "action_digest": "", "view_digest": ""}, at=at, run=RUNS[number % 7],
            on_behalf_of=f"u-{number % 4}",
        )  # fmt: skip
    data = {"call": f"t{number}", "outcome": "ok", "external_system": "", "external_id": "", "idempotency_key": ""}
    return NewEntry(
        action="tool.called", actor=agent, target=Target("tool", f"tool-{number % 4}"),
        outcome=Outcome.FAILURE if number % 8 == 3 else Outcome.SUCCESS, data=data, at=at, run=RUNS[number % 7],
        on_behalf_of=f"u-{number % 4}",
    )  # fmt: skip


ASKED: dict[str, tuple[dict[str, str], Callable[[Listed], bool]]] = {
    "actor": ({"actor": "agent:desk-1"}, lambda e: e.actor_id == "agent:desk-1"),
    "person": ({"person": "u-3"}, lambda e: e.on_behalf_of_id == "u-3"),
    "target": (
        {"target_type": "tool", "target_id": "tool-2"},
        lambda e: (e.target_type, e.target_id) == ("tool", "tool-2"),
    ),
    "id of a target": ({"target_id": "tool-2"}, lambda e: e.target_id == "tool-2"),
    "kind of target": ({"target_type": "confirmation"}, lambda e: e.target_type == "confirmation"),
    "run": ({"run": RUNS[2].hex}, lambda e: e.run_id == RUNS[2]),
    "action": ({"action": "approval.refused"}, lambda e: e.action == "approval.refused"),
    "actions": ({"action": "approval."}, lambda e: e.action.startswith("approval.")),
    "category": ({"category": "agent"}, lambda e: e.category == 1),
    "outcome": ({"outcome": "failure"}, lambda e: e.outcome == Outcome.FAILURE),
    "success": ({"outcome": "success"}, lambda e: e.outcome == Outcome.SUCCESS),
    "sensitive": ({"sensitive": "1"}, lambda e: e.category in (2, 3, 7) or e.outcome != Outcome.SUCCESS),
    "kind of actor": ({"actor_type": "agent"}, lambda e: e.actor_type == "agent"),
    "text": ({"q": "BEN@acme"}, lambda e: "ben@acme" in e.actor_label),
    "from": (
        {"from": clock.rfc3339(BEGIN + timedelta(days=2))},
        lambda e: e.recorded_at >= BEGIN + timedelta(days=2),
    ),
    "to": ({"to": clock.rfc3339(BEGIN + timedelta(days=3))}, lambda e: e.recorded_at < BEGIN + timedelta(days=3)),
}


def all_pages(log: Log, filters: Filters, *, limit: int = 7, held: Any = ()) -> list[Listed]:
    found: list[Listed] = []
    cursor: Cursor | None = None
    with tenant_scope(log.id):
        while True:
            page = queries.find_entries(
                tenant=log.id, filters=filters, at=clock.now(), after=cursor, limit=limit, held=held
            )
            found += page.entries
            if page.next is None:
                return found
            assert len(page.entries) == limit or page.searched_to is not None
            cursor = page.next


def everything(log: Log) -> list[Listed]:
    return all_pages(log, Filters(), limit=200)


@pytest.mark.parametrize("first", ASKED)
def test_each_filter_alone_and_beside_each_other_finds_exactly_that_in_order(
    log: Log, first: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "FIRST_CHUNK", 9)  # so that a search goes on from chunk to chunk
    monkeypatch.setattr(ways, "PROBE", 20)
    known, (mine, is_mine) = everything(log), ASKED[first]
    for second, (other, is_other) in ASKED.items():
        if second != first and mine.keys() & other.keys():
            continue  # two values of one filter
        expected = [entry.id for entry in known if is_mine(entry) and is_other(entry)]
        found = all_pages(log, Filters.parse({**mine, **other}), limit=40)
        assert [entry.id for entry in found] == expected, second


def test_pages_join_without_gap_or_overlap_where_many_are_of_one_moment(log: Log) -> None:
    at = BEGIN - timedelta(days=1)
    with tenant_scope(log.id):
        services.record_many(tenant=log.id, entries=[_entry(number, at) for number in range(1, 30)])
    found = all_pages(log, Filters(), limit=4)
    keys = [(entry.recorded_at, entry.id) for entry in found]
    assert keys == sorted(keys, reverse=True) and len(set(keys)) == len(keys)
    assert len(found) == len(everything(log))


def test_a_search_that_finds_little_says_how_far_it_looked_and_goes_on_from_there(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "FIRST_CHUNK", 10)
    monkeypatch.setattr(entries, "BUDGET_ROWS", 10)
    with tenant_scope(log.id):
        page = queries.find_entries(
            tenant=log.id, filters=Filters.parse({"q": "no such thing"}), at=clock.now(), limit=5
        )
    newest = everything(log)
    assert page.entries == [] and page.next is not None
    assert page.searched_to == newest[9].recorded_at
    assert all_pages(log, Filters.parse({"q": "no such thing"})) == []


def test_the_rarer_filter_is_walked(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ways, "PROBE", 20)
    filters = Filters.parse({"actor": "agent:desk-1", "action": "kill_switch.set"})
    with tenant_scope(log.id):
        way = ways.way_of(ways.Search(log.id, filters, BEGIN - timedelta(days=1)), None)
    assert way.names == {"action"}


def test_without_a_date_the_last_thirteen_months_are_looked_at(log: Log) -> None:
    later = clock.now() + queries.LOOK_BACK - timedelta(days=17)  # between the first and the last
    with tenant_scope(log.id):
        found = queries.find_entries(tenant=log.id, filters=Filters(), at=later, limit=200).entries
        asked = Filters.parse({"from": clock.rfc3339(BEGIN)})
        older = queries.find_entries(tenant=log.id, filters=asked, at=later, limit=200).entries
    assert (
        BEGIN < later - queries.LOOK_BACK <= min(entry.recorded_at for entry in found if entry.action == "tool.called")
    )
    assert len(older) == 200


def test_a_row_says_whether_it_is_sealed_and_where(log: Log) -> None:
    assert {entry.leaf for entry in everything(log)} == {None}
    log.seal()
    log.write(1)
    found = everything(log)
    assert found[0].leaf is None
    assert [entry.leaf for entry in reversed(found[1:])] == list(range(len(found) - 1))


def test_a_list_holds_no_large_data_and_the_entry_does(log: Log) -> None:
    with tenant_scope(log.id):
        services.record(
            tenant=log.id, action="caps.changed", actor=BEN, target=Target("tenant", "t"), outcome=Outcome.SUCCESS,
            data={"changes": {f"cap-{number}": [number, number + 1] for number in range(500)}}, at=clock.now(),
        )  # fmt: skip
        page = queries.find_entries(tenant=log.id, filters=Filters(), at=clock.now(), limit=1)
        whole = queries.find_entries(tenant=log.id, filters=Filters(), at=clock.now(), limit=1, with_data=True)
    assert page.entries[0].data is None and page.entries[0].told() == {}
    assert len(whole.entries[0].told()["changes"]) == 500


def test_one_tenant_finds_nothing_of_another(log: Log, world: World) -> None:
    mine = everything(log)[0]
    with tenant_scope(world.globex.id):
        assert queries.find_entries(tenant=log.id, filters=Filters(), at=clock.now()).entries == []
        with pytest.raises(NotFound):
            queries.get_entry(tenant=world.globex.id, entry=mine.id)


def test_an_entry_is_found_by_its_id_before_and_after_it_is_sealed(log: Log) -> None:
    [made] = log.write(1)
    with tenant_scope(log.id):
        before = queries.get_entry(tenant=log.id, entry=made)
    log.seal()
    with tenant_scope(log.id):
        after = queries.get_entry(tenant=log.id, entry=made)
    assert before.entry == after.entry and before.leaf is None
    assert after.leaf is not None and after.leaf.entry_id == made


def test_what_the_first_of_two_said_is_held_back_from_lists_figures_and_by_its_id(log: Log) -> None:
    confirmation = uuid.uuid4()
    with tenant_scope(log.id):
        voted = services.record(
            tenant=log.id, action="approval.voted", actor=BEN, target=Target("confirmation", str(confirmation)),
            outcome=Outcome.PENDING, data={"tool": "raise", "action_digest": "", "view_digest": ""}, at=clock.now(),
        )  # fmt: skip
    filters = Filters.parse({"actor": BEN.id})
    assert voted in {entry.id for entry in all_pages(log, filters)}
    assert voted not in {entry.id for entry in all_pages(log, filters, held=[confirmation])}
    with tenant_scope(log.id):
        shown = queries.gather(tenant=log.id, filters=filters, at=clock.now())
        hidden = queries.gather(tenant=log.id, filters=filters, at=clock.now(), held=[confirmation])
        with pytest.raises(NotFound):
            queries.get_entry(tenant=log.id, entry=voted, held=[confirmation])
    assert shown.count == hidden.count + 1 and "approval.voted" not in {sort.action for sort in hidden.sorts}
