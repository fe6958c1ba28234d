""" "Was this correct?": who is asked, what is kept, and what evals read."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from agentops.confirmations import queries, services
from agentops.confirmations.errors import NotOver
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.types import Person as Who
from agentops.confirmations.types import State
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import Organisation, Person, World


@pytest.fixture
def ran(world: World) -> uuid.UUID:
    """A refund for u-1 that Pete approved and that ran."""
    apply(world.acme, MANIFEST)
    call = Caller(world.acme).run().refund()
    confirmation = uuid.UUID(call["confirmation"]["id"])
    with tenant_scope(world.acme.id):
        Confirmation.objects.filter(id=confirmation).update(state=State.EXECUTED)
        vote(world.acme, confirmation, world.pete, "approve")
    world.acme.skip_entries()
    return confirmation


def vote(organisation: Organisation, confirmation: uuid.UUID, person: Person, choice: str) -> None:
    Vote.objects.create(
        tenant_id=organisation.id,
        confirmation_id=confirmation,
        voter=f"user:{person.user.pk}",
        user_id=person.user.pk,
        label=person.email,
        choice=choice,
        action_digest=b"a",
        view_digest=b"v",
        renderer=1,
        at=clock.now(),
    )


def who(person: Person, *end_users: str) -> Who:
    return Who(voter=f"user:{person.user.pk}", label=person.email, user_id=person.user.pk, end_users=end_users)


def say(organisation: Organisation, confirmation: uuid.UUID, by: Who, **said: Any) -> None:
    with tenant_scope(organisation.id):
        services.answer_correctness(
            tenant=organisation.id, confirmation=confirmation, by=by, **{"is_correct": True, "at": clock.now(), **said}
        )


def read(organisation: Organisation, **wanted: Any) -> list[Any]:
    with tenant_scope(organisation.id):
        return queries.judged(tenant=organisation.id, **wanted)


def test_who_decided_and_in_whose_name_it_was_done_are_asked(world: World, ran: uuid.UUID) -> None:
    askable = {
        "the approver": (who(world.pete), True),
        "the acting user": (who(world.uma, "u-1"), True),
        "the acting user, by a link of their product": (Who(voter="end_user:u-1", label="u-1"), True),
        "another end user": (who(world.uma, "u-2"), False),
        "another by a link": (Who(voter="end_user:u-2", label="u-2"), False),
        "an admin": (who(world.ada), False),
    }
    with tenant_scope(world.acme.id):
        asked = {
            name: queries.asks_for_correctness(tenant=world.acme.id, confirmation=ran, by=by)
            for name, (by, _) in askable.items()
        }
    assert asked == {name: expected for name, (_, expected) in askable.items()}
    for by, expected in askable.values():
        if expected:
            say(world.acme, ran, by)
        else:
            with pytest.raises(NotFound):
                say(world.acme, ran, by)
    assert len(read(world.acme)) == 3


def test_whoever_refused_is_not_asked(world: World, ran: uuid.UUID) -> None:
    with tenant_scope(world.acme.id):
        vote(world.acme, ran, world.ben, "refuse")
    with pytest.raises(NotFound):
        say(world.acme, ran, who(world.ben))


def test_an_answer_is_kept_once_a_person_and_can_be_changed(world: World, ran: uuid.UUID) -> None:
    say(world.acme, ran, who(world.pete))
    say(world.acme, ran, who(world.pete))
    say(world.acme, ran, who(world.pete), is_correct=False, comment=" The customer had two orders. ")
    [answer] = read(world.acme)
    assert (answer.is_correct, answer.comment) == (False, "The customer had two orders.")
    assert (answer.confirmation, answer.agent, answer.tool, answer.state) == (ran, "refund-desk", "refund", "executed")
    assert world.acme.actions() == ["approval.correctness"] * 2
    assert world.acme.entries()[1].told() == {"tool": "refund", "answer": "wrong"}
    with tenant_scope(world.acme.id):
        mine = queries.my_answer(tenant=world.acme.id, confirmation=ran, by=who(world.pete))
        assert mine is not None and mine.is_correct is False
        assert queries.my_answer(tenant=world.acme.id, confirmation=ran, by=who(world.uma, "u-1")) is None


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED, State.EXECUTING, State.REFUSED, State.EXPIRED])
def test_what_has_not_run_is_not_judged(world: World, ran: uuid.UUID, state: State) -> None:
    with tenant_scope(world.acme.id):
        Confirmation.objects.filter(id=ran).update(state=state)
        assert not queries.asks_for_correctness(tenant=world.acme.id, confirmation=ran, by=who(world.pete))
    with pytest.raises(NotOver):
        say(world.acme, ran, who(world.pete))


@pytest.mark.parametrize("comment", ["x" * 2_001, "a\0b"])
def test_a_comment_that_cannot_be_kept_is_refused(world: World, ran: uuid.UUID, comment: str) -> None:
    with pytest.raises(InvalidInput):
        say(world.acme, ran, who(world.pete), comment=comment)


def test_evals_read_answers_in_order_and_go_on_where_they_were(world: World, ran: uuid.UUID) -> None:
    start = clock.now()
    say(world.acme, ran, who(world.pete), at=start)
    say(world.acme, ran, who(world.uma, "u-1"), at=start + timedelta(seconds=1), is_correct=False)
    first, second = read(world.acme)
    assert read(world.acme, most=1) == [first]
    assert read(world.acme, after=(first.at, first.id)) == [second]
    assert read(world.acme, since=start + timedelta(seconds=1)) == [second]
    assert read(world.acme, run=first.run_id) == [first, second]
    assert read(world.acme, run=uuid.uuid4()) == []


def test_anothers_action_does_not_exist(world: World, ran: uuid.UUID) -> None:
    with pytest.raises(NotFound):
        say(world.globex, ran, Who(voter="end_user:u-1", label="u-1"))
    say(world.acme, ran, who(world.pete))
    assert read(world.globex) == []
