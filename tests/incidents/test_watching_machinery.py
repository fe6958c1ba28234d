"""The product's own machinery, broken as it breaks: each is seen once by the watch, says what it is, and ends when it is mended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.test import Client

from agentops.budgets.types import Period
from agentops.common import clock
from agentops.common.queues import Queue
from agentops.common.scope import tenant_scope
from agentops.outbox.types import State
from agentops.traces import services as traces
from agentops.traces import tasks as trace_tasks
from agentops.traces.models import DeadLetter
from audit import tasks as audit_tasks
from evals.services import judging
from incidents.detecting.defaults import DEFAULTS
from incidents.models import Alert
from incidents.services import watching
from incidents.tasks import alerts as tasks
from incidents.types import AlertClass, AlertStatus
from tests.audit.logs import Log
from tests.budgets.money import Purse
from tests.budgets.test_notices import spend
from tests.evals import rowsof
from tests.incidents.test_watching import alerts
from tests.ingest.wire import Sender, native
from tests.outbox.conftest import Outbox
from tests.outbox.conftest import smtp as smtp
from tests.outbox.receivers import MailServer
from tests.runtime.guarded import shift
from tests.world import OPERATOR, World

Clients = Callable[..., Client]


@pytest.fixture(autouse=True)
def _nobody_rang() -> None:
    """What other tests left in the queues of the broker."""
    with current_app.connection_for_write() as broker:
        broker.default_channel.client.delete(*Queue)


def seen_again(alert_class: AlertClass, *, after: timedelta = timedelta()) -> int:
    """Every look until what is calm is over."""
    defaults = DEFAULTS[alert_class]
    return sum(
        watching.look(
            alert_class=alert_class, at=clock.now() + after + timedelta(seconds=number * defaults.every_seconds)
        )
        for number in range(1, defaults.calm_periods + 1)
    )


def assert_over(alert_class: AlertClass) -> None:
    assert {alert.status for alert in alerts(alert_class)} == {AlertStatus.RESOLVED}


def page_of(client: Client, alert: Alert) -> Any:
    """What the page shows of it."""
    answer = client.get(f"/staff/alerts/{alert.id}/")
    assert answer.status_code == 200 and alert.summary in answer.context["alert"].summary
    return answer.context


def test_a_log_that_somebody_changed_is_an_alert_until_it_is_whole(world: World, client_for: Clients) -> None:
    log = Log(world.acme)
    log.write(2)
    assert audit_tasks.seal_waiting() > 2
    tasks.watch_logs_and_budgets()
    assert alerts(AlertClass.INTEGRITY) == []
    log.execute(
        "INSERT INTO audit_leaf SELECT tenant_id, tree_size, gen_random_uuid(), now(), sha256('x') FROM audit_head "
        "WHERE tenant_id = %s",
        log.id,
    )
    log.write(1)
    audit_tasks.seal_waiting()
    assert tasks.watch_logs_and_budgets() == 1
    assert tasks.watch_logs_and_budgets() == 0, "it goes on, and is no news"
    (alert,) = alerts(AlertClass.INTEGRITY)
    assert alert.summary == (
        "The audit log of Acme is not sound (unsealable): something stands already where the next leaves belong"
    )
    assert (alert.severity, alert.about_tenant, alert.repeats, alert.status) == (1, log.id, 1, AlertStatus.OPEN)
    [finding] = log.findings()
    assert alert.source == {"kind": "audit_finding", "id": str(finding.id)}
    page = page_of(client_for(world.sam), alert)
    assert page["runbook"] is not None and page["kill_switch_url"].startswith("/staff/t/acme/")

    log.execute("DELETE FROM audit_leaf WHERE tenant_id = %s AND leaf_hash = sha256('x')", log.id)
    assert audit_tasks.seal_waiting() > 0 and log.pending() == [] and log.findings()[0].ended_at is not None
    assert seen_again(AlertClass.INTEGRITY) == 0
    assert_over(AlertClass.INTEGRITY)


def test_a_budget_that_is_used_up_is_an_alert_until_its_period_ends(world: World, client_for: Clients) -> None:
    acme = Purse(world.acme.id, at=clock.now()).priced()
    acme.budget("2", period=Period.MONTH)
    spend(acme, 1_500_000)
    tasks.watch_logs_and_budgets()
    assert alerts(AlertClass.BUDGET) == [], "three quarters wake nobody"
    spend(acme, 750_000)
    tasks.watch_logs_and_budgets()
    (alert,) = alerts(AlertClass.BUDGET)
    assert alert.summary == "The budget per month of Acme is used up: 2.25 of 2.00 USD."
    assert (alert.severity, alert.scope_type, alert.about_tenant) == (3, "tenant", world.acme.id)
    assert (alert.value, alert.threshold, alert.unit) == (pytest.approx(112.5), 100.0, "% of the budget")
    assert page_of(client_for(world.sam), alert)["source_url"] == "/staff/t/acme/spend/"
    spend(acme, 900_000)
    tasks.watch_logs_and_budgets()
    assert [(each.id, each.repeats) for each in alerts(AlertClass.BUDGET)] == [(alert.id, 1)]
    assert seen_again(AlertClass.BUDGET) == 0
    assert alerts(AlertClass.BUDGET)[0].status == AlertStatus.OPEN, "its month goes on"
    assert seen_again(AlertClass.BUDGET, after=timedelta(days=32)) == 0
    assert_over(AlertClass.BUDGET)


def test_what_is_due_for_long_is_one_alert_for_each_kind(
    world: World, smtp: MailServer, client_for: Clients, own_broker: Any
) -> None:
    outbox = Outbox(world.acme)
    message = outbox.send(template="incidents/mail/page.txt", context={"summary": "A test", "details": {}, "links": []})
    rowsof.judge(world.globex)
    rowsof.planned(world.globex, 2)
    assert tasks.watch_queues() == 0, "it is due since now"
    outbox.change(message, next_attempt_at=clock.now() - timedelta(minutes=10))
    shift(world.globex, "evals_judgement", "next_at", -timedelta(minutes=40))
    own_broker.rpush(Queue.INGEST.value, *["a task"] * 2_001)
    assert tasks.watch_queues() == 3
    found = {alert.scope_id: alert for alert in alerts(AlertClass.QUEUE_LAG)}
    assert {scope: (alert.severity, alert.summary) for scope, alert in found.items()} == {
        "outbox": (2, "Messages of Acme are due and not sent, the oldest for 10 min."),
        "judging": (3, "Judgements of Globex are planned and not asked for, the oldest for 40 min."),
        f"tasks:{Queue.INGEST.value}": (
            2,
            f"2,001 tasks wait in the queue {Queue.INGEST.value}; the workers do not keep up.",
        ),
    }
    assert {alert.scope_type for alert in found.values()} == {"product"}
    assert page_of(client_for(world.sam), found["outbox"])["runbook"] is not None
    assert tasks.watch_queues() == 3
    assert {alert.repeats for alert in alerts(AlertClass.QUEUE_LAG)} == {2}

    own_broker.delete(Queue.INGEST.value)
    assert outbox.deliver() == State.SENT and len(smtp.mails) == 1
    for each in rowsof.judgements(world.globex)[:1]:
        with tenant_scope(world.globex.id):
            judging.pause_judge(
                tenant=world.globex.id, judge=each.judge_id, is_paused=True, by=OPERATOR, at=clock.now()
            )
    assert seen_again(AlertClass.QUEUE_LAG) == 0
    assert_over(AlertClass.QUEUE_LAG)


@pytest.mark.usefixtures("own_broker")
def test_what_cannot_be_taken_or_finished_is_an_alert(world: World, client_for: Clients) -> None:
    acme = Sender(world.acme.keys["ingest"])
    acme.native(*[native(kind="nothing") for _ in range(19)])
    Sender(world.globex.keys["ingest"]).native(
        native("answer", kind="tool", tool="look_up", parent_span_id="00000000000000aa")
    )
    assert tasks.watch_queues() == 0
    acme.native(native(kind="nothing"))
    shift(world.globex, "traces_run", "received_at", -timedelta(minutes=25))
    assert tasks.watch_queues() == 2
    found = {alert.scope_id: alert for alert in alerts(AlertClass.INGEST_LAG)}
    letters, runs = found["dead letters"], found["runs"]
    assert letters.summary.startswith(
        "20 messages of Acme could not be taken in the last hour, most of them because of "
    )
    assert (letters.severity, letters.about_tenant, letters.value) == (3, world.acme.id, 20.0)
    assert runs.summary == (
        "Runs of 1 organisation should be finished and are not, the oldest for 10 min: alerts, quality and spend see them late."
    )
    assert (runs.severity, runs.scope_type, runs.about_tenant) == (2, "product", None)
    for alert, place in ((letters, "/staff/t/acme/ingest/"), (runs, "/staff/ingest/")):
        assert page_of(client_for(world.sam), alert)["source_url"] == place

    assert trace_tasks.finalise_idle_runs() == 1
    with tenant_scope(world.acme.id):
        ids = list(DeadLetter.objects.filter(tenant_id=world.acme.id).values_list("id", flat=True))
        discarded = traces.discard_dead_letters(tenant=world.acme.id, ids=ids, by=world.ben.actor, at=clock.now())
    assert discarded == 20
    assert seen_again(AlertClass.INGEST_LAG) == 0
    assert_over(AlertClass.INGEST_LAG)
