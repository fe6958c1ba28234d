"""The operations dashboard: measured once, read by everybody, beside the same hour last week."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import services as guard
from agentops.runtime.types import SwitchMode, SwitchScope
from incidents import snapshots
from incidents.models import ActionItem, Alert, CadenceReview, Incident
from incidents.policies.figures import Figure, figures
from incidents.queries.dashboard import HourFigures, Present
from incidents.queries.needs import Needs
from incidents.tasks.dashboard import take_snapshot
from incidents.types import ActionKind, AlertClass, Cadence, ScopeType
from tenants.house import house_scope
from tenants.models import Tenant
from tests.evals import rowsof
from tests.ingest import wire
from tests.traces.pages import HTMX, send
from tests.world import OPERATOR, World

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HOUR = HourFigures(
    runs=110, finished=100, errors=4, known=100, refused=3, aborted=2, spent_nano_usd=5 * 10**9, unpriced_calls=0,
    judged=40, score=0.91,
)  # fmt: skip
NOW = Present(
    confirmations=2, oldest_confirmation_at=AT - timedelta(minutes=3), spans_per_second=4.2, rejected=0, lag_ms=400.0,
    lag_ms_most=2_000.0, unsealed_since=AT - timedelta(seconds=8), switches_on=0, tools_waiting=1,
)  # fmt: skip
QUIET = Needs(alerts={}, taken=0, incidents={}, needs=[])


def shown(
    *, now: HourFigures = HOUR, week_ago: HourFigures = HOUR, present: Present = NOW, needs: Needs = QUIET
) -> dict[str, Figure]:
    return {each.key: each for each in figures(now=now, week_ago=week_ago, present=present, needs=needs, at=AT)}


def test_each_figure_says_how_it_stands_in_words() -> None:
    calm = shown()
    assert {each.tone for each in calm.values()} == {""}
    assert (calm["cost"].value, calm["cost"].before, calm["cost"].note) == ("$5.00", "$5.00", "as last week")
    assert (calm["errors"].value, calm["errors"].note) == ("4.0\xa0%", "4 of 100 runs")
    assert calm["alerts"].note == "all quiet"

    dear = shown(now=replace(HOUR, spent_nano_usd=20 * 10**9, unpriced_calls=7))["cost"]
    assert (dear.tone, dear.note) == ("bad", "4.0 times last week; 7 calls without a price")
    assert shown(week_ago=replace(HOUR, spent_nano_usd=10**7))["cost"].note == "far above last week"
    small = shown(now=replace(HOUR, spent_nano_usd=9 * 10**8), week_ago=replace(HOUR, spent_nano_usd=10**8))["cost"]
    assert small.tone == ""  # less than a dollar is no reason to raise the voice
    first = shown(week_ago=replace(HOUR, spent_nano_usd=0))["cost"]
    assert (first.tone, first.note) == ("", "nothing to compare with")

    assert shown(now=replace(HOUR, errors=7))["errors"].tone == "warn"
    assert shown(now=replace(HOUR, errors=15))["errors"].tone == "bad"
    assert shown(now=replace(HOUR, finished=10, errors=5))["errors"].tone == ""  # too few to say
    assert shown(now=replace(HOUR, score=0.7))["score"].tone == "bad"
    unknown = shown(now=replace(HOUR, finished=0, errors=0, known=0, refused=0, judged=0, score=None))
    assert {unknown[key].value for key in ("errors", "refusals", "score")} == {"–"}

    late = shown(present=replace(NOW, unsealed_since=AT - timedelta(minutes=6), lag_ms=61_000.0, switches_on=1))
    assert (late["sealing"].tone, late["ingest"].tone, late["switches"].tone) == ("bad", "warn", "bad")
    silent = shown(present=replace(NOW, lag_ms=None, oldest_confirmation_at=AT - timedelta(hours=2)))
    assert (silent["ingest"].value, silent["ingest"].tone, silent["confirmations"].tone) == ("–", "warn", "warn")

    paged = shown(needs=replace(QUIET, alerts={1: 1, 3: 4}, taken=2, incidents={1: 1}))
    assert paged["alerts"].note == "1 SEV-1, 4 SEV-3; 3 not acknowledged"
    assert (paged["alerts"].tone, paged["incidents"].tone) == ("bad", "bad")
    assert shown(needs=replace(QUIET, alerts={1: 1}, taken=1))["alerts"].tone == ""  # somebody has it


@pytest.mark.django_db(transaction=True)
def test_it_is_measured_once_and_read_by_everybody(world: World, client_for: Callable[..., Client]) -> None:
    sam, at = client_for(world.sam), clock.now()
    assert "No figures yet" in sam.get("/staff/").content.decode()

    week_ago = at - timedelta(days=7, minutes=20)
    rowsof.runs(world.acme, 3)
    rowsof.runs(world.globex, 1, status="error")
    rowsof.runs(world.acme, 2, started_at=week_ago.isoformat(), ended_at=week_ago.isoformat())
    call = wire.native(
        "call", kind="llm", model="gpt-4o-2024-08-06", provider="openai", input_tokens=400_000, output_tokens=10
    )
    send(world.globex, [call])
    Tenant.objects.filter(id=world.globex.id).update(is_drill=True)
    take_snapshot()
    taken = snapshots.latest()
    assert taken is not None
    assert (taken.now.runs, taken.now.errors, taken.now.spent_nano_usd, taken.week_ago.runs) == (3, 0, 0, 2)

    Tenant.objects.filter(id=world.globex.id).update(is_drill=False)
    with tenant_scope(world.acme.id):
        guard.set_switch(
            tenant=world.acme.id, scope_kind=SwitchScope.TENANT, scope_id="", mode=SwitchMode.STOP_NEXT_STEP, reason="trial",
            by=OPERATOR, at=at,
        )  # fmt: skip
    _needs(world, at)
    take_snapshot()
    soon = snapshots.latest()
    assert soon is not None and soon.now == taken.now  # hours are added up once a minute …
    assert soon.present.switches_on == 1 and soon.needs.alerts == {1: 1, 2: 1}  # … and the rest each time
    after = snapshots.take(at=clock.now() + timedelta(minutes=1))
    assert (after.now.runs, after.now.errors) == (5, 1) and after.now.spent_nano_usd > 10**9

    with CaptureQueriesContext(connection) as queries:
        answer = sam.get("/staff/")
    page = answer.content.decode()
    assert (
        "agents or users are stopped" in page and "1 SEV-1, 1 SEV-2; 1 not acknowledged" in page and "last week" in page
    )
    assert "A loop that nobody ends" in page and "In hand" in page and "INC-2026-0007" in page
    assert "Yours: overdue" in page and "Somebody else&#x27;s work" not in page and "One more waits" in page
    assert "The daily review is not signed" not in page
    read = [each["sql"] for each in queries.captured_queries if "django_cache" in each["sql"]]
    assert len(read) == 1 and len(queries) <= 8, queries.captured_queries

    part = sam.get("/staff/", headers=HTMX).content.decode()
    assert part.lstrip().startswith('<div id="dashboard"') and "<html" not in part
    wall = sam.get("/staff/?wall=1").content.decode()
    assert "<aside" not in wall and "/staff/?wall=1" in wall and "A loop that nobody ends" in wall
    assert "<aside" in sam.get("/staff/?wall=9").content.decode()

    kept = cache.get(snapshots._KEY)
    cache.set(snapshots._KEY, kept | {"at": clock.now() - timedelta(minutes=5)})
    assert "These figures stand still" in sam.get("/staff/").content.decode()
    cache.set(snapshots._KEY, {"form": 0})  # of another release
    assert "No figures yet" in sam.get("/staff/").content.decode()
    assert client_for(world.ada).get("/staff/").status_code == 404


def _needs(world: World, at: datetime) -> None:
    with house_scope() as house:
        for number, (summary, taken) in enumerate([("A loop that nobody ends", ""), ("An expensive minute", "sam")]):
            Alert.objects.create(
                tenant_id=house,
                fingerprint=f"{number:064d}",
                alert_class=AlertClass.RUNAWAY,
                scope_type=ScopeType.AGENT,
                scope_id="bot",
                severity=1 + number,
                status="acknowledged" if taken else "open",
                acknowledged_by=taken,
                acknowledged_at=at if taken else None,
                summary=summary,
                first_seen_at=at,
                opened_at=at,
                last_seen_at=at,
            )
        incident = Incident.objects.create(
            tenant_id=house, year=2026, number=7, title="Wrong letters", severity=2, declared_at=at, declared_by="sam"
        )
        for title, owner in (("Check the recipients", world.sam), ("Somebody else's work", world.stella)):
            ActionItem.objects.create(
                tenant_id=house,
                incident=incident,
                title=title,
                kind=ActionKind.PREVENT,
                owner=owner.user,
                due_on=at.date() - timedelta(days=2),
                made_at=at,
                made_by="sam",
            )
        CadenceReview.objects.create(
            tenant_id=house,
            cadence=Cadence.DAILY,
            period_start=at.date(),
            period_end=at.date(),
            opened_at=at,
            opened_by="sam",
            signed_at=at,
            signed_by="sam",
        )
