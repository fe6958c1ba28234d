"""What people do instead of saying it: corrections, repeats, leaving, refusing; and what they say of confirmed actions."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import pytest

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.confirmations import services as confirming
from agentops.confirmations.models import Confirmation
from agentops.confirmations.types import Person, State
from evals import services
from evals.models import RunFact
from evals.signalling.corrections import correction
from evals.tasks import signals as tasks
from tests.evals.telling import Machine, fact, feedback, signals
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import World


@pytest.fixture
def acme(world: World) -> Machine:
    return Machine(world.acme)


class Conversation:
    """Runs of one session, each asked so many seconds after the answer before it."""

    def __init__(self, machine: Machine, **of_all: Any) -> None:
        self.machine, self.of_all = machine, of_all
        self.at = clock.now() - timedelta(hours=1)

    def ask(self, words: str, *, after: float = 0, digest: str = "", **more: Any) -> uuid.UUID:
        self.at += timedelta(seconds=after)
        run = new_id()
        values: dict[str, Any] = {"session_id": "s-1", **self.of_all, **more}
        sent = {name: values[name] for name in ("session_id", "user_id") if values.get(name)}
        self.machine.spans(run, at=self.at, input=words, agent=values.get("agent", "desk"), **sent)
        fact(
            self.machine.organisation,
            run,
            at=self.at,
            input_digest=hashlib.sha256((digest or words).encode()).digest(),
            **values,
        )
        self.at += timedelta(seconds=2)
        return run


def kinds(world: World) -> list[tuple[str, uuid.UUID]]:
    return [(signal.kind, signal.run_id) for signal in signals(world.acme)]


def sweep(world: World) -> int:
    return int(tasks.look_for_signals())


# -- corrections ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "No, I meant the flight to Oslo",
        "That's not what I asked",
        "that is wrong, the order is ord_2",
        "Nein, ich meinte Freitag",
        "Das ist falsch",
        "Non, ce n’est pas ça",
        "No es correcto",
        "Não é isso que pedi",
        "Nie, chodziło mi o wtorek",
        "違います、東京です",
        "不对,我要去上海",
        "아니요, 내일입니다",
        "Sorry, no, try again",
    ],
)
def test_words_of_a_correction_are_known_in_some_languages(words: str) -> None:
    assert correction(before="Book me a flight", after=words).startswith("words:")


@pytest.mark.parametrize(
    "words",
    [
        "Thanks, that is great",
        "Now show me the second one",
        "Nothing else, thank you",
        "Notify Ann as well",
        "Is there no train?",
        "Norwegian flights only",
        "Nonstop please",
        "Book a flight to Oslo",
        "",
    ],
)
def test_what_only_goes_on_is_no_correction(words: str) -> None:
    assert correction(before="Book me a flight to Oslo on Friday", after=words) == ""


def test_the_same_question_with_a_negation_in_it_is_a_correction() -> None:
    before = "find flights to Oslo on Friday in the morning"
    assert correction(before=before, after="find flights to Oslo on Friday not in the morning") == "negated_repeat"
    assert correction(before=before, after="find flights to Oslo on Friday in the evening") == ""


def test_a_correction_within_two_minutes_is_a_signal_on_the_run_that_was_corrected(world: World, acme: Machine) -> None:
    talk = Conversation(acme)
    first = talk.ask("Fly me to Oslo")
    second = talk.ask("No, I meant Bergen", after=90)
    talk.ask("No, I meant Tromsø", after=130)
    assert sweep(world) == 1
    [signal] = signals(world.acme)
    assert (signal.kind, signal.run_id, signal.agent) == ("correction", first, "desk")
    assert signal.evidence == {"run": second.hex, "seconds": 90.0, "why": "words:en"}
    assert sweep(world) == 0


def test_a_correction_is_of_the_same_conversation_and_agent(world: World, acme: Machine) -> None:
    talk = Conversation(acme)
    talk.ask("Fly me to Oslo")
    talk.ask("No, I meant Bergen", after=5, session_id="s-2")
    talk.ask("No, I meant Bergen", after=5, agent="other")
    assert sweep(world) == 0


def test_without_a_session_the_person_tells_the_conversation(world: World, acme: Machine) -> None:
    talk = Conversation(acme, session_id="", user_id="u-1")
    first = talk.ask("Fly me to Oslo")
    talk.ask("No, I meant Bergen", after=5, user_id="u-2")
    talk.ask("No, I meant Bergen", after=5)
    assert sweep(world) == 1
    assert kinds(world) == [("correction", first)]


def test_where_neither_session_nor_person_is_known_nothing_is_guessed(world: World, acme: Machine) -> None:
    talk = Conversation(acme, session_id="", user_id="")
    talk.ask("Fly me to Oslo")
    talk.ask("No, I meant Bergen", after=5)
    talk.ask("No, I meant Bergen", after=5)
    assert sweep(world) == 0


def test_a_run_whose_fact_comes_after_that_of_the_next_one_is_found_all_the_same(world: World, acme: Machine) -> None:
    talk = Conversation(acme)
    first = talk.ask("Fly me to Oslo")
    with tenant_scope(world.acme.id):
        RunFact.objects.filter(tenant_id=world.acme.id, run_id=first).delete()
    at = talk.at - timedelta(seconds=2)
    talk.ask("No, I meant Bergen", after=5)
    assert sweep(world) == 0
    fact(world.acme, first, at=at, session_id="s-1")
    assert sweep(world) == 1
    assert kinds(world) == [("correction", first)]


# -- the same again ---------------------------------------------------------------------------------------------------


def test_the_same_prompt_within_ten_minutes_is_a_signal_though_others_lie_between(world: World, acme: Machine) -> None:
    talk = Conversation(acme)
    first = talk.ask("Where is my order?")
    talk.ask("And the invoice?", after=60)
    second = talk.ask("Where is my order?", after=60)
    talk.ask("Where is my order?", after=601)
    sweep(world)
    assert kinds(world) == [("same_prompt", first)]
    assert signals(world.acme)[0].evidence["run"] == second.hex


def test_runs_without_a_digest_are_never_the_same(world: World, acme: Machine) -> None:
    for number in range(2):
        fact(world.acme, session_id="s-1", at=clock.now() - timedelta(minutes=5 - number))
    assert sweep(world) == 0


# -- leaving ----------------------------------------------------------------------------------------------------------


def leave(world: World, machine: Machine, after: float | None, *, text: str = "") -> uuid.UUID:
    """A run whose client says when its session ended, so many seconds after the answer."""
    run, at = new_id(), clock.now() - timedelta(minutes=10)
    ended = text or (clock.rfc3339(at + timedelta(seconds=2 + after)) if after is not None else "")
    attributes = {"attributes": {"agentops.session_ended_at": ended}} if ended else {}
    machine.spans(run, at=at, session_id="s-9", **attributes)
    fact(world.acme, run, at=at, session_id="s-9")
    return run


def test_a_session_that_ends_within_thirty_seconds_of_the_answer_was_left(world: World, acme: Machine) -> None:
    run = leave(world, acme, 12)
    sweep(world)
    assert kinds(world) == [("abandoned", run)]
    assert signals(world.acme)[0].evidence == {"seconds": 12.0}


@pytest.mark.parametrize("after", [31, 3600, -5, None])
def test_one_that_ends_later_or_says_nothing_was_not(world: World, acme: Machine, after: float | None) -> None:
    leave(world, acme, after)
    assert sweep(world) == 0


@pytest.mark.parametrize("text", ["soon", "2026-99-99T00:00:00Z", "1e400", "true"])
def test_an_end_that_is_no_time_is_no_end(world: World, acme: Machine, text: str) -> None:
    leave(world, acme, None, text=text)
    assert sweep(world) == 0


def test_whoever_asked_once_more_did_not_leave(world: World, acme: Machine) -> None:
    leave(world, acme, 20)
    fact(world.acme, session_id="s-9", at=clock.now() - timedelta(minutes=9, seconds=50))
    sweep(world)
    assert "abandoned" not in {kind for kind, _ in kinds(world)}


# -- confirmations ----------------------------------------------------------------------------------------------------


@pytest.fixture
def refunds(world: World) -> list[uuid.UUID]:
    """Two refunds that one run asks for."""
    apply(world.acme, MANIFEST)
    run = Caller(world.acme).run()
    return [uuid.UUID(run.refund(amount)["confirmation"]["id"]) for amount in (4_810, 4_820)]


def ran(world: World, confirmations: list[uuid.UUID]) -> None:
    with tenant_scope(world.acme.id):
        Confirmation.objects.filter(id__in=confirmations).update(state=State.EXECUTED)


def say(world: World, confirmation: uuid.UUID, is_correct: bool, comment: str = "") -> None:
    by = Person(voter="end_user:u-1", label="u-1")
    with tenant_scope(world.acme.id):
        confirming.answer_correctness(
            tenant=world.acme.id,
            confirmation=confirmation,
            by=by,
            is_correct=is_correct,
            comment=comment,
            at=clock.now(),
        )


def test_whether_an_action_was_correct_is_feedback_on_its_run_one_a_confirmation(
    world: World, refunds: list[uuid.UUID]
) -> None:
    ran(world, refunds)
    say(world, refunds[0], False, "wrong order")
    say(world, refunds[1], True)
    assert sweep(world) == 2
    rows = feedback(world.acme)
    assert {(row.about, row.is_up, row.is_correct, row.comment) for row in rows} == {
        (refunds[0].hex, False, False, "wrong order"),
        (refunds[1].hex, True, True, ""),
    }
    assert {(row.user_id, row.source) for row in rows} == {("u-1", "confirmation")}
    assert sweep(world) == 0


def test_an_answer_that_is_changed_changes_the_feedback(world: World, refunds: list[uuid.UUID]) -> None:
    ran(world, refunds)
    say(world, refunds[0], True)
    sweep(world)
    say(world, refunds[0], False)
    assert sweep(world) == 1
    assert [(row.is_up, row.is_correct) for row in feedback(world.acme)] == [(False, False)]


def test_a_proposal_that_a_person_cancelled_is_a_signal(world: World, refunds: list[uuid.UUID]) -> None:
    with tenant_scope(world.acme.id):
        by = Person(voter=f"user:{world.ada.user.pk}", label=world.ada.email, user_id=world.ada.user.pk)
        confirming.cancel(tenant=world.acme.id, confirmation=refunds[0], by=by, reason="not ours", at=clock.now())
    assert sweep(world) == 1
    [signal] = signals(world.acme)
    assert (signal.kind, signal.agent) == ("cancelled", "refund-desk")
    assert signal.evidence == {"confirmation": refunds[0].hex, "tool": "refund", "state": "cancelled"}
    assert sweep(world) == 0


# -- sweeps -----------------------------------------------------------------------------------------------------------


def test_an_organisation_sees_its_own_signals_only(world: World, acme: Machine) -> None:
    talk = Conversation(acme)
    talk.ask("Fly me to Oslo")
    talk.ask("No, I meant Bergen", after=5)
    sweep(world)
    assert signals(world.globex) == []
    with tenant_scope(world.globex.id):
        assert services.find_signals(tenant=world.globex.id, at=clock.now()) == (0, False)


def test_a_backlog_is_read_in_batches_to_its_end(world: World, acme: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evals.services.signals.implicit.BATCH", 2)
    at = clock.now()
    digest = hashlib.sha256(b"x").digest()
    for number in range(5):
        fact(
            world.acme,
            session_id="s-1",
            at=at - timedelta(minutes=30 - number),
            computed_at=at,
            input_digest=digest,
        )
    assert sweep(world) == 4
