"""The table of states: its picture, that nothing goes past it, and what must hold whatever people, agents and time do."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services, states
from agentops.confirmations.digests import action_digest
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.queries.detail import shown
from agentops.confirmations.rendering import View
from agentops.confirmations.services import codes, moving
from agentops.confirmations.states import TABLE, Who
from agentops.confirmations.types import LIFETIME, OPEN, Asked, Person, Proofs, State
from audit.models import Entry
from audit.registry import ACTIONS
from tests.confirmations.asked import ARGUMENTS, Desk, action, fresh, link
from tests.world import World

README = Path(states.__file__).with_name("README.md")


# -- the table -------------------------------------------------------------------------------------------------------


def test_the_readme_shows_the_table() -> None:
    block = README.read_text().partition("```mermaid\n")[2].partition("\n```")[0]
    assert block == states.diagram()


def test_every_state_is_reached_and_only_ends_are_left_by_nothing() -> None:
    reached = {arrow.target for arrow in TABLE} | {State.PENDING}
    assert reached == set(State)
    ends = {state for state in State if not any(arrow.origin is state for arrow in TABLE)}
    assert ends == {
        *(State.EDITED, State.REFUSED, State.CANCELLED, State.EXPIRED, State.INVALIDATED),
        *(State.EXECUTED, State.FAILED, State.OUTCOME_UNKNOWN),
    }


def test_nothing_leads_to_executing_but_an_approval_that_the_agent_redeems() -> None:
    assert [(a.origin, a.who) for a in TABLE if a.target is State.EXECUTING] == [(State.APPROVED, Who.AGENT)]
    approving = {(a.origin, a.who) for a in TABLE if a.target is State.APPROVED}
    assert approving == {
        (State.PENDING, Who.PERSON),
        (State.PENDING, Who.STANDING),
        (State.COOLING, Who.CLOCK),
    }


def test_every_arrow_has_an_entry_of_the_registry() -> None:
    assert {arrow.event for arrow in TABLE} <= set(ACTIONS)


@pytest.mark.parametrize("who", Who)
def test_the_update_moves_what_the_table_allows_and_nothing_else(desk: Desk, who: Who) -> None:
    """Each pair of states, tried on a row: whatever a service asks for, the table decides."""
    asked = desk.ask(4)
    with tenant_scope(desk.id):
        row = Confirmation.objects.filter(id=asked.id)
        for state, to in itertools.product(State, State):
            row.update(state=state)
            moved = moving.change(tenant=desk.id, to=to, who=who, which="id = %(id)s", params={"id": asked.id})
            is_allowed = states.may_become(state, to, who) is not None
            assert (len(moved), row.get().state) == ((1, to) if is_allowed else (0, state))


# -- whatever happens ------------------------------------------------------------------------------------------------


# What chance alone would seldom bring about comes often: that the next thing is done well.
ACTS = [
    *["go_on"] * 10,
    *["approve", "edit"] * 4,
    *["pass_time", "release", "redeem"] * 2,
    *("refuse", "cancel", "expire", "close", "lapse"),
]
_NO_CHANGE = ("approval.attempt_refused", "approval.code_sent")


class Life(RuleBasedStateMachine):
    """People of every kind, the agent, the guard and the clock do anything in any order to what one call asks for."""

    desk: Desk
    people: dict[str, Person]
    approvers_of: dict[str, set[int]]
    last_code: dict[int, str]
    rows: Sequence[Confirmation] = ()

    @initialize(dice=st.randoms(use_true_random=True))
    def ask(self, dice: random.Random) -> None:
        """In the name of Uma, or of Pete, who could approve; perhaps in a run that was started for Ben."""
        self.dice = dice
        self.root_user = dice.choice(["u-ben", ""])
        self.acting = dice.choice(["u-1", "u-pete"])
        asked = self.desk.ask(dice.choice([2, 3, 4, 4]), acting_user=self.acting, root_user=self.root_user)
        self.asked: list[Asked] = [asked]
        self.editors: set[int] = set()
        self.state_of = {asked.id: State.PENDING}
        self.bytes_of = {asked.id: self.desk.look(asked).arguments}
        self.redeemed: dict[Any, bytes] = {}
        self.look()

    def one(self, place: int) -> Asked:
        """The latest of what the call asked for, or one of those before its edits."""
        return self.asked[-1 - place % len(self.asked)]

    @rule()
    def step(self) -> None:
        """One rule for all: hypothesis leaves out some rules of each example, and so would seldom come to an end."""
        given = {
            "place": self.dice.choice([0, 0, 0, 0, 1, 2]),
            "who": self.dice.choice([*("ada", "ben", "pete") * 3, "uma", "audrey", "cleo"]),
            "flaw": self.dice.choice([*[""] * 5, "proofs", "phrase", "code", "digest", "view"]),
            "number": self.dice.randint(1, 9),
        }
        work = getattr(self, self.dice.choice(ACTS))
        taken = {name: value for name, value in given.items() if name in work.__code__.co_varnames}
        note(f"{work.__name__} {taken}")
        work(**taken)
        self.look()

    def approve(self, place: int, who: str, flaw: str) -> None:
        asked, person = self.one(place), self.people[who]
        view = self.view(asked)
        given: dict[str, Any] = {"proofs": fresh(), "phrase": view.phrase, "code": self.code(asked, person)}
        given |= self.seen(asked)
        spoilt = {
            "proofs": {"proofs": Proofs()},
            "phrase": {"phrase": "yes"},
            "code": {"code": "1"},
            "digest": {"action_digest": b"x" * 32},
            "view": {"view_digest": b"x" * 32},
        }
        self.tried(
            lambda: services.approve(
                tenant=self.desk.id,
                confirmation=asked.id,
                by=person,
                at=clock.now(),
                **{**given, **spoilt.get(flaw, {})},
            )
        )

    def view(self, asked: Asked) -> View:
        [row] = [row for row in self.rows if row.id == asked.id]
        return shown(row)

    def seen(self, asked: Asked) -> dict[str, bytes]:
        [row] = [row for row in self.rows if row.id == asked.id]
        return {"action_digest": bytes(row.action_digest), "view_digest": self.view(asked).digest}

    def code(self, asked: Asked, person: Person) -> str:
        if asked.tier != 4 or person.user_id is None:
            return ""
        self.last_code.pop(person.user_id, None)
        self.tried(lambda: services.send_code(tenant=self.desk.id, confirmation=asked.id, to=person, at=clock.now()))
        return self.last_code.get(person.user_id, "00000000")

    def refuse(self, place: int, who: str) -> None:
        asked = self.one(place)
        self.tried(
            lambda: services.refuse(
                tenant=self.desk.id,
                confirmation=asked.id,
                by=self.people[who],
                reason="no",
                at=clock.now(),
                **self.seen(asked),
            )
        )

    def cancel(self, place: int, who: str) -> None:
        asked = self.one(place)
        self.tried(
            lambda: services.cancel(
                tenant=self.desk.id, confirmation=asked.id, by=self.people[who], reason="", at=clock.now()
            )
        )

    def edit(self, place: int, who: str, number: int) -> None:
        asked, person = self.one(place), self.people[who]
        changed = action(
            run_id=asked.run_id,
            call_id=asked.call_id,
            acting_user=self.acting,
            root_user=self.root_user,
            arguments={**ARGUMENTS, "amount_minor": number},
        )
        new = self.tried(
            lambda: services.supersede(
                tenant=self.desk.id,
                confirmation=asked.id,
                action=changed,
                tier=2 + number % 3,
                raised_because=(),
                by=person,
                at=clock.now(),
            )
        )
        if new is not None:
            assert person.user_id is not None and new.tier >= asked.tier
            self.asked.append(new)
            self.editors.add(person.user_id)
            self.state_of[new.id] = State.PENDING
            self.bytes_of[new.id] = changed.arguments

    def go_on(self, place: int, who: str) -> None:
        """What leads on from here, done well."""
        asked = self.one(place)
        match self.state_of[asked.id]:
            case State.PENDING | State.HALF:
                self.approve(place=place, who=who, flaw="")
            case State.COOLING:
                self.desk.pass_time(timedelta(minutes=16))
                self.release(place=place)
            case State.APPROVED:
                self.redeem(place=place)
            case State.EXECUTING:
                self.close(place=place, number=0)

    def pass_time(self, number: int) -> None:
        self.desk.pass_time(timedelta(minutes=(1, 9, 16, 70)[number % 4]))

    def expire(self) -> None:
        self.tried(lambda: services.expire(tenant=self.desk.id, at=clock.now()))

    def release(self, place: int) -> None:
        asked = self.one(place)
        self.tried(lambda: services.release(tenant=self.desk.id, confirmation=asked.id, at=clock.now()))

    def redeem(self, place: int) -> None:
        asked = self.one(place)
        taken = self.tried(
            lambda: services.redeem(tenant=self.desk.id, confirmation=asked.id, jti="j", at=clock.database_now())
        )
        if taken is not None:
            assert asked.id not in self.redeemed, "an approval works once"
            self.redeemed[asked.id] = taken.arguments

    def close(self, place: int, number: int) -> None:
        asked, outcome = self.one(place), ("ok", "error", "unknown")[number % 3]
        self.tried(
            lambda: services.close(tenant=self.desk.id, confirmation=asked.id, outcome=outcome, at=clock.database_now())
        )

    def lapse(self, place: int, number: int) -> None:
        asked = self.one(place)
        if number % 2:
            self.tried(lambda: services.invalidate(tenant=self.desk.id, run=asked.run_id, at=clock.now()))
        else:
            self.tried(
                lambda: services.lapse(tenant=self.desk.id, confirmation=asked.id, reason="changed", at=clock.now())
            )

    def tried(self, work: Callable[[], Any]) -> Any:
        """What came of it; None where it was refused."""
        try:
            with tenant_scope(self.desk.id):
                return work()
        except DomainError:
            return None

    @invariant()
    def every_step_is_an_arrow(self) -> None:
        for row in self.rows:
            before, now = self.state_of[row.id], State(row.state)
            assert before is now or any((a.origin, a.target) == (before, now) for a in TABLE)
            self.state_of[row.id] = now

    @invariant()
    def what_runs_was_approved_as_it_runs_and_once(self) -> None:
        """Invariant 5 of ARCHITECTURE."""
        for row in self.rows:
            ran = row.state in (State.EXECUTING, State.EXECUTED, State.FAILED, State.OUTCOME_UNKNOWN)
            assert ran == (row.id in self.redeemed)
            if not ran:
                continue
            assert self.redeemed[row.id] == self.bytes_of[row.id] == bytes(row.arguments)
            assert b',"arguments":' + bytes(row.arguments) + b',"nonce":' in bytes(row.binding)
            assert action_digest(bytes(row.binding)) == bytes(row.action_digest)
            said = self.votes(row)
            assert len(said) == (2 if row.tier == 4 else 1)
            assert {(vote.choice, bytes(vote.action_digest)) for vote in said} == {
                ("approve", bytes(row.action_digest))
            }
            assert row.redeemed_at < row.expires_at
            if row.tier == 4:
                assert row.redeemed_at >= row.cooling_until >= max(vote.at for vote in said) + timedelta(minutes=15)

    @invariant()
    def two_people_are_two_and_neither_asked_for_it(self) -> None:
        """Invariant 6 of ARCHITECTURE."""
        for row in self.rows:
            agreed = [vote.user_id for vote in self.votes(row) if vote.choice == "approve"]
            assert len(agreed) == len(set(agreed))
            assert set(agreed) <= set(row.eligible)
            if row.tier != 4:
                continue
            assert (row.state, len(agreed)) != (State.PENDING, 1)
            assert row.state not in (State.COOLING, State.APPROVED) or len(agreed) == 2
            asked_for_it = {self.people["pete"].user_id} if self.acting == "u-pete" else {self.people["uma"].user_id}
            asked_for_it |= {self.people["ben"].user_id} if self.root_user else set()
            assert not set(agreed) & (asked_for_it | self.edited_before(row))

    def edited_before(self, row: Confirmation) -> set[int | None]:
        """Who had a hand in this one: its editor, and those of what it came from."""
        by_id = {each.id: each for each in self.rows}
        found: set[int | None] = set()
        while row.supersedes_id is not None:
            found.add(row.edited_by)
            row = by_id[row.supersedes_id]
        return found

    @invariant()
    def every_change_left_its_entry(self) -> None:
        for row in self.rows:
            events = self.events.get(str(row.id), [])
            assert events[0] == "approval.requested"
            assert State(row.state) in _ends(events[1:], was_redeemed=row.id in self.redeemed)

    def look(self) -> None:
        """What is there now, for all invariants."""
        ids = [asked.id for asked in self.asked]
        names = [str(each) for each in ids]
        with tenant_scope(self.desk.id):
            self.rows = list(Confirmation.objects.filter(id__in=ids))
            self.all_votes = list(Vote.objects.filter(confirmation_id__in=ids))
            found = Entry.objects.filter(tenant_id=self.desk.id, target_id__in=names).exclude(action__in=_NO_CHANGE)
            entries = list(found.order_by("id").values_list("target_id", "action"))
        self.events: dict[str, list[str]] = {}
        for target, event in entries:
            self.events.setdefault(target, []).append(event)

    def votes(self, row: Confirmation) -> list[Vote]:
        return [vote for vote in self.all_votes if vote.confirmation_id == row.id]


def _ends(events: list[str], *, was_redeemed: bool) -> set[State]:
    """Where these entries, read along the table, lead to. A redemption has its entry from the guard."""
    at = {State.PENDING}
    for event in events:
        following = {arrow.target for arrow in TABLE if arrow.origin in at and arrow.event == event}
        if not following and was_redeemed and State.APPROVED in at:
            following = {a.target for a in TABLE if a.origin is State.EXECUTING and a.event == event}
        at = following
    return at | ({State.EXECUTING} if was_redeemed and State.APPROVED in at else set())


def test_whatever_people_agents_and_time_do_nothing_runs_without_those_who_must_agree(
    desk: Desk, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    link(world.acme, world.pete, "u-pete")
    link(world.acme, world.ben, "u-ben")
    Life.desk = desk
    Life.people = {name: desk.person(world.person(name)) for name in ("ada", "ben", "pete", "uma", "audrey", "cleo")}
    Life.last_code = {}
    monkeypatch.setattr(codes, "CODES_MOST", 10_000)
    monkeypatch.setattr(codes, "_mail", lambda found, made, to, code: Life.last_code.__setitem__(made.user_id, code))
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=60,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )


def test_what_is_open_lives_as_long_as_its_tier_says(desk: Desk) -> None:
    for tier, state in itertools.product(LIFETIME, OPEN):
        asked = desk.ask(tier)
        moment = asked.expires_at
        assert queries.state_at(state, moment, moment) is State.EXPIRED
        assert queries.state_at(state, moment, moment - timedelta(microseconds=1)) is state
