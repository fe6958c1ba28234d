"""Sealing and what follows it; keeping and forgetting. The doorbell is for what somebody waits for; the sweep finds everything."""

from __future__ import annotations

import logging
import time
import uuid
from datetime import timedelta

from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from audit import queries, services
from audit.errors import KeyMissing, TreeDiffers
from audit.services.sealing import BATCH, OWNER, UNSEALABLE
from tenants import queries as tenants
from tenants.roles import PLAN_AUDIT_DAYS

logger = logging.getLogger(__name__)

LAGS = "sealing_lag"
# The queue has one worker: a sweep goes away in time for doorbells and others, and the next one goes on.
_SWEEP_SECONDS = 8.0
_PRUNE_SECONDS = 60.0


@task(Queue.MAINTENANCE)
def seal(tenant_id: str) -> int:
    """Seal what one tenant's people wait for; answers how many entries."""
    return _seal(uuid.UUID(tenant_id), time.monotonic() + _SWEEP_SECONDS)


@task(Queue.MAINTENANCE)
def seal_waiting() -> int:
    """Seal what waits, who has waited longest first, one batch of each tenant in turn; answers how many entries."""
    until, count = time.monotonic() + _SWEEP_SECONDS, 0
    due = [tenant for tenant, _ in queries.tenants_waiting(using=OWNER)]
    while due and time.monotonic() < until:
        again = []
        for tenant in due:
            done = _one_batch(tenant)
            count += done
            if done == BATCH:
                again.append(tenant)
        due = again
    _look_for_lag()
    return count


@task(Queue.MAINTENANCE)
def heartbeat() -> int:
    """One entry a day for each tenant; answers for how many."""
    services.publish_keys(at=clock.now())
    return sum(services.beat(tenant=tenant, at=clock.now()) for tenant in tenants.active_tenant_ids())


@task(Queue.DEFAULT)
def write_manifests() -> int:
    """Manifests of runs that have ended; answers how many."""
    with staff_scope():
        due = queries.tenants_without_manifests()
    until, count = time.monotonic() + _SWEEP_SECONDS, 0
    while due and time.monotonic() < until:
        again = []
        for tenant in due:
            with tenant_scope(tenant):
                made, is_more = services.write_manifests(tenant=tenant, at=clock.now())
            count += made
            if is_more:
                again.append(tenant)
        due = again
    return count


@task(Queue.MAINTENANCE)
def prune() -> int:
    """Delete what each tenant keeps no longer, in turn; answers how many leaves it passed."""
    until, count = time.monotonic() + _PRUNE_SECONDS, 0
    for tenant in tenants.active_tenant_ids():
        at = clock.now()
        services.thin_checkpoints(tenant=tenant, at=at)
        before = at - timedelta(days=_kept_days(tenant))
        while time.monotonic() < until:
            passed = services.prune(tenant=tenant, before=before, at=at)
            count += passed
            if not passed:
                break
    return count


@task(Queue.MAINTENANCE)
def erase() -> int:
    """Do the erasures that were agreed to; answers how many."""
    return sum(
        services.erase(tenant=tenant, erasure=erasure, at=clock.now()) for tenant, erasure in queries.due_erasures()
    )


def _kept_days(tenant: uuid.UUID) -> int:
    with tenant_scope(tenant):
        return queries.kept_days(tenant=tenant, most=PLAN_AUDIT_DAYS[tenants.plan_of(tenant)])


def _seal(tenant: uuid.UUID, until: float) -> int:
    count = 0
    while time.monotonic() < until:
        done = _one_batch(tenant)
        count += done
        if done < BATCH:
            break
    return count


def _one_batch(tenant: uuid.UUID) -> int:
    """One tenant's trouble is no other's: it is a finding already, and a line in the log of the worker."""
    try:
        done = services.seal(tenant=tenant, at=clock.now())
    except (KeyMissing, TreeDiffers) as error:
        logger.error("the audit log of tenant %s cannot be sealed: %s", tenant, error)
        return 0
    return done.count if done else 0


def _look_for_lag() -> None:
    """What waits for more than five minutes is a finding, until it does not wait any more."""
    now = clock.now()
    waiting = dict(queries.tenants_waiting(using=OWNER))
    late = {tenant: since for tenant, since in waiting.items() if now - since > queries.LAG}
    for tenant, since in late.items():
        detail = f"the oldest entry without a place in the tree was recorded {_ago(now - since)} ago"
        services.note_finding(tenant=tenant, kind=LAGS, detail=detail, at=now)
    for tenant in queries.tenants_with_finding(kind=LAGS, using=OWNER):
        if tenant not in late:
            services.end_finding(tenant=tenant, kind=LAGS, at=now)
    for tenant in queries.tenants_with_finding(kind=UNSEALABLE, using=OWNER):
        if tenant not in waiting:  # it was sealed since
            services.end_finding(tenant=tenant, kind=UNSEALABLE, at=now)


def _ago(lag: timedelta) -> str:
    return f"{int(lag.total_seconds() // 60)} min"
