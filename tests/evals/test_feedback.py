"""Feedback by the API and by the widget."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from evals import services
from evals.services.signals.feedback import Said
from evals.signalling import tokens
from evals.types import FeedbackSource
from tenants import machines
from tenants import services as tenant_services
from tests.evals.telling import Machine, feedback, finish
from tests.world import OPERATOR, World


@pytest.fixture
def acme(world: World) -> Machine:
    return Machine(world.acme)


def pointers(answer: Any) -> dict[str, str]:
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def test_a_word_is_kept_and_the_next_one_of_the_same_person_replaces_it(acme: Machine) -> None:
    run = new_id()
    first = acme.feedback(run, "up", user="u-1", comment=" fine ", correct=True)
    assert (first["rating"], first["comment"], first["correct"], first["user"]) == ("up", "fine", True, "u-1")
    second = acme.feedback(run, "down", user="u-1", status=200)
    assert second["id"] == first["id"]
    acme.feedback(run, "up", user="u-2")
    said = {row.user_id: (row.is_up, row.is_correct, row.comment) for row in feedback(acme.organisation)}
    assert said == {"u-1": (False, None, ""), "u-2": (True, None, "")}
    assert acme.organisation.actions() == ["feedback.given"] * 3


def test_the_same_word_again_changes_nothing_and_leaves_no_entry(acme: Machine) -> None:
    run = new_id()
    first = acme.feedback(run, "down", user="u-1")
    again = acme.feedback(run, "down", user="u-1", status=200)
    assert again == first
    assert acme.organisation.actions() == ["feedback.given"]


def test_a_run_that_has_not_come_yet_is_taken_and_so_is_a_span_of_one_that_goes_on(acme: Machine) -> None:
    run = new_id()
    acme.feedback(run, span_id="00000000000000b0")
    acme.spans(run, {"tool": "search", "arguments": {}}, root=False)
    acme.feedback(run, span_id="00000000000000cc")
    assert len(feedback(acme.organisation)) == 2


def test_a_span_that_a_finished_run_does_not_have_is_refused(acme: Machine) -> None:
    run = new_id()
    acme.spans(run, {"tool": "search"})
    finish(acme.organisation, run)
    acme.feedback(run, span_id="00000000000000b0")
    answer = acme.post(
        "/api/v1/feedback", {"run_id": run.hex, "rating": "up", "span_id": "00000000000000cc"}, key="feedback"
    )
    assert answer.status_code == 400
    assert "is a span of this run" in pointers(answer)["/span_id"]
    assert len(feedback(acme.organisation)) == 1


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"run_id": "nonsense"}, "/run_id"),
        ({"run_id": None}, "/run_id"),
        ({"run_id": 7}, "/run_id"),
        ({"rating": "great"}, "/rating"),
        ({"rating": True}, "/rating"),
        ({"correct": "yes"}, "/correct"),
        ({"span_id": "xyz"}, "/span_id"),
        ({"comment": "a\0b"}, "/comment"),
        ({"comment": "x" * 2001}, "/comment"),
        ({"user": "u" * 201}, "/user"),
        ({"stars": 5}, "/stars"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(acme: Machine, changed: dict[str, Any], pointer: str) -> None:
    answer = acme.post("/api/v1/feedback", {"run_id": new_id().hex, "rating": "up", **changed}, key="feedback")
    assert answer.status_code == 400
    assert pointers(answer)[pointer]
    assert feedback(acme.organisation) == []


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b'{"run_id": "\xff"}', b'{"rating": "up", "rating": "down"}'])
def test_a_body_that_is_no_object_is_refused(acme: Machine, raw: bytes) -> None:
    assert acme.post("/api/v1/feedback", None, key="feedback", raw=raw).status_code == 400


def test_a_body_that_is_too_large_is_refused(acme: Machine) -> None:
    raw = b'{"comment": "' + b"x" * 20_000 + b'"}'
    assert acme.post("/api/v1/feedback", None, key="feedback", raw=raw).status_code == 413


def test_feedback_stays_with_the_organisation_of_the_key(world: World, acme: Machine) -> None:
    run = new_id()
    acme.feedback(run, user="u-1")
    Machine(world.globex).feedback(run, "up", user="u-1")
    assert [row.is_up for row in feedback(world.acme)] == [False]
    assert [row.is_up for row in feedback(world.globex)] == [True]


def test_of_two_words_at_the_same_time_one_row_stays(world: World, acme: Machine) -> None:
    run, failures, start = new_id(), [], threading.Barrier(4)

    def say(is_up: bool) -> None:
        try:
            start.wait()
            with tenant_scope(world.acme.id):
                services.give_feedback(
                    tenant=world.acme.id,
                    said=Said(run_id=run, is_up=is_up, user="u-1"),
                    source=FeedbackSource.API,
                    by=OPERATOR,
                    at=clock.now(),
                )
        except Exception as error:
            failures.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=say, args=(number % 2 == 0,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(feedback(world.acme)) == 1


# -- the widget -------------------------------------------------------------------------------------------------------


def test_the_widget_says_it_with_a_token_and_no_key(acme: Machine) -> None:
    run = new_id()
    token = acme.token(run, "u-7")
    answer = acme.by_widget(token, "down", comment="wrong city")
    assert answer.status_code == 201
    assert answer["Access-Control-Allow-Origin"] == "*"
    [row] = feedback(acme.organisation)
    assert (row.run_id, row.user_id, row.source, row.is_up, row.comment) == (run, "u-7", "widget", False, "wrong city")
    [entry] = acme.organisation.entries()
    assert (entry.actor_type, entry.actor_label) == ("service", "acme feedback")


def test_a_token_for_the_longest_name_is_taken(acme: Machine) -> None:
    assert acme.by_widget(acme.token(new_id(), "😀" * 200, span_id="00000000000000ab")).status_code == 201
    [row] = feedback(acme.organisation)
    assert row.user_id == "😀" * 200


def test_what_a_token_is_answered_with_says_where_the_widget_is(acme: Machine) -> None:
    answer = acme.post("/api/v1/feedback/tokens", {"run_id": new_id().hex, "user": "u-1"}, key="feedback").json()
    assert answer["url"] == "http://testserver/api/v1/feedback/widget"
    assert answer["script"].startswith("http://testserver/static/js/feedback")
    left = datetime.fromisoformat(answer["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < left <= timedelta(hours=24)


def test_a_browser_asks_first_and_may_send_from_anywhere(db: None) -> None:
    answer = Client().options("/api/v1/feedback/widget", headers={"origin": "https://shop.example"})
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert "POST" in answer["Access-Control-Allow-Methods"]
    assert "Content-Type" in answer["Access-Control-Allow-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


def test_a_token_that_was_changed_or_is_old_is_refused(acme: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    token = acme.token(new_id())
    for wrong in (token[:-1] + ("A" if token[-1] != "A" else "B"), "x", token.replace(":", ".", 1), "x" * 4001):
        answer = acme.by_widget(wrong)
        assert answer.status_code in (400, 401), answer.content
        assert answer["Access-Control-Allow-Origin"] == "*"
    monkeypatch.setattr(tokens, "LIFETIME", timedelta(seconds=-1))
    old = acme.by_widget(token)
    assert old.status_code == 401
    assert "24 hours" in old.json()["detail"]
    assert feedback(acme.organisation) == []


def test_a_token_ends_with_the_key_that_made_it_and_with_the_organisation(world: World, acme: Machine) -> None:
    run = new_id()
    token = acme.token(run)
    key = tokens.read(token).key
    assert key
    with tenant_scope(world.acme.id):
        tenant_services.revoke_key(tenant=world.acme.id, key=key, by=OPERATOR, at=clock.now())
    machines.forget_cached_keys()
    answer = acme.by_widget(token)
    assert answer.status_code == 401
    assert "revoked" in answer.json()["detail"]
    other = Machine(world.globex)
    theirs = other.token(run)
    world.globex.tenant.is_active = False
    world.globex.tenant.save()
    assert other.by_widget(theirs).status_code == 401
    assert feedback(world.acme) == feedback(world.globex) == []


def test_a_token_writes_for_its_own_organisation_run_and_user_only(world: World, acme: Machine) -> None:
    run = new_id()
    token = acme.token(run, "u-1", span_id="00000000000000ab")
    answer = acme.by_widget(token, run_id=new_id().hex)
    assert answer.status_code == 400
    assert acme.by_widget(token).status_code == 201
    assert feedback(world.globex) == []
    [row] = feedback(world.acme)
    assert (row.run_id, row.user_id, row.span_id) == (run, "u-1", "00000000000000ab")


def test_a_token_that_says_it_again_and_again_is_told_to_wait(acme: Machine) -> None:
    token = acme.token(new_id())
    assert acme.by_widget(token, "up").status_code == 201
    answer = acme.by_widget(token, "down")
    assert answer.status_code == 429
    assert answer["Retry-After"] == "1"
    assert [row.is_up for row in feedback(acme.organisation)] == [True]
    assert acme.by_widget(token, "up").status_code == 200
