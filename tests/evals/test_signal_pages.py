"""The page Feedback: shares with their intervals, precision of signals, cost per successful outcome; and the widget's page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from evals.models import CohortDay, Signal
from evals.queries import signals as queries
from tests.evals.telling import Machine, fact, feedback
from tests.world import Organisation, World

Clients = Callable[..., Client]
USD = 1_000_000_000


@pytest.fixture
def acme(world: World) -> Machine:
    return Machine(world.acme)


def signal(organisation: Organisation, kind: str, run_id: object) -> None:
    at = clock.now()
    with tenant_scope(organisation.id):
        Signal.objects.create(tenant_id=organisation.id, run_id=run_id, kind=kind, agent="desk", at=at, found_at=at)


def spent(organisation: Organisation, agent: str, *, runs: int, cost_usd: int) -> None:
    """What the sweep of days would have written of all of an agent's runs of today."""
    at = clock.now()
    zeros = dict.fromkeys(
        ("errors", "refusals", "tokens_sum", "judged", "ups", "downs", "weight", "weight_squares", "score_sum",
         "score_squares", "tokens_logs", "tokens_log_squares", "cost_logs", "cost_log_squares"), 0,
    )  # fmt: skip
    with tenant_scope(organisation.id):
        CohortDay.objects.create(
            tenant_id=organisation.id,
            agent=agent,
            dimension="all",
            value="",
            day=at.date(),
            runs=runs,
            cost_nano_usd=cost_usd * USD,
            computed_at=at,
            **zeros,
        )


def test_precision_is_the_share_of_bad_words_among_runs_with_the_signal_that_have_words(
    world: World, acme: Machine
) -> None:
    runs = [new_id() for _ in range(6)]
    for run in runs[:5]:
        signal(world.acme, "correction", run)
    for run in runs[:3]:
        acme.feedback(run, "down", user="u-1")
    acme.feedback(runs[0], "up", user="u-2")  # of two people one found it bad
    acme.feedback(runs[3], "up")
    acme.feedback(runs[5], "down")  # without the signal: says nothing about it
    with tenant_scope(world.acme.id):
        found = {
            each.kind: each for each in queries.precisions(tenant=world.acme.id, since=clock.now() - timedelta(days=30))
        }
    correction = found["correction"]
    assert (correction.signals, correction.said, correction.bad) == (5, 4, 3)
    assert correction.share and (round(correction.share.low, 3), round(correction.share.high, 3)) == (0.301, 0.954)
    assert (found["abandoned"].signals, found["abandoned"].share) == (0, None)


def test_cost_per_success_is_all_of_the_week_over_the_calls_whose_last_word_is_a_success(
    world: World, acme: Machine
) -> None:
    kept, returned, failed = (fact(world.acme, at=clock.now()).run_id for _ in range(3))
    spent(world.acme, "desk", runs=40, cost_usd=12)
    at = clock.now() - timedelta(minutes=3)
    acme.outcome(kept, "parcel.delivered", idempotency_key="k-1", at=at)
    acme.outcome(kept, "parcel.weighed", idempotency_key="k-1", at=at, value=3)
    acme.outcome(kept, "email.replied", tool_call_id="t-1", at=at)
    acme.outcome(returned, "parcel.delivered", idempotency_key="k-2", at=at)
    acme.outcome(returned, "parcel.returned", idempotency_key="k-2", at=at + timedelta(minutes=1))
    acme.outcome(failed, "email.bounced", at=at)
    with tenant_scope(world.acme.id):
        [week] = queries.outcomes_by_agent_week(tenant=world.acme.id, since=clock.now() - timedelta(days=14))
    assert (week.agent, week.runs, week.told_runs, week.actions, week.successes) == ("desk", 40, 3, 4, 2)
    assert week.cost_per_success == 6 * USD
    with tenant_scope(world.globex.id):
        assert queries.outcomes_by_agent_week(tenant=world.globex.id, since=clock.now() - timedelta(days=14)) == []


def test_without_a_success_or_without_the_weeks_cost_there_is_no_figure(world: World, acme: Machine) -> None:
    acme.outcome(fact(world.acme, agent="a").run_id, "email.bounced")
    acme.outcome(fact(world.acme, agent="b").run_id, "email.replied")
    spent(world.acme, "a", runs=1, cost_usd=1)
    with tenant_scope(world.acme.id):
        weeks = queries.outcomes_by_agent_week(tenant=world.acme.id, since=clock.now() - timedelta(days=14))
    assert [(week.agent, week.cost_per_success) for week in weeks] == [("a", None), ("b", None)]


def test_the_page_shows_words_shares_signals_and_outcomes(world: World, acme: Machine, client_for: Clients) -> None:
    row = fact(world.acme)
    acme.feedback(row.run_id, "down", comment="<b>wrong</b> city", user="u-1", correct=False)
    acme.feedback(new_id(), "up", user="u-2")
    acme.outcome(row.run_id, "email.replied")
    signal(world.acme, "correction", row.run_id)
    for client, url in (
        (client_for(world.audrey), world.acme.url("quality/feedback/")),
        (client_for(world.sam, fresh=True), "/staff/t/acme/quality/feedback/"),
    ):
        answer = client.get(url)
        page = answer.content.decode()
        assert answer.status_code == 200
        assert "&lt;b&gt;wrong&lt;/b&gt; city" in page and "<b>wrong" not in page
        for words in (
            "50\N{NO-BREAK SPACE}% (9 to 91 %)",
            "Corrected at once",
            "100\N{NO-BREAK SPACE}% (21 to 100 %)",
            "desk",
        ):
            assert words in page, words


def test_an_empty_page_says_what_fills_it(world: World, client_for: Clients) -> None:
    page = client_for(world.ada).get(world.acme.url("quality/feedback/")).content.decode()
    assert "Nobody said anything yet" in page and "/api/v1/feedback" in page
    assert page.count("Thumbs for your product") == 2, "in the header, and as the next step"
    assert "No outcomes yet" in page and "/api/v1/outcomes" in page


def test_the_list_of_words_goes_on_by_a_cursor(
    world: World, acme: Machine, client_for: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evals.views.signals.SAID", 2)
    for number in range(3):
        acme.feedback(new_id(), comment=f"word {number}")
    client = client_for(world.ada)
    first = client.get(world.acme.url("quality/feedback/"))
    second = client.get(first.context["older_url"], headers={"hx-request": "true"})
    assert [line.row.comment for line in first.context["said"]] == ["word 2", "word 1"]
    assert [line.row.comment for line in second.context["said"]] == ["word 0"]
    assert "<html" not in second.content.decode()


def test_whoever_may_label_tries_the_widget_on_the_newest_run_and_others_do_not(
    world: World, acme: Machine, client_for: Clients
) -> None:
    url = world.acme.url("quality/feedback/widget/")
    assert "data-token=" not in client_for(world.ada).get(url).content.decode().replace("data-token=&quot;…", "")
    row = fact(world.acme)
    page = client_for(world.ada).get(url).content.decode()
    token = re.search(r'<script src="[^"]*feedback[^"]*" data-token="([^"]+)"', page)
    assert token
    assert acme.by_widget(token[1], "up").status_code == 201
    [said] = feedback(world.acme)
    assert (said.run_id, said.user_id) == (row.run_id, f"portal:{world.ada.user.pk}")
    for client, address in (
        (client_for(world.audrey), url),
        (client_for(world.sam, fresh=True), "/staff/t/acme/quality/feedback/widget/"),
    ):
        assert 'data-into="#try"' not in client.get(address).content.decode()
