"""Rounds of the detectors. Rows are the truth: a round that was missed makes the next one longer."""

from __future__ import annotations

from agentops.common import clock
from agentops.common.queues import Queue, task
from incidents.services import alerts, watching
from incidents.types import AlertClass
from tenants.house import house_scope


@task(Queue.DEFAULT)
def watch_runs() -> int:
    """Runs that the guard ended, or that make far too many steps: people hear of them within seconds."""
    return watching.look(alert_class=AlertClass.RUNAWAY, at=clock.now())


@task(Queue.DEFAULT)
def watch_spikes_and_switches() -> int:
    """Minutes that cost too much, and steps after a kill switch."""
    return sum(
        watching.look(alert_class=each, at=clock.now()) for each in (AlertClass.COST_SPIKE, AlertClass.KILL_SWITCH_LAG)
    )


@task(Queue.DEFAULT)
def watch_queues() -> int:
    return sum(
        watching.look(alert_class=each, at=clock.now()) for each in (AlertClass.QUEUE_LAG, AlertClass.INGEST_LAG)
    )


@task(Queue.DEFAULT)
def watch_logs_and_budgets() -> int:
    return sum(
        watching.look(alert_class=each, at=clock.now())
        for each in (AlertClass.INTEGRITY, AlertClass.SEAL_LAG, AlertClass.BUDGET)
    )


@task(Queue.DEFAULT)
def watch_rates() -> int:
    """Errors, refusals, tokens and drift; each at the end of its own period."""
    found = sum(
        watching.look(alert_class=each, at=clock.now())
        for each in (AlertClass.ERROR_RATE, AlertClass.REFUSAL_SPIKE, AlertClass.TOKEN_P99, AlertClass.DRIFT)
    )
    watching.open_investigations(at=clock.now())
    return found


@task(Queue.INGEST)
def compute_usual() -> int:
    """What is usual for each agent, of the last days; and forget looks that nobody is shown any more."""
    with house_scope() as house:
        alerts.forget_looks(tenant=house, at=clock.now())
    return watching.compute_usual(at=clock.now())
