"""The pages about quality and drift: what they say is what the rows say, for those who may read it."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils.html import escape

from agentops.common import clock
from agentops.common.scope import staff_scope, tenant_scope
from evals.models import Judgement
from evals.queries import quality
from evals.queries.everywhere import lines
from evals.statistics.estimates import share
from tests.evals import drift_rows as made
from tests.evals.drift_rows import NOW, TODAY, day_of
from tests.world import World

Clients = Callable[..., Client]


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(clock, "now", lambda: NOW)
    yield


@pytest.fixture
def ben(world: World, client_for: Clients) -> Client:
    return client_for(world.ben)


def _stepped(world: World) -> uuid.UUID:
    """A version that is worse, and found; answers the finding."""
    score = made.like_a_judge(1)
    for back in range(14, 1, -1):
        made.judged(world.acme, made.facts(world.acme, day_of(back), 60), score)
    worse = made.facts(
        world.acme, day_of(1), 300, agent_version="2", prompt_hash="sha256:two", is_refused=lambda n: n < 18
    )
    made.judged(world.acme, worse, made.like_a_judge(2, 0.7))
    made.add_up(world.acme)
    made.watch(world.acme)
    return made.found(world.acme, metric="score")[0].id


def _text(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status, response.content[:500]
    return response.content.decode()


def test_an_empty_house_says_what_will_stand_there(world: World, ben: Client) -> None:
    assert "No runs in this time" in _text(ben, world.acme.url("quality/"))
    assert "Nothing drifts" in _text(ben, world.acme.url("quality/drift/"))
    assert "No runs in this time" in _text(ben, world.acme.url("quality/compare/"))


def test_the_overview_gives_each_agents_figures_with_their_intervals(world: World, ben: Client) -> None:
    runs = made.facts(world.acme, day_of(1), 200, is_refused=lambda n: n < 20)
    made.judged(world.acme, runs[:50], made.like_a_judge(1))
    made.voted(world.acme, runs[:40], iter([True] * 30 + [False] * 10).__next__)
    made.facts(world.acme, day_of(2), 7, agent="<b>bold</b> bot")
    with tenant_scope(world.acme.id):
        Judgement.objects.bulk_create(
            Judgement(
                tenant_id=world.acme.id, subject="run", subject_id=uuid.uuid4(), judge_id=made.JUDGE, agent="support-bot",
                day=day_of(1), state=state, sampled="sample", planned_at=NOW, next_at=NOW,
            )
            for state in ("planned", "running", "failed", "skipped")
        )  # fmt: skip
    made.add_up(world.acme)
    text = _text(ben, world.acme.url("quality/"))
    refusals = share(20, 200)
    feedback = share(30, 40)
    assert refusals and feedback
    for estimate in (refusals, feedback):
        assert f"{estimate.mean * 100:.1f} %" in text
        assert f"{estimate.low * 100:.1f} % to {estimate.high * 100:.1f} %" in text
    assert "2 wait, 1 failed, 1 skipped" in text
    assert escape("<b>bold</b> bot") in text and "<b>bold</b>" not in text
    figure = json.loads(re.findall(r'<script id="trend-score-figure" type="application/json">(.*?)</script>', text)[0])
    (line,) = figure["data"]
    assert line["x"] == [day_of(1).isoformat()] and line["error_y"]["array"][0] > 0 < line["error_y"]["arrayminus"][0]


def test_another_agent_is_chosen_by_its_name_and_an_unknown_one_shows_the_list_alone(world: World, ben: Client) -> None:
    made.facts(world.acme, day_of(1), 9)
    made.facts(world.acme, day_of(1), 3, agent="other bot", agent_version="v-other")
    made.add_up(world.acme)
    assert "v-other" in _text(ben, world.acme.url("quality/?agent=other+bot"))
    text = _text(ben, world.acme.url("quality/?agent=nobody&days=zz"))
    assert "By version" not in text and "other bot" in text


def test_two_versions_are_compared_metric_by_metric_with_effect_and_interval(world: World, ben: Client) -> None:
    _stepped(world)
    text = _text(ben, world.acme.url("quality/compare/?agent=support-bot&dimension=agent_version&a=1&b=2"))
    assert "Worse" in text and "small" in text and "&lt; 0.0001" in text
    assert "6.0 %" in text, "refusals of the new version"
    assert "needs 20 on each side" in text, "feedback: nobody gave any"


def test_the_days_around_a_date_are_compared(world: World, ben: Client) -> None:
    _stepped(world)
    text = _text(ben, world.acme.url(f"quality/compare/?agent=support-bot&date={day_of(1)}"))
    assert f"before {day_of(1)}" in text and "Worse" in text
    for wrong in ("yesterday", "0001-01-01", "2026-02-31"):
        assert "is a day such as" in _text(ben, world.acme.url(f"quality/compare/?agent=support-bot&date={wrong}"), 400)


def test_unknown_values_and_dimensions_fall_back_to_what_is_there(world: World, ben: Client) -> None:
    _stepped(world)
    text = _text(ben, world.acme.url("quality/compare/?agent=support-bot&dimension=tenant_id&a=nothing&b=9"))
    assert '<th scope="row">Judge score</th>' in text
    assert "Nothing to compare" in _text(ben, world.acme.url("quality/compare/?agent=nobody"))


def test_a_finding_is_listed_and_told_with_its_cause_its_runs_and_the_way_to_look_closer(
    world: World, ben: Client
) -> None:
    finding = _stepped(world)
    listed = _text(ben, world.acme.url("quality/drift/"))
    assert str(finding) in listed and "nobody looked yet" in listed and "Worse" in listed
    text = _text(ben, world.acme.url(f"quality/drift/{finding}/"))
    (row,) = made.found(world.acme, id=finding)
    assert escape(row.sentence) in text
    assert "sha256:one" in text and "sha256:two" in text
    assert all(run.hex in text or str(run) in text for run in row.worst_runs)
    assert "course-figure" in text and '"shapes"' in text
    assert "a=1&amp;b=2" in text


def test_a_finding_is_marked_as_seen_by_those_who_may_and_only_shown_to_others(
    world: World, client_for: Clients, ben: Client
) -> None:
    finding = _stepped(world)
    url = world.acme.url(f"quality/drift/{finding}/")
    audrey = client_for(world.audrey)
    shown = _text(audrey, url)
    assert "Mark as seen" not in shown and "Make a case" not in shown
    assert audrey.post(f"{url}seen/").status_code == 403
    assert made.found(world.acme, id=finding)[0].seen_at is None
    shown = _text(ben, url)
    assert "Mark as seen" in shown and "Make a case" in shown
    assert ben.post(f"{url}seen/").status_code == 302
    assert made.found(world.acme, id=finding)[0].seen_by == world.ben.email
    assert "Mark as seen" not in _text(ben, url) and world.acme.actions()[-1] == "drift.seen"


def test_a_strangers_finding_is_not_there(world: World, client_for: Clients) -> None:
    finding = _stepped(world)
    cleo = client_for(world.cleo)
    assert cleo.get(world.globex.url(f"quality/drift/{finding}/")).status_code == 404
    assert cleo.post(world.globex.url(f"quality/drift/{finding}/seen/")).status_code == 404
    assert cleo.get(world.acme.url(f"quality/drift/{finding}/")).status_code == 404


def test_findings_are_filtered_and_paged(world: World, ben: Client) -> None:
    with tenant_scope(world.acme.id):
        for number in range(60):
            made.DriftFinding.objects.create(
                tenant_id=world.acme.id, kind="shift", fingerprint=str(number), agent=f"bot-{number % 2}", dimension="all",
                metric="errors", sentence=f"Sentence {number:02}.", before={}, after={}, effect=0.5,
                found_at=NOW - timedelta(minutes=number), last_seen_at=NOW, ended_at=NOW if number >= 58 else None,
            )  # fmt: skip
    first = _text(ben, world.acme.url("quality/drift/"))
    assert "Sentence 00." in first and "Sentence 49." in first and "Sentence 50." not in first
    older = re.findall(r'rel="next"\s+href="([^"]+)"', first)[0].replace("&amp;", "&")
    second = _text(ben, older)
    assert "Sentence 50." in second and "Sentence 57." in second and "Sentence 58." not in second
    assert re.findall(r"Sentence (\d\d)\.", _text(ben, world.acme.url("quality/drift/?state=ended"))) == ["58", "59"]
    assert (
        "bot"
        not in _text(ben, world.acme.url("quality/drift/?agent=bot-7&kind=nonsense")).split("No finding is like that")[
            1
        ][:80]
    )
    assert "the list gave out" in _text(ben, world.acme.url("quality/drift/?cursor=zz"), 400).replace(
        "this list", "the list"
    )


def test_staff_see_all_organisations_and_open_one_with_an_entry_in_its_log(world: World, client_for: Clients) -> None:
    finding = _stepped(world)
    made.facts(world.globex, TODAY, 4, agent="globex-bot")
    made.add_up(world.globex)
    sam = client_for(world.sam)
    text = _text(sam, "/staff/quality/")
    assert "Acme" in text and "Globex" in text and "globex-bot" in text and str(finding) in text
    assert world.acme.actions() == []
    assert str(finding) in _text(sam, "/staff/t/acme/quality/drift/")
    assert "By version" in _text(sam, "/staff/t/acme/quality/")
    assert world.acme.actions() == ["staff.read", "staff.read"]


def test_the_sums_over_all_organisations_are_those_of_each(world: World) -> None:
    _stepped(world)
    made.facts(world.globex, TODAY, 4, agent="globex-bot")
    made.add_up(world.globex)
    with staff_scope():
        found = lines(since=day_of(28), until=TODAY + timedelta(days=1))
    assert [(line.tenant_id, line.agent, line.sums.runs, line.open_findings) for line in found] == [
        (world.acme.id, "support-bot", 1080, 2),
        (world.globex.id, "globex-bot", 4, 0),
    ]


def test_the_glance_puts_today_beside_the_same_weekday(world: World) -> None:
    made.judged(world.acme, made.facts(world.acme, TODAY, 40), lambda: 0.5)
    made.judged(world.acme, made.facts(world.acme, day_of(7), 40), lambda: 0.9)
    made.add_up(world.acme)
    with tenant_scope(world.acme.id):
        glance = quality.glance(tenant=world.acme.id, day=TODAY)
    assert glance.today and glance.today.mean == pytest.approx(0.5)
    assert glance.week_ago and glance.week_ago.mean == pytest.approx(0.9) and glance.open_findings == 0
