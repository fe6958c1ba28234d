"""Rounds of detectors over real rows: what is seen, once, of whom, and that nothing is missed."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connections

from agentops.catalog import queries as catalog
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.runtime import services as guard
from agentops.runtime.types import SwitchMode, SwitchScope
from agentops.traces.models import Run
from agentops.traces.models.run import RunStatus
from audit import services as audit
from evals.models import ReviewItem
from incidents.models import Alert, DetectorMark
from incidents.services import rules, watching
from incidents.types import AlertClass, AlertStatus
from tenants import machines
from tenants.house import HOUSE_ID, house_scope
from tests.budgets.test_minutes import MINUTE, NOON, quiet_hour, spent, watch
from tests.evals import drift_rows, rowsof
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.traces.pages import finish
from tests.world import Organisation, World


@pytest.fixture(autouse=True)
def _nothing_cached() -> None:
    machines.forget_cached_keys()
    catalog.forget()


def alerts(alert_class: AlertClass) -> list[Alert]:
    with house_scope():
        return list(Alert.objects.filter(tenant_id=HOUSE_ID, alert_class=alert_class).order_by("opened_at", "id"))


def failed_runs(organisation: Organisation, ages: list[float], *, status: RunStatus) -> None:
    """Finished runs, so many seconds ago."""
    now = clock.now()
    with tenant_scope(organisation.id):
        Run.objects.bulk_create(
            [
                Run(
                    tenant_id=organisation.id, run_id=uuid.uuid4(), day=(at := now - timedelta(seconds=age)).date(),
                    started_at=at, ended_at=at, received_at=at, finalised_at=at, status=status, agent="bot",
                )
                for age in ages
            ]
        )  # fmt: skip


@pytest.mark.usefixtures("own_broker")
def test_where_nothing_is_wrong_every_detector_is_quiet(world: World) -> None:
    """Except for logs that nobody seals, which are those of a world without workers."""
    at = clock.now()
    found = {each: watching.look(alert_class=each, at=at) for each in watching.DETECTORS}
    assert {each for each, looks in found.items() if looks} == {AlertClass.SEAL_LAG}
    assert {alert.about_tenant for alert in alerts(AlertClass.SEAL_LAG)} == {world.acme.id, world.globex.id}
    with house_scope():
        assert DetectorMark.objects.filter(tenant_id=HOUSE_ID).count() == len(watching.DETECTORS)
    # Sealed, and calm for two periods, they are over.
    for organisation in (world.acme, world.globex):
        audit.seal(tenant=organisation.id, at=clock.now())
    connections["owner"].close()
    for seconds in (30, 60):
        assert watching.look(alert_class=AlertClass.SEAL_LAG, at=at + timedelta(seconds=seconds)) == 0
    assert {alert.status for alert in alerts(AlertClass.SEAL_LAG)} == {AlertStatus.RESOLVED}


def test_a_run_that_the_guard_stops_is_an_alert_once(world: World) -> None:
    apply(world.acme, MANIFEST)
    acme = Caller(world.acme)
    runs = [acme.run(user=f"u-{number}") for number in range(2)]
    for number, run in enumerate(runs):
        while run.look_up()["decision"] != "abort":
            pass
        assert watching.look(alert_class=AlertClass.RUNAWAY, at=clock.now()) == 1
        (alert,) = alerts(AlertClass.RUNAWAY)
        assert (alert.repeats, alert.value, alert.severity) == (number + 1, number + 1, 2)
    assert [each["run"] for each in alert.sample_runs] == [str(run.uuid) for run in runs]
    assert (alert.agent, alert.agent_version, alert.tool) == ("refund-desk", "1", "look_up_order")
    assert "2 runs of refund-desk of Acme were stopped in ten minutes" in alert.summary
    # Read again by the next look, it is no news; a round that finds its mark moved leaves.
    assert watching.look(alert_class=AlertClass.RUNAWAY, at=clock.now()) == 0
    assert watching.look(alert_class=AlertClass.RUNAWAY, at=clock.now() - timedelta(minutes=1)) == 0

    # Nobody looked for two hours: what happened meanwhile is seen as well, once.
    stopped = acme.run(user="u-7")
    while stopped.look_up()["decision"] != "abort":
        pass
    late = clock.now() + timedelta(hours=2)
    assert watching.look(alert_class=AlertClass.RUNAWAY, at=late) == 1
    assert watching.look(alert_class=AlertClass.RUNAWAY, at=late + timedelta(seconds=2)) == 0
    assert str(stopped.uuid) in [each["run"] for each in alerts(AlertClass.RUNAWAY)[0].sample_runs]

    # A call that was let through long after a kill switch of its agent.
    acme.run(user="u-9").look_up()
    with tenant_scope(world.acme.id):
        guard.set_switch(
            tenant=world.acme.id, scope_kind=SwitchScope.AGENT, scope_id="refund-desk", mode=SwitchMode.STOP_NEXT_STEP,
            reason="a test", by=world.ada.actor, at=clock.now() - timedelta(seconds=30),
        )  # fmt: skip
    assert watching.look(alert_class=AlertClass.KILL_SWITCH_LAG, at=clock.now()) == 1
    assert watching.look(alert_class=AlertClass.KILL_SWITCH_LAG, at=clock.now()) == 0
    (step,) = alerts(AlertClass.KILL_SWITCH_LAG)
    assert (step.severity, step.agent, step.source["kind"]) == (1, "refund-desk", "kill_switch")
    assert 25 < step.value <= 31


def test_a_minute_that_costs_too_much_is_told_again_while_it_rises(world: World) -> None:
    acme = world.acme.id
    quiet_hour(acme)
    spent(acme, 8.0, at=NOON + timedelta(seconds=5))
    assert watch(acme, NOON + timedelta(seconds=10)) == ["bot"]
    assert watching.look(alert_class=AlertClass.COST_SPIKE, at=NOON + timedelta(seconds=12)) == 1
    assert watching.look(alert_class=AlertClass.COST_SPIKE, at=NOON + timedelta(seconds=17)) == 0
    (alert,) = alerts(AlertClass.COST_SPIKE)
    assert (alert.severity, alert.agent, alert.about_tenant, alert.state_number) == (2, "bot", acme, 1)
    assert (len(alert.sample_runs), alert.sample_runs[-1]["step"]) == (1, "0000000000000007")
    spent(acme, 9.5, at=NOON + MINUTE + timedelta(seconds=5))
    watch(acme, NOON + MINUTE + timedelta(seconds=10))
    assert watching.look(alert_class=AlertClass.COST_SPIKE, at=NOON + MINUTE + timedelta(seconds=12)) == 1
    (alert,) = alerts(AlertClass.COST_SPIKE)
    assert (alert.severity, alert.state_number, alert.peak) == (1, 2, pytest.approx(9.5))
    assert "It rises." in alert.summary


def test_missed_periods_are_caught_up_in_order_and_rules_count(world: World) -> None:
    acme, by, at = world.acme, world.sam.actor, clock.now()
    failed_runs(acme, [float(20 * age) for age in range(170)], status=RunStatus.OK)
    assert watching.look(alert_class=AlertClass.ERROR_RATE, at=at - timedelta(minutes=4)) == 0
    failed_runs(acme, [200.0 - age / 2 for age in range(200)], status=RunStatus.ERROR)
    # Nobody looked for four minutes: the periods come one after the other, and each is one look.
    looks = watching.look(alert_class=AlertClass.ERROR_RATE, at=at)
    (alert,) = alerts(AlertClass.ERROR_RATE)
    assert looks == alert.repeats >= 1
    assert (alert.agent, alert.severity, len(alert.sample_runs) >= 10) == ("bot", 2, True)
    with house_scope():
        for wrong in ({"burn": "x"}, {"burn": float("nan")}, {"least_runs": 7.5}, {"speed": 1}, {"burn": 1e9}):
            with pytest.raises(rules.InvalidInput):
                rules.set_rule(
                    tenant=HOUSE_ID, alert_class="error_rate", about_tenant=None, agent="", is_on=True, severity=None,
                    params=wrong, cooldown_seconds=None, by=by, at=at,
                )  # fmt: skip
        # For all it is SEV-1; for this agent it is off, so its alert ends by calm periods.
        for tenant, agent, is_on in ((None, "", True), (acme.id, "bot", False)):
            rules.set_rule(
                tenant=HOUSE_ID, alert_class="error_rate", about_tenant=tenant, agent=agent, is_on=is_on, severity=1,
                params={"burn": 2}, cooldown_seconds=0, by=by, at=at,
            )  # fmt: skip
    watching.look(alert_class=AlertClass.ERROR_RATE, at=at + timedelta(minutes=11))
    assert [each.status for each in alerts(AlertClass.ERROR_RATE)] == [AlertStatus.RESOLVED]


def test_tokens_far_above_the_p99_open_an_investigation(world: World) -> None:
    acme = world.acme
    drift_rows.facts(acme, clock.now().date() - timedelta(days=2), 200, agent="bot", tokens=lambda n: 9_000 + n)
    assert watching.compute_usual(at=clock.now()) == 1
    (run_id,) = rowsof.runs(acme, 1, kind="llm", model="gpt-4o-mini-2024-07-18", input_tokens=80_000, output_tokens=9)
    finish(acme)
    with tenant_scope(acme.id):
        Run.objects.filter(tenant_id=acme.id).update(finalised_at=clock.now(), received_at=clock.now())
    assert watching.look(alert_class=AlertClass.TOKEN_P99, at=clock.now()) == 1
    assert watching.look(alert_class=AlertClass.TOKEN_P99, at=clock.now()) == 0
    (alert,) = alerts(AlertClass.TOKEN_P99)
    assert (alert.severity, alert.sample_runs[0]["run"]) == (3, str(uuid.UUID(run_id)))
    assert [watching.open_investigations(at=clock.now()) for _ in range(2)] == [1, 0]
    with tenant_scope(acme.id):
        assert [item.reasons for item in ReviewItem.objects.filter(tenant_id=acme.id)] == [["asked"]]
