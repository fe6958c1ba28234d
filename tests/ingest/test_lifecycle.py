"""From the first span to the last trace of it: finishing, late spans, retention, partitions, end users."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections, transaction

import agentops.celery  # noqa: F401  tasks are called as a worker has them
from agentops.common import clock
from agentops.common.partitions import Partitioned, drop_before, existing, make_ahead
from agentops.portal.partitions import PARTITIONED
from agentops.portal.tasks import keep_partitions
from agentops.traces import tasks
from agentops.traces.partitions import SPAN_PARTITIONS
from tests.ingest import rows
from tests.ingest.organisations import Travel, change
from tests.ingest.test_ledger_check import check
from tests.ingest.wire import DAY, SECOND, Sender, native, new_span, new_trace, span
from tests.world import World

CALL = {"kind": "llm", "model": "gpt-4o-2024-08-06", "provider": "openai", "input_tokens": 100, "output_tokens": 10}


# -- finishing --------------------------------------------------------------------------------------------------------


def test_a_run_is_finished_when_its_root_has_come(acme: Sender) -> None:
    trace, root = new_trace(), new_span()
    acme.native(native("child", trace_id=trace, parent_span_id=root))
    assert acme.run(trace)["status"] == "running" and acme.runs(status="running") == [trace]
    acme.native(native("root", trace_id=trace, span_id=root))
    assert acme.run(trace)["status"] == "ok"
    assert acme.runs(status="running") == [] and acme.runs(status="ok") == [trace]


def test_a_run_without_a_root_is_finished_after_silence_and_no_sooner(
    acme: Sender, world: World, travel: Travel
) -> None:
    change(world.acme, world, idle_minutes=5)
    good, bad = new_trace(), new_trace()
    acme.native(native(trace_id=good, parent_span_id=new_span()))
    acme.native(native(trace_id=bad, parent_span_id=new_span(), status="error"))
    travel(minutes=4)
    assert tasks.finalise_idle_runs() == 0
    assert acme.runs(status="running")
    travel(minutes=6)
    assert tasks.finalise_idle_runs() == 2
    assert tasks.finalise_idle_runs() == 0
    assert (acme.run(good)["status"], acme.run(bad)["status"]) == ("ok", "error")
    assert acme.runs(status="error") == [bad] and acme.runs(status="running") == []
    assert check()["equal"]


def test_a_new_span_keeps_a_run_from_being_finished(acme: Sender, world: World, travel: Travel) -> None:
    change(world.acme, world, idle_minutes=10)
    trace = new_trace()
    acme.native(native(trace_id=trace, parent_span_id=new_span()))
    travel(minutes=9)
    acme.native(native(trace_id=trace, parent_span_id=new_span()))
    travel(minutes=15)
    assert tasks.finalise_idle_runs() == 0
    travel(minutes=20)
    assert tasks.finalise_idle_runs() == 1


def test_spans_that_come_after_the_end_still_count(acme: Sender, world: World, travel: Travel) -> None:
    trace, root = new_trace(), new_span()
    acme.native(native("root", trace_id=trace, span_id=root, kind="run", agent="bot"))
    first = rows.run(world.acme.id, trace)["finalised_at"]
    travel(hours=2)
    acme.native(native(trace_id=trace, parent_span_id=root, status="error", error_type="late", **CALL))
    run = acme.run(trace)
    assert (run["status"], run["llm_calls"], run["error_types"], run["agent"]) == ("error", 1, ["late"], "bot")
    assert acme.runs(status="error") == [trace] and acme.runs(status="ok") == []
    assert rows.run(world.acme.id, trace)["finalised_at"] == first
    assert check()["equal"]


def test_a_root_that_comes_after_silence_takes_over(acme: Sender, travel: Travel) -> None:
    trace, root, now = new_trace(), new_span(), time.time_ns() // 1000 * 1000
    acme.native(
        native("child", trace_id=trace, parent_span_id=root, at=now - 30 * SECOND, status="error", agent="helper")
    )
    travel(hours=1)
    tasks.finalise_idle_runs()
    assert acme.runs(status="error") == [trace]
    acme.native(
        native("root", trace_id=trace, span_id=root, at=now - 60 * SECOND, status="ok", agent="bot", kind="run")
    )
    run = acme.run(trace)
    assert (run["status"], run["agent"], run["duration_ms"]) == ("ok", "bot", 31_000.0)
    assert acme.runs(status="ok") == [trace] == acme.runs(agent="bot")
    assert acme.runs(status="error") == [] == acme.runs(agent="helper")


# -- retention --------------------------------------------------------------------------------------------------------

OF_RUNS = ("traces_run", "traces_span", "traces_runfacet", "traces_spanevent")


def count(tenant: uuid.UUID, table: str) -> int:
    return int(rows.one(tenant, f"SELECT count(*) AS n FROM {table}")["n"])


def test_retention_takes_everything_of_a_run_but_what_it_cost(
    acme: Sender, globex: Sender, world: World, travel: Travel
) -> None:
    change(world.acme, world, retention_days=10)
    now = time.time_ns() // 1000 * 1000
    old, young, theirs = new_trace(), new_trace(), new_trace()
    acme.native(native(trace_id=old, at=now - 9 * DAY, agent="bot", user_id="u", **CALL), native("no id", span_id="1"))
    acme.native(native(trace_id=young, at=now - 2 * DAY, agent="bot", **CALL))
    globex.native(native(trace_id=theirs, at=now - 9 * DAY, agent="bot", **CALL))
    evaluation = {"gen_ai.evaluation.name": "polite", "gen_ai.evaluation.score.value": 0.5}
    for trace in (old, new_trace()):  # the second belongs to a run that never comes
        event = {"event_name": "gen_ai.evaluation.result", "time": now - 9 * DAY, "attributes": evaluation}
        assert acme.logs({**event, "trace_id": trace}).is_full_success
    before = [rows.ledger(world.acme.id, trace) for trace in (old, young)]
    assert tasks.apply_retention() == 0
    travel(days=3)
    assert tasks.apply_retention() == 1
    assert tasks.apply_retention() == 0
    assert not acme.has_run(old) and acme.has_run(young) and globex.has_run(theirs)
    assert {table: count(world.acme.id, table) for table in OF_RUNS} == {
        "traces_run": 1, "traces_span": 1, "traces_runfacet": 3, "traces_spanevent": 0,
    }  # fmt: skip
    assert [rows.ledger(world.acme.id, trace) for trace in (old, young)] == before
    assert before[0]["calls"] == 1 and before[0]["amount_nano_usd"] > 0
    assert "retention.applied" in world.acme.actions() and "retention.applied" not in world.globex.actions()
    assert check()["equal"]


def test_retention_takes_refused_spans_minutes_of_ingest_and_names_long_unseen(
    acme: Sender, world: World, travel: Travel
) -> None:
    change(world.acme, world, retention_days=10)
    acme.spans(span(attributes={"gen_ai.operation.name": "chat", "gen_ai.made_up": 1}))
    acme.native(native(span_id="1"))
    tables = ("traces_deadletter", "traces_ingestminute", "traces_unmappedkey")
    travel(days=9)
    tasks.apply_retention()
    assert [count(world.acme.id, table) for table in tables] == [1, 1, 1]
    travel(days=12)
    tasks.apply_retention()
    assert [count(world.acme.id, table) for table in tables] == [0, 0, 0]


@pytest.mark.parametrize(("organisation", "days"), [("acme", 90), ("globex", 14)])
def test_a_span_older_than_the_plan_keeps_is_refused(
    request: pytest.FixtureRequest, world: World, organisation: str, days: int
) -> None:
    sender: Sender = request.getfixturevalue(organisation)
    midnight = time.time_ns() // DAY * DAY
    oldest, older = span(start=midnight - days * DAY), span(start=midnight - days * DAY - SECOND)
    assert sender.spans(oldest).is_full_success
    assert sender.spans(older).rejected == 1
    answer = sender.native(native(at=midnight - days * DAY), native(at=midnight - days * DAY - SECOND))
    assert [item["code"] for item in answer["rejected"]] == ["time_out_of_range"]
    event = {"event_name": "gen_ai.choice", "trace_id": new_trace(), "body": {"content": "x"}}
    assert sender.logs({**event, "time": midnight - days * DAY}).is_full_success
    assert sender.logs({**event, "time": midnight - days * DAY - SECOND}).rejected == 1


def test_a_shorter_retention_holds_for_new_spans_too(acme: Sender, world: World) -> None:
    item = span(start=time.time_ns() - 5 * DAY)
    change(world.acme, world, retention_days=3)
    assert acme.spans(item).rejected == 1
    change(world.acme, world, retention_days=7)
    assert acme.spans(item).is_full_success


# -- partitions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def owner(world: World) -> Iterator[Any]:
    """A cursor of the owner, in a transaction that is rolled back."""
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        yield cursor
        transaction.set_rollback(True, using="owner")


def test_partitions_are_made_for_the_past_and_the_coming_days(owner: Any) -> None:
    today = clock.now().date()
    for parent in PARTITIONED:
        assert {parent.name(day) for day in parent.wanted(today)} <= existing(owner, parent.table)
    assert SPAN_PARTITIONS.wanted(today)[0] == today - dt.timedelta(days=90)
    assert SPAN_PARTITIONS.wanted(today)[-1] == today + dt.timedelta(days=7)


@pytest.mark.parametrize("parent", PARTITIONED, ids=lambda parent: parent.table)
def test_partitions_are_made_ahead_once(owner: Any, parent: Partitioned) -> None:
    later = clock.now().date() + dt.timedelta(days=40)
    made = make_ahead(owner, parent, today=later)
    assert made and make_ahead(owner, parent, today=later) == []
    assert set(made) <= existing(owner, parent.table)
    owner.execute("SELECT has_table_privilege('agentops_app', %s, 'SELECT')", [made[-1]])
    assert owner.fetchone() == (False,), "a partition is read through its parent, where row-level security holds"


@pytest.mark.parametrize(
    ("parent", "before", "gone"),
    [
        (Partitioned("few", "day", 2, 3), dt.date(2026, 3, 1), ["20260227", "20260228"]),
        (Partitioned("few", "day", 2, 3), dt.date(2026, 2, 27), []),
        (Partitioned("few", "month", 1, 2), dt.date(2026, 3, 31), ["202601", "202602"]),
        (Partitioned("few", "month", 1, 2), dt.date(2026, 4, 1), ["202601", "202602", "202603"]),
    ],
)
def test_only_partitions_that_end_before_a_day_are_dropped(
    owner: Any, parent: Partitioned, before: dt.date, gone: list[str]
) -> None:
    owner.execute("CREATE TABLE few (day date PRIMARY KEY) PARTITION BY RANGE (day)")
    make_ahead(owner, parent, today=dt.date(2026, 3, 2))
    days = dt.timedelta(days=1) if parent.every == "day" else dt.timedelta(days=30)
    owner.execute(
        "INSERT INTO few SELECT %s + n * %s::interval FROM generate_series(-1, 1) AS n", [dt.date(2026, 3, 2), days]
    )
    assert drop_before(owner, parent, day=before) == [f"few_{stamp}" for stamp in gone]
    assert drop_before(owner, parent, day=before) == []


def test_the_job_drops_what_no_plan_keeps_and_nothing_else(acme: Sender, world: World) -> None:
    with connections["owner"].cursor() as cursor:
        for day in (dt.date(2025, 1, 1), dt.date(2025, 1, 2)):
            make_ahead(cursor, Partitioned("traces_span", "day", 0, 0), today=day)
        before = existing(cursor, "traces_span")
        acme.native(native("kept", trace_id="ab" * 16))
        found = keep_partitions()
        assert found == {"made": [], "dropped": ["traces_span_20250101", "traces_span_20250102"]}
        assert before - existing(cursor, "traces_span") == set(found["dropped"])
    assert acme.names_of("ab" * 16) == ["kept"]


def test_a_missing_partition_is_not_the_senders_fault(acme: Sender, world: World) -> None:
    """Their data must not be thrown away: 503 is sent again, 500 is not."""
    tomorrow = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    name, at = SPAN_PARTITIONS.name(tomorrow), time.time_ns() // DAY * DAY + DAY + SECOND
    item = span(start=at, end=at)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"ALTER TABLE traces_span DETACH PARTITION {name}")
        try:
            answer = acme.spans(item)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
        finally:
            cursor.execute(
                f"ALTER TABLE traces_span ATTACH PARTITION {name} FOR VALUES FROM ('{tomorrow}') "
                f"TO ('{tomorrow + dt.timedelta(days=1)}')"
            )
    assert acme.spans(item).is_full_success


# -- end users --------------------------------------------------------------------------------------------------------


def test_the_end_users_of_runs_are_registered_once(acme: Sender, globex: Sender, world: World) -> None:
    acme.native(native(user_id="ann"), native(user_id="ann"), native(user_id="bob"), native())
    globex.native(native(user_id="carl"))
    assert tasks.register_end_users() == 3
    assert tasks.register_end_users() == 0
    acme.native(native(user_id="x" * 512), native(user_id="ann"))
    assert tasks.register_end_users() == 1
    names = [
        row["external_id"] for row in rows.select(world.acme.id, "SELECT external_id FROM tenants_enduser ORDER BY 1")
    ]
    assert names == ["ann", "bob", "x" * 200]
