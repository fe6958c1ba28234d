"""What comes into the review queue, and what people say of it."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from evals import services
from evals.errors import AlreadyDone, Unknown
from evals.models import Feedback, HumanLabel, ReviewItem, Score
from evals.reviewing.chance import is_drawn
from evals.tasks import queue as tasks
from tests.evals.telling import Machine, fact, items, judged, rubric
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import OPERATOR, Organisation, World

Clients = Callable[..., Client]


@pytest.fixture
def acme(world: World) -> Machine:
    return Machine(world.acme)


@pytest.fixture(autouse=True)
def _no_chance(world: World) -> None:
    """Tests that want chance say so."""
    for organisation in (world.acme, world.globex):
        set_share(organisation, 0)


def set_share(organisation: Organisation, share: float, agent: str = "") -> None:
    with tenant_scope(organisation.id):
        services.set_sampling(tenant=organisation.id, agent=agent, share=share, by=OPERATOR, at=clock.now())


def found(organisation: Organisation) -> list[tuple[list[str], str]]:
    return [(sorted(item.reasons), item.state) for item in items(organisation)]


def review(organisation: Organisation, item: ReviewItem, verdict: str = "bad", **more: Any) -> ReviewItem:
    with tenant_scope(organisation.id):
        return services.review(
            tenant=organisation.id,
            item=item.id,
            verdict=verdict,
            labels=more.pop("labels", {}),
            seen=more.pop("seen", None),
            by=OPERATOR,
            user=more.pop("user", 1),
            at=more.pop("at", None) or clock.now(),
            **more,
        )


# -- what comes in ----------------------------------------------------------------------------------------------------


def test_negative_feedback_brings_a_run_and_positive_does_not(world: World, acme: Machine) -> None:
    bad, wrong, good = new_id(), new_id(), new_id()
    acme.feedback(bad, "down", comment="No such flight", user="u-1")
    acme.feedback(wrong, "up", correct=False)
    acme.feedback(good, "up", correct=True)
    assert tasks.fill_review_queue() == 2
    assert {item.run_id for item in items(world.acme)} == {bad, wrong}
    assert items(world.acme)[0].detail in (
        "u-1 found it bad. “No such flight”",
        "Somebody said that it was not correct.",
    )
    assert items(world.globex) == []


def test_swept_twice_or_by_two_at_once_a_run_is_there_once(world: World, acme: Machine) -> None:
    run = new_id()
    acme.feedback(run, "down")
    start, counts = threading.Barrier(3), []

    def sweep() -> None:
        try:
            start.wait()
            with tenant_scope(world.acme.id):
                counts.append(services.fill_queue(tenant=world.acme.id, at=clock.now())[0])
        finally:
            connections.close_all()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0, 0, 1]
    assert tasks.fill_review_queue() == 0
    assert len(items(world.acme)) == 1


def test_reasons_come_together_in_one_open_item(world: World, acme: Machine) -> None:
    row = fact(world.acme, failed_checks=["empty_answer", "refusal"], is_aborted=True)
    tasks.fill_review_queue()
    acme.feedback(row.run_id, "down", user="u-3")
    tasks.fill_review_queue()
    [item] = items(world.acme)
    assert sorted(item.reasons) == ["aborted", "check", "negative_feedback"]
    assert item.agent == "desk"
    assert item.detail == "The guard stopped it. Checks failed: empty answer, refusal. u-3 found it bad."
    assert item.pattern == "desk: aborted"


def test_a_run_that_the_guard_stopped_says_why(world: World) -> None:
    apply(world.acme, MANIFEST)
    run = Caller(world.acme).run()
    assert [run.look_up()["decision"] for _ in range(4)][-1] == "abort"
    fact(world.acme, run.uuid, agent="refund-desk", is_aborted=True)
    tasks.fill_review_queue()
    [item] = items(world.acme)
    assert (item.reasons, item.pattern) == (["aborted"], "refund-desk: aborted repetition")
    assert "look_up_order" in item.detail


def test_a_run_that_the_guard_stopped_before_it_sent_a_span_is_there_and_once(world: World) -> None:
    apply(world.acme, MANIFEST)
    run = Caller(world.acme).run()
    assert [run.look_up()["decision"] for _ in range(4)][-1] == "abort"
    assert tasks.fill_review_queue() == 1
    [item] = items(world.acme)
    assert (item.run_id, item.agent, item.pattern) == (run.uuid, "refund-desk", "refund-desk: aborted repetition")
    assert "look_up_order" in item.detail and items(world.globex) == []
    review(world.acme, item)
    fact(world.acme, run.uuid, agent="refund-desk", is_aborted=True)  # its spans come after all
    assert tasks.fill_review_queue() == 0
    assert found(world.acme) == [(["aborted"], "done")]


def test_a_judge_that_says_otherwise_on_one_criterion_is_disputed_there(world: World) -> None:
    row = fact(world.acme, failed_checks=["refusal"])
    judgement = judged(world.acme, row.run_id, is_pass=False)
    version = rubric(world.acme)
    with tenant_scope(world.acme.id):
        for key, value, score in (("goal", "fail", 0), ("tone", "5", 1), ("depth", "full", 1)):
            Score.objects.create(tenant_id=world.acme.id, judgement=judgement, criterion=key, value=value, score=score)
    tasks.fill_review_queue()
    labels = {(version, "goal"): "fail", (version, "tone"): "4", (version, "depth"): "none"}
    review(world.acme, items(world.acme)[0], "bad", labels=labels)
    tasks.fill_review_queue()
    item = items(world.acme)[-1]
    assert (item.reasons, item.state) == (["disagreement"], "open")
    assert item.detail == "Depth: the judge strict gave full, a person none.", "one step of a scale is no dispute"
    assert item.pattern == "desk: disagreement with strict on depth"
    review(world.acme, item, "bad")
    assert tasks.fill_review_queue() == 0, "nobody is asked twice"


def test_a_fact_that_is_written_anew_does_not_open_what_was_reviewed(world: World) -> None:
    row = fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    review(world.acme, items(world.acme)[0])
    with tenant_scope(world.acme.id):
        type(row).objects.filter(tenant_id=world.acme.id).update(computed_at=clock.now())
    tasks.fill_review_queue()
    assert found(world.acme) == [(["check"], "done")]


def test_what_people_say_after_a_review_opens_a_new_item(world: World, acme: Machine) -> None:
    run = new_id()
    acme.feedback(run, "down", user="u-1")
    tasks.fill_review_queue()
    review(world.acme, items(world.acme)[0])
    assert tasks.fill_review_queue() == 0
    acme.feedback(run, "down", user="u-2")
    tasks.fill_review_queue()
    assert found(world.acme) == [(["negative_feedback"], "done"), (["negative_feedback"], "open")]


def test_chance_draws_the_share_that_was_set_and_says_for_how_many_each_stands(world: World) -> None:
    set_share(world.acme, 0.25)
    set_share(world.acme, 0.0, agent="quiet")
    rows = [fact(world.acme) for _ in range(80)] + [fact(world.acme, agent="quiet") for _ in range(20)]
    tasks.fill_review_queue()
    drawn = {row.run_id for row in rows[:80] if is_drawn(tenant=world.acme.id, run_id=row.run_id, share=0.25)}
    assert {item.run_id for item in items(world.acme)} == drawn
    assert all((item.reasons, item.probability) == (["random"], 0.25) for item in items(world.acme))


def test_which_runs_chance_draws_is_near_the_share_and_the_same_for_ever() -> None:
    tenant, runs = uuid.UUID(int=7), [uuid.UUID(int=number) for number in range(20_000)]
    drawn = [is_drawn(tenant=tenant, run_id=run, share=0.05) for run in runs]
    assert 880 <= sum(drawn) <= 1_120  # 1,000 expected, sd 31
    assert drawn == [is_drawn(tenant=tenant, run_id=run, share=0.05) for run in runs]
    assert all(is_drawn(tenant=tenant, run_id=run, share=1) for run in runs)
    assert not any(is_drawn(tenant=tenant, run_id=run, share=0) for run in runs)


@pytest.mark.parametrize(
    ("is_pass", "rating", "correct", "is_disputed"),
    [
        (True, "down", None, True),
        (True, "up", False, True),
        (False, "up", None, True),
        (True, "up", True, False),
        (False, "down", None, False),
    ],
)
def test_a_judge_that_says_otherwise_than_a_user_is_disputed(
    world: World, acme: Machine, is_pass: bool, rating: str, correct: bool | None, is_disputed: bool
) -> None:
    run = new_id()
    acme.feedback(run, rating, **({} if correct is None else {"correct": correct}))
    judged(world.acme, run, is_pass=is_pass)
    tasks.fill_review_queue()
    tasks.fill_review_queue()
    reasons = [reason for item in items(world.acme) for reason in item.reasons]
    assert reasons.count("disagreement") == is_disputed


def test_a_reviewer_who_says_otherwise_than_a_judge_brings_the_run_back_once(world: World) -> None:
    row = fact(world.acme, failed_checks=["refusal"])
    judged(world.acme, row.run_id, is_pass=True)
    tasks.fill_review_queue()
    review(world.acme, items(world.acme)[0], "bad")
    tasks.fill_review_queue()
    assert found(world.acme) == [(["check"], "done"), (["disagreement"], "open")]
    review(world.acme, items(world.acme)[1], "bad")
    assert tasks.fill_review_queue() == 0


def test_a_backlog_is_read_to_its_end_though_many_rows_are_of_one_moment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.services.queue.filling.BATCH", 3)
    at = clock.now()
    for _ in range(10):
        fact(world.acme, failed_checks=["refusal"], computed_at=at)
    tasks.fill_review_queue()
    assert len(items(world.acme)) == 10


# -- what people say --------------------------------------------------------------------------------------------------


def test_a_verdict_and_labels_are_kept_with_who_said_them(world: World, client_for: Clients) -> None:
    version = rubric(world.acme)
    row = fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    [item] = items(world.acme)
    answer = client_for(world.ben).post(
        world.acme.url(f"quality/queue/{item.id}/verdict/"),
        {
            "verdict": "bad",
            "note": " Refuses what it may do. ",
            f"label.{version.hex}.goal": "fail",
            f"label.{version.hex}.tone": "4",
            f"label.{version.hex}.depth": "",
            "seen": "",
        },
    )
    assert answer.status_code == 302
    [item] = items(world.acme)
    assert (item.state, item.verdict, item.note) == ("done", "bad", "Refuses what it may do.")
    assert (item.reviewed_by, item.reviewed_user) == (world.ben.email, world.ben.user.pk)
    with tenant_scope(world.acme.id):
        labels = HumanLabel.objects.filter(tenant_id=world.acme.id).order_by("criterion")
        assert [(label.run_id, label.criterion, label.value, label.score) for label in labels] == [
            (row.run_id, "goal", "fail", 0.0),
            (row.run_id, "tone", "4", 0.75),
        ]
    entry = world.acme.entries()[-1]
    assert (entry.action, entry.actor_label, entry.run_id) == ("review.done", world.ben.email, row.run_id)


def test_of_two_people_the_slower_one_is_told_and_changes_nothing(world: World) -> None:
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    [item] = items(world.acme)
    review(world.acme, item, "good", user=1)
    with pytest.raises(AlreadyDone, match="Nothing of yours was saved"):
        review(world.acme, item, "bad", user=2)
    assert items(world.acme)[0].verdict == "good"


def test_what_was_reviewed_can_be_reviewed_anew_by_whoever_saw_it(world: World, client_for: Clients) -> None:
    version = rubric(world.acme)
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    client, name = client_for(world.ada), f"label.{version.hex}.goal"
    url = world.acme.url(f"quality/queue/{items(world.acme)[0].id}/verdict/")
    client.post(url, {"verdict": "bad", "seen": "", name: "fail"})
    seen = items(world.acme)[0].reviewed_at
    assert seen
    assert client.post(url, {"verdict": "good", "seen": "", name: "pass"}).status_code == 409
    assert client.post(url, {"verdict": "good", "seen": "nonsense", name: "pass"}).status_code == 409
    assert (
        client.post(url, {"verdict": "good", "seen": seen.isoformat(), name: "pass", "stay": "yes"}).status_code == 302
    )
    with tenant_scope(world.acme.id):
        assert [label.value for label in HumanLabel.objects.filter(tenant_id=world.acme.id)] == ["pass"]
    assert world.acme.actions()[-2:] == ["review.done", "review.changed"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "Choose a verdict first"),
        ({"verdict": "great"}, "Choose a verdict first"),
        ({"verdict": "bad", "note": "x" * 4001}, "at most 4000 characters"),
        ({"verdict": "bad", "LABEL.goal": "superb"}, "is one of pass, fail"),
        ({"verdict": "bad", "LABEL.nothing": "pass"}, "names a criterion of a rubric"),
        ({"verdict": "bad", "label.xyz.goal": "pass"}, "names a rubric that there is not"),
        ({"verdict": "bad", f"label.{uuid.UUID(int=3).hex}.goal": "pass"}, "names a criterion of a rubric"),
    ],
)
def test_a_form_that_is_wrong_says_so_and_writes_nothing(
    world: World, client_for: Clients, given: dict[str, str], words: str
) -> None:
    version = rubric(world.acme)
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    [item] = items(world.acme)
    form = {name.replace("LABEL", f"label.{version.hex}"): value for name, value in given.items()}
    answer = client_for(world.ada).post(world.acme.url(f"quality/queue/{item.id}/verdict/"), {**form, "seen": ""})
    assert answer.status_code in (400, 422)
    assert words in answer.content.decode()
    assert items(world.acme)[0].state == "open"
    with tenant_scope(world.acme.id):
        assert not HumanLabel.objects.filter(tenant_id=world.acme.id).exists()


def test_an_auditor_reads_the_item_and_cannot_say_anything(world: World, client_for: Clients) -> None:
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    url = world.acme.url(f"quality/queue/{items(world.acme)[0].id}/")
    client = client_for(world.audrey)
    page = client.get(url).content.decode()
    assert "Your role reads this" in page and "Save and next" not in page
    assert client.post(f"{url}verdict/", {"verdict": "good", "seen": ""}).status_code == 403


def test_saving_leads_to_the_next_of_the_same_filter_and_at_the_end_back_to_the_list(
    world: World, client_for: Clients
) -> None:
    for number in range(2):
        fact(world.acme, failed_checks=["refusal"], agent="desk", at=clock.now() - timedelta(minutes=number))
    fact(world.acme, is_aborted=True, agent="other")
    tasks.fill_review_queue()
    client = client_for(world.ada)
    page = client.get(world.acme.url("quality/queue/"), {"reason": "check"})
    lines = page.context["lines"]
    assert [line.item.reasons for line in lines] == [["check"], ["check"]]
    url = f"{world.acme.url(f'quality/queue/{lines[0].item.id}/verdict/')}?reason=check"
    answer = client.post(url, {"verdict": "good", "seen": ""})
    assert answer["Location"] == world.acme.url(f"quality/queue/{lines[1].item.id}/?reason=check")
    url = f"{world.acme.url(f'quality/queue/{lines[1].item.id}/verdict/')}?reason=check"
    assert client.post(url, {"verdict": "good", "seen": ""})["Location"] == world.acme.url(
        "quality/queue/?reason=check"
    )


def test_the_list_goes_on_by_a_cursor_and_shows_what_was_reviewed_apart(
    world: World, client_for: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.views.queue.PAGE", 2)
    for _ in range(3):
        fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    client = client_for(world.ada)
    first = client.get(world.acme.url("quality/queue/"))
    second = client.get(first.context["older_url"])
    shown = [line.item.id for line in (*first.context["lines"], *second.context["lines"])]
    assert sorted(shown) == sorted(item.id for item in items(world.acme)) and len(shown) == 3
    assert client.get(world.acme.url("quality/queue/?cursor=nonsense")).status_code == 400
    review(world.acme, items(world.acme)[0])
    done = client.get(world.acme.url("quality/queue/?state=done"))
    assert [line.item.id for line in done.context["lines"]] == [items(world.acme)[0].id]


def test_the_item_shows_the_run_what_people_said_and_what_judges_gave(
    world: World, acme: Machine, client_for: Clients
) -> None:
    run = new_id()
    acme.spans(
        run,
        {"tool": "find_flight", "arguments": {"to": "OSL"}, "status": "error", "error_type": "Timeout"},
        input="Fly me to <Oslo>",
        output="There is no such flight.",
    )
    acme.feedback(run, "down", comment="there is one", user="u-9")
    acme.outcome(run, "booking_cancelled")
    judged(world.acme, run, is_pass=True)
    tasks.fill_review_queue()
    page = client_for(world.ada).get(world.acme.url(f"quality/queue/{items(world.acme)[0].id}/")).content.decode()
    for words in (
        "Fly me to &lt;Oslo&gt;",
        "There is no such flight.",
        "find_flight",
        "Timeout",
        "there is one",
        "booking_cancelled",
        "Passed",
    ):
        assert words in page, words


def test_an_item_leads_to_its_agent_only_where_that_is_registered_and_open_to_the_reader(
    world: World, acme: Machine, client_for: Clients
) -> None:
    apply(world.acme, MANIFEST)
    registered, unknown = new_id(), new_id()
    for run, agent in ((registered, "refund-desk"), (unknown, "refund-desk-2")):
        acme.spans(run, agent=agent)
        acme.feedback(run, "down")
    tasks.fill_review_queue()
    pages = {item.run_id: f"quality/queue/{item.id}/" for item in items(world.acme)}
    agent_url = world.acme.url("agents/refund-desk/")
    ada = client_for(world.ada)
    page = ada.get(world.acme.url(pages[registered])).content.decode()
    assert f'href="{agent_url}"' in page and ada.get(agent_url).status_code == 200
    page = ada.get(world.acme.url(pages[unknown])).content.decode()
    assert "Make it an eval case" in page and "Its rules" not in page
    page = client_for(world.audrey).get(world.acme.url(pages[unknown])).content.decode()
    assert "What follows" not in page, "an empty panel says nothing"


def test_anothers_item_is_not_there(world: World, client_for: Clients) -> None:
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    [item] = items(world.acme)
    client = client_for(world.cleo)
    for rest in ("", "verdict/"):
        url = world.globex.url(f"quality/queue/{item.id}/{rest}")
        assert client.get(url).status_code == 404
        assert client.post(url, {"verdict": "good", "seen": ""}).status_code in (404, 405)
    with tenant_scope(world.globex.id), pytest.raises(Unknown):
        services.review(
            tenant=world.globex.id,
            item=item.id,
            verdict="good",
            labels={},
            seen=None,
            by=OPERATOR,
            user=1,
            at=clock.now(),
        )


def test_a_rubric_of_another_organisation_labels_nothing(world: World, client_for: Clients) -> None:
    theirs = rubric(world.globex)
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    url = world.acme.url(f"quality/queue/{items(world.acme)[0].id}/verdict/")
    answer = client_for(world.ada).post(url, {"verdict": "good", "seen": "", f"label.{theirs.hex}.goal": "pass"})
    assert answer.status_code == 422
    assert items(world.acme)[0].state == "open"


def test_staff_review_in_a_tenants_page_and_it_is_in_that_tenants_log(world: World, client_for: Clients) -> None:
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    [item] = items(world.acme)
    client = client_for(world.sam, fresh=True)
    everywhere = client.get("/staff/review/").content.decode()
    assert "Acme" in everywhere and f"/staff/t/acme/quality/queue/{item.id}/" in everywhere
    assert client.get(f"/staff/t/acme/quality/queue/{item.id}/").status_code == 200
    url = f"/staff/t/acme/quality/queue/{item.id}/verdict/"
    assert client.post(url, {"verdict": "unclear", "seen": ""}).status_code == 302
    assert items(world.acme)[0].reviewed_by == world.sam.email
    assert [entry.actor_type for entry in world.acme.entries() if entry.action == "review.done"] == ["staff"]


def test_a_person_puts_a_run_into_the_queue(world: World, acme: Machine, client_for: Clients) -> None:
    run = new_id()
    acme.spans(run, agent="desk")
    url = world.acme.url(f"quality/queue/runs/{run.hex}/")
    client = client_for(world.ben)
    assert client.get(url).status_code == 200
    assert client.post(url).status_code == client.post(url).status_code == 302
    [item] = items(world.acme)
    assert (item.reasons, item.agent) == (["asked"], "desk")
    assert client.get(world.acme.url(f"quality/queue/runs/{new_id().hex}/")).status_code == 404
    assert client.get(world.acme.url("quality/queue/runs/xyz/")).status_code == 404


def test_what_a_review_led_to_is_noted_once(world: World) -> None:
    fact(world.acme, failed_checks=["refusal"])
    tasks.fill_review_queue()
    [item] = items(world.acme)
    for _ in range(2):
        with tenant_scope(world.acme.id):
            services.note_led_to(
                tenant=world.acme.id,
                item=item.id,
                kind="case",
                target="c-1",
                label="refuses_refunds",
                by=OPERATOR,
                at=clock.now(),
            )
    assert items(world.acme)[0].led_to == [{"kind": "case", "id": "c-1", "label": "refuses_refunds"}]
    assert world.acme.actions().count("review.led_to") == 1


def test_the_share_is_set_on_its_page_within_bounds(world: World, client_for: Clients) -> None:
    client, url = client_for(world.ada), world.acme.url("quality/queue/sampling/")
    assert client.post(url, {"agent": "desk", "percent": "2.5"}).status_code == 302
    assert "desk" in client.get(url).content.decode()
    for wrong in ("101", "-1", "x", ""):
        assert client.post(url, {"agent": "desk", "percent": wrong}).status_code == 422
    assert client_for(world.audrey).get(url).status_code == 403
    assert world.acme.actions()[-1] == "review_sampling.set"


def test_feedback_of_a_run_is_left_as_it_was_said(world: World, acme: Machine) -> None:
    """Reviewing changes the item, and nothing of what people said."""
    run = new_id()
    acme.feedback(run, "down")
    tasks.fill_review_queue()
    review(world.acme, items(world.acme)[0], "good")
    with tenant_scope(world.acme.id):
        assert [row.is_up for row in Feedback.objects.filter(tenant_id=world.acme.id)] == [False]
