"""Periodic work of money. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

from datetime import timedelta

from agentops.budgets import queries, services
from agentops.budgets.types import MINUTES_KEPT
from agentops.common import clock
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from tenants import queries as tenants

EVERY_SECONDS = 10  # between two looks at the minutes
LATE_MINUTES = 10  # once a minute, for spans that come late; otherwise the present minute and two before


@task(Queue.DEFAULT)
def look_at_thresholds() -> int:
    """Find the thresholds that no charge passes by: of budgets that were set, and of spend in open slices."""
    at = clock.now()
    with staff_scope():
        new, spending = queries.tenants_with_new_counters(at), queries.spending_in_slices()
    found = 0
    for tenant_id in new:
        with tenant_scope(tenant_id):
            found += services.begin_counters(tenant=tenant_id, at=at)
    for tenant_id, counters in spending.items():
        with tenant_scope(tenant_id):
            found += services.look_at_slices(tenant=tenant_id, counters=counters)
    return found


@task(Queue.DEFAULT)
def apply_plans() -> int:
    """Give organisations that set no budget of their own those of their plan."""
    plans = {tenant.id: tenant.plan for tenant in tenants.active_tenants()}
    with staff_scope():
        behind = queries.tenants_behind_plan(plans)
    for tenant_id in behind:
        with tenant_scope(tenant_id):
            services.apply_plan(tenant=tenant_id, plan=plans[tenant_id], at=clock.now())
    return len(behind)


@task(Queue.INGEST)
def fold_days() -> int:
    """Add up the hours of days that are over, so that pages of a year read days."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.fold_days(tenant=tenant_id, at=clock.now())
    return count


@task(Queue.DEFAULT)
def watch_minutes() -> int:
    """Find minutes that cost far more than the hour before them, of an agent or of all; answers how many are new."""
    at, ids = clock.now(), [tenant.id for tenant in tenants.active_tenants()]
    with staff_scope():
        due = queries.tenants_with_spend(tenants=ids, at=at)
    minutes = LATE_MINUTES if at.second < EVERY_SECONDS else services.LOOK_BACK
    found = 0
    for tenant_id in due:
        with tenant_scope(tenant_id):
            services.add_up_minutes(tenant=tenant_id, minutes=minutes, at=at)
            found += len(services.watch_minutes(tenant=tenant_id, at=at))
    with staff_scope():
        by_minute = queries.product_minutes(since=at - MINUTES_KEPT, without=tenants.drill_tenant_ids())
    return found + services.watch_product_minutes(minutes=by_minute, at=at)


@task(Queue.DEFAULT)
def watch_product() -> None:
    """Find a day above its baseline, and a week above its plan."""
    at = clock.now()
    today = at.date()
    ids = [tenant.id for tenant in tenants.customers()]
    with staff_scope():
        rows = queries.product_sums(
            tenants=ids, since=today - timedelta(days=13), until=today + timedelta(days=1), by=("day",)
        )
    services.watch_product_days(
        by_day={row.day: row.amount_nano_usd for row in rows if row.day},
        today=today,
        planned=queries.planned_week(day=today),
        at=at,
    )


@task(Queue.DEFAULT)
def watch_tiers() -> int:
    """Tell success managers of organisations that are about to outgrow their plan; answers what is new."""
    found = 0
    for tenant in tenants.active_tenants():
        if tenant.is_drill:
            continue
        with tenant_scope(tenant.id):
            found += len(services.watch_tier(tenant=tenant.id, plan=tenant.plan, at=clock.now()))
    return found


@task(Queue.INGEST)
def add_up_agent_days() -> int:
    """Add up folded days for pages over all organisations; answers how many."""
    count = 0
    for tenant_id in tenants.active_tenant_ids():
        with tenant_scope(tenant_id):
            count += services.add_up_agent_days(tenant=tenant_id)
    return count
