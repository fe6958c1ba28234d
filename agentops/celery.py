"""Celery: how tasks travel. What is due when stands in SCHEDULE; what a task does stands in its app's tasks.py.

The broker may lose everything at any moment. So a task claims its row before it works, a sweep finds what was lost,
and nothing here tries to make messages safe beyond what is free.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init, task_postrun, task_prerun, worker_ready

from agentops import env
from agentops.common.queues import Queue, route
from agentops.portal.engines import roles
from agentops.portal.engines.errors import EngineError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "agentops.settings")

_MINUTE, _HOUR = 60.0, 3600.0
SCHEDULE: dict[str, dict[str, Any]] = {
    "finalise idle runs": {"task": "agentops.traces.tasks.finalise_idle_runs", "schedule": 15.0},
    "register end users": {"task": "agentops.traces.tasks.register_end_users", "schedule": _MINUTE},
    "price calls anew": {"task": "agentops.traces.tasks.reprice", "schedule": 5.0},
    "apply retention": {"task": "agentops.traces.tasks.apply_retention", "schedule": _HOUR},
    "sweep guarded runs": {"task": "agentops.runtime.tasks.sweep", "schedule": 10.0},
    "look at thresholds": {"task": "agentops.budgets.tasks.look_at_thresholds", "schedule": 5.0},
    "apply plans": {"task": "agentops.budgets.tasks.apply_plans", "schedule": _MINUTE},
    "fold days": {"task": "agentops.budgets.tasks.fold_days", "schedule": _HOUR},
    "add up spend": {"task": "agentops.runtime.tasks.add_up_spend", "schedule": 5 * _MINUTE},
    "watch minutes": {"task": "agentops.budgets.tasks.watch_minutes", "schedule": 10.0},
    "watch the product's spend": {"task": "agentops.budgets.tasks.watch_product", "schedule": _MINUTE},
    "watch plans": {"task": "agentops.budgets.tasks.watch_tiers", "schedule": 5 * _MINUTE},
    "add up agents' days": {"task": "agentops.budgets.tasks.add_up_agent_days", "schedule": 10 * _MINUTE},
    "expire confirmations": {"task": "agentops.confirmations.tasks.expire", "schedule": 10.0},
    "purge codes and links": {"task": "agentops.confirmations.tasks.purge", "schedule": _HOUR},
    "compute baselines": {"task": "agentops.runtime.tasks.compute_baselines", "schedule": _HOUR},
    "send what is due": {"task": "agentops.outbox.tasks.sweep", "schedule": 10.0},
    "purge the outbox": {"task": "agentops.outbox.tasks.purge", "schedule": _HOUR},
    "seal the audit log": {"task": "audit.tasks.seal_lately", "schedule": 10.0},
    "seal what came late": {"task": "audit.tasks.seal_waiting", "schedule": 2 * _MINUTE},
    "write manifests of runs": {"task": "audit.tasks.write_manifests", "schedule": _MINUTE},
    "beat the heart of the audit log": {"task": "audit.tasks.heartbeat", "schedule": _HOUR},
    "prune the audit log": {"task": "audit.tasks.prune", "schedule": _HOUR},
    "erase who is to be forgotten": {"task": "audit.tasks.erase", "schedule": _MINUTE},
    "write exports of the audit log": {"task": "audit.tasks.write_exports", "schedule": 10.0},
    "purge exports of the audit log": {"task": "audit.tasks.purge_exports", "schedule": _HOUR},
    "stream the audit log": {"task": "audit.tasks.send_streams", "schedule": 10.0},
    "watch streams of the audit log": {"task": "audit.tasks.watch_streams", "schedule": _MINUTE},
    "send checkpoints": {"task": "audit.tasks.send_checkpoints", "schedule": _MINUTE},
    # judging
    "write facts of finished runs": {"task": "evals.tasks.judging.write_facts", "schedule": 5.0},
    "write facts that were missed": {"task": "evals.tasks.judging.write_missed_facts", "schedule": _HOUR},
    # quality: signals and the review queue
    "match outcomes": {"task": "evals.tasks.signals.match_outcomes", "schedule": 30.0},
    "look for signals": {"task": "evals.tasks.signals.look_for_signals", "schedule": _MINUTE},
    "fill the review queue": {"task": "evals.tasks.queue.fill_review_queue", "schedule": _MINUTE},
    # drift
    "add up cohorts": {"task": "evals.tasks.drift.add_up_cohorts", "schedule": 3 * _MINUTE},
    "watch drift": {"task": "evals.tasks.drift.watch_drift", "schedule": _HOUR},
    "ask judges": {"task": "evals.tasks.judging.ask_judges", "schedule": 5.0},
    "compare judges with people": {"task": "evals.tasks.judging.calibrate", "schedule": _MINUTE},
    # sets
    "settle judged cases": {"task": "evals.tasks.sets.settle", "schedule": 10.0},
    "run suites at agents' addresses": {"task": "evals.tasks.sets.run_due", "schedule": 10.0},
    # keeping
    "forget runs that are not kept": {"task": "evals.tasks.keeping.forget_gone_runs", "schedule": _HOUR},
    # gates
    "plan reruns of suites": {"task": "evals.tasks.gates.plan_reruns", "schedule": 10 * _MINUTE},
    # incidents: alerts
    "watch runs": {"task": "incidents.tasks.alerts.watch_runs", "schedule": 2.0},
    "watch spikes and switches": {"task": "incidents.tasks.alerts.watch_spikes_and_switches", "schedule": 5.0},
    "watch queues": {"task": "incidents.tasks.alerts.watch_queues", "schedule": 15.0},
    "watch logs and budgets": {"task": "incidents.tasks.alerts.watch_logs_and_budgets", "schedule": 30.0},
    "watch rates": {"task": "incidents.tasks.alerts.watch_rates", "schedule": _MINUTE},
    "compute what is usual": {"task": "incidents.tasks.alerts.compute_usual", "schedule": _HOUR},
    # incidents: paging
    "sweep pages": {"task": "incidents.tasks.paging.sweep_pages", "schedule": 10.0},
    "ask pagers": {"task": "incidents.tasks.paging.poll_pagers", "schedule": 30.0},
    "purge what pagers told": {"task": "incidents.tasks.paging.purge_back_events", "schedule": _HOUR},
    # incidents: evidence
    "take evidence": {"task": "incidents.tasks.evidence.take_due", "schedule": 20.0},
    # incidents: learning
    "settle texts to customers": {"task": "incidents.tasks.learning.settle_comms", "schedule": 15.0},
    # incidents: dashboard
    "measure for the dashboard": {"task": "incidents.tasks.dashboard.take_snapshot", "schedule": 10.0},
    "note when postmortems are due": {"task": "incidents.tasks.learning.note_due_postmortems", "schedule": _MINUTE},
    # incidents: lifecycle
    "look at watches": {"task": "incidents.tasks.lifecycle.look_at_watches", "schedule": 15.0},
    "follow incidents": {"task": "incidents.tasks.lifecycle.follow_incidents", "schedule": 30.0},
    "look for what was touched": {"task": "incidents.tasks.evidence.scan_due", "schedule": 20.0},
    "tell what was undone": {"task": "incidents.tasks.evidence.tell_reversals", "schedule": _MINUTE},
    "keep partitions": {"task": "agentops.portal.tasks.keep_partitions", "schedule": _HOUR},
}

_SOFT_LIMIT_SECONDS, _HARD_LIMIT_SECONDS = 240, 300
_VISIBILITY_SECONDS = 900  # longer than any task, or a running one would be given to a second worker
_PUBLISH_TIMEOUT_SECONDS = 0.4
_WORKER_TIMEOUT_SECONDS = 10.0

_engines = env.engines()
_transport_options = {
    "visibility_timeout": _VISIBILITY_SECONDS,
    "unacked_restore_throttle": 1,  # look for abandoned messages every 10 s, not every 100 s
    "socket_timeout": _PUBLISH_TIMEOUT_SECONDS,
    "socket_connect_timeout": _PUBLISH_TIMEOUT_SECONDS,
    "socket_keepalive": True,
    "max_retries": 0,  # to connect; kombu's own default sleeps 2 s, then 4 s, in the request
}

app = Celery("agentops")
app.conf.update(
    broker_url=_engines.broker_url,
    broker_transport_options=_transport_options,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    task_default_queue=Queue.DEFAULT.value,
    task_routes=route,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_publish_retry=False,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_soft_time_limit=_SOFT_LIMIT_SECONDS,
    task_time_limit=_HARD_LIMIT_SECONDS,
    worker_prefetch_multiplier=1,
    worker_max_tasks_per_child=2000,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    enable_utc=True,
    timezone="UTC",
    beat_scheduler="agentops.common.beat:LeaderScheduler",
    beat_schedule=SCHEDULE,
    beat_leader_database=_engines.database,
)
# Left alone, Celery closes the database connection around every task; Django's own rule, below, keeps a sound one.
app.conf["CELERY_DB_REUSE_MAX"] = 1_000_000_000
app.autodiscover_tasks()


def prepare_worker(conf: Any, **_: Any) -> None:
    """A worker can wait longer for the broker than a request can; and it must not be above row-level security."""
    conf.broker_transport_options = _transport_options | {"socket_timeout": _WORKER_TIMEOUT_SECONDS, "max_retries": 3}
    if env.env_str("AGENTOPS_ROLE") != "maintenance":
        try:
            roles.check_app_role(env.engines().database)
        except EngineError as error:
            raise SystemExit(str(error)) from error


def drop_dead_connections(**_: Any) -> None:
    """What Django does around a request: close a database connection that is broken or too old."""
    from django.db import close_old_connections

    close_old_connections()


def keep_listening(sender: Any, **_: Any) -> None:
    """Wake the worker's loop every second. One without child processes (judges') would sleep in poll() for ten, and hear
    that it is to stop only then."""
    if getattr(sender, "hub", None) is not None:
        sender.hub.call_repeatedly(1.0, _nothing)


def _nothing() -> None:
    pass


celeryd_init.connect(prepare_worker)
worker_ready.connect(keep_listening)
task_prerun.connect(drop_dead_connections)
task_postrun.connect(drop_dead_connections)
