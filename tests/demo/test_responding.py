"""Our own people in the demo: each failure mode of the brief leaves an alert, an incident or a finished postmortem."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from agentops.common import clock
from agentops.portal.demo import history, keyfile
from agentops.portal.demo.responding import duty, incidents, weeks
from agentops.portal.demo.responding.cases import CASES
from evals.statistics import slide
from incidents.detecting.seen import Seen
from incidents.models import ActionItem, Cause, Incident, Postmortem, TimelineEntry
from incidents.queries import oncall, rules, targets
from incidents.services import alerts
from incidents.tasks import evidence
from incidents.types import AlertClass, ScopeType, Severity
from tenants import queries as tenants
from tenants.house import house_scope
from tests.ingest import wire


@pytest.fixture
def demo(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTOPS_DATA_DIR", str(tmp_path))
    with pytest.raises(CommandError, match="there is no demo"):
        call_command("demo_responders", once=True)
    call_command("demo_world", stdout=io.StringIO())


def play() -> None:
    """One run of each failure, as its agent would tell it."""
    kept = keyfile.read()
    assert kept is not None
    for case in CASES:
        wanted = dict(case.look_for)
        run = wire.native("run", kind="run", agent=case.agent, input="Do it.", output="Done.", status="ok")
        if "error_type" in wanted:
            run |= {"status": "error", "error_type": wanted["error_type"]}
        shared = {"trace_id": run["trace_id"], "parent_span_id": run["span_id"], "agent": case.agent, "status": "ok"}
        spans = [run, wire.native("execute_tool", kind="tool", tool=wanted.get("tool", "look_up"), **shared)]
        model = {"model": "gpt-4o-2024-08-06", "provider": "openai", "input_tokens": 1_000_000, "output_tokens": 10}
        spans.append(wire.native("chat", kind="llm", **model, **shared))
        answer = Client().post(
            "/api/v1/traces",
            json.dumps({"spans": spans}),
            content_type="application/json",
            headers={"authorization": f"Bearer {kept.keys[case.tenant]['ingest']}"},
        )
        assert answer.json()["accepted"] == 3, answer.content


def alert(alert_class: AlertClass, agent: str) -> None:
    tenant, at = tenants.tenant_called("northwind").id, clock.now()
    seen = Seen(
        alert_class=alert_class, scope_type=ScopeType.AGENT, scope_id=agent, about_tenant=tenant, agent=agent,
        severity=Severity.SEV3, summary="Something is wrong", value=2, threshold=1, since=at,
    )  # fmt: skip
    with house_scope() as house:
        alerts.raise_alert(tenant=house, seen=seen, at=at)


def test_each_failure_mode_leaves_something_to_look_at(demo: None) -> None:
    said: list[str] = []
    at = clock.now()

    def step(*, waited: timedelta = timedelta()) -> set[str]:
        return set(incidents.step(since=at - waited, at=clock.now(), say=said.append))

    for _ in range(2):  # started again, nobody is on call twice
        duty.begin(at=at)
    with house_scope():
        assert [user.email for user in oncall.on_call_now(at=at)] == ["on-call@agentops.example"]
        assert [target.name for target in targets.targets()] == [duty.MAILBOX]
        [rule] = rules.rules(alert_class=AlertClass.COST_SPIKE)
        assert rule.params == {"least_usd": 1}
    assert {tenant.success_manager.email for tenant in tenants.all_tenants() if tenant.success_manager} == {
        "success-manager@agentops.example"
    }
    assert [case.number for case in CASES] == list(range(1, 9))
    assert step() == set() and said == []  # nothing happened yet
    assert not weeks.add_up(at=at, say=said.append)  # nor was anything told of the weeks before
    play()
    alert(AlertClass.RUNAWAY, "order-desk")
    alert(AlertClass.DRIFT, "parcel-tracker")
    assert step() == {"runaway_loop", "drift_after_upgrade"}
    assert {line.split(":")[0] for line in said} == {
        "hallucinated_arguments", "privilege_escalation", "brand_damage", "external_side_effects",
    }  # fmt: skip
    said.clear()
    step(waited=incidents.PATIENCE)  # no detector came: people say so themselves
    assert [line.split(":")[0] for line in said if line.endswith("declared")] == ["cost_blowout", "slow_degradation"]
    assert any("snapshot is not complete" in line for line in said)  # the gates hold for the demo, too

    assert evidence.take_due() == 6
    settled = step(waited=incidents.PATIENCE)
    assert settled == {case.name for case in CASES}, said
    with house_scope():
        rows: dict[str, Any] = {each.title: each for each in Incident.objects.all()}
        by_name = {case.name: rows[case.title] for case in CASES if case.title in rows}
        assert {name: each.status for name, each in by_name.items()} == {
            "hallucinated_arguments": "identified",
            "cost_blowout": "contained",
            "privilege_escalation": "active",  # ongoing, and nobody has pressed the kill switch: a SEV-1 to look at
            "slow_degradation": "contained",
            "brand_damage": "identified",
            "external_side_effects": "identified",
        }
        assert by_name["privilege_escalation"].severity == 1 and by_name["privilege_escalation"].commander is not None
        assert all(each.acknowledged_at and each.runs and not each.is_drill for each in by_name.values())
        assert {each.incident.title for each in Postmortem.objects.filter(state="published")} == {
            by_name["hallucinated_arguments"].title,
            by_name["brand_damage"].title,
        }
        assert all(each.owner and each.due_on for each in ActionItem.objects.all())
        assert Cause.objects.filter(is_root=True).count() == 3
        before = TimelineEntry.objects.count(), ActionItem.objects.count()
    said.clear()
    assert step(waited=incidents.PATIENCE) == settled and said == []
    with house_scope():  # started again, it changes nothing
        assert (TimelineEntry.objects.count(), ActionItem.objects.count()) == before


def test_what_the_users_of_care_line_say_shows_its_slide() -> None:
    """The twelve weeks that the demo tells: whatever the day on which it is started, the slide is beyond chance."""
    now = clock.now()
    said: dict[int, list[float]] = {}
    for run in history.told(now):
        root = run.spans[0]
        if root["agent"] == history.CARE_LINE and run.feedback is not None:
            back = (now.date() - datetime.fromisoformat(root["started_at"]).date()).days
            said.setdefault(back, []).append(float(run.feedback["rating"] == "up"))
    assert sum(map(len, said.values())) == history.RUNS
    days = [said.get(back, []) for back in range(slide.KEPT * slide.DAYS, 0, -1)]
    sums = np.array([[(len(day), len(day), len(day), sum(day), sum(day)) for day in days]], dtype=np.float64)
    weeks_of_it = slide.blocks_of(slide.Blocks(*(sums[:, :, place] for place in range(5))), end=len(days))
    assert slide.find(weeks_of_it).is_found.all()
