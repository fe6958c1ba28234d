"""Sealing and what follows it; keeping and forgetting; what leaves. The doorbell is for what somebody waits for; the sweep finds everything."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.queues import Queue, ring, task
from agentops.common.scope import staff_scope, tenant_scope
from agentops.confirmations import queries as confirmations
from agentops.outbox import queries as outbox_rows
from agentops.outbox import services as outbox
from agentops.outbox.delivering import deliver_one
from agentops.outbox.types import State
from audit import queries, services
from audit.errors import KeyMissing, NotSealedYet, TreeDiffers
from audit.services.exporting import ClaimLost
from audit.services.sealing import BATCH, OWNER, UNSEALABLE
from tenants import queries as tenants
from tenants.roles import PLAN_AUDIT_DAYS

logger = logging.getLogger(__name__)

STREAM_STOPPED = "stream_stopped"
# The queue has one worker: a sweep goes away in time for doorbells and others, and the next one goes on.
_SWEEP_SECONDS = 8.0
_EXPORT_SECONDS = 90.0
_STREAM_SECONDS = 20.0


@task(Queue.MAINTENANCE)
def seal(tenant_id: str) -> int:
    """Seal what one tenant's people wait for; answers how many entries."""
    tenant = uuid.UUID(tenant_id)
    since = queries.looked_at_from(tenant=tenant, using=OWNER)
    return _in_turn([tenant], partial(_one_batch, {tenant: since}))


@task(Queue.MAINTENANCE)
def seal_lately() -> int:
    """Seal what was written lately, who has waited longest first, one batch of each tenant in turn; answers how many entries."""
    return _sealed(dict(queries.tenants_waiting(lately=True, using=OWNER)))


@task(Queue.MAINTENANCE)
def seal_waiting() -> int:
    """The same with all that waits, whenever it was recorded. Only this look knows that nothing waits too long."""
    try:
        return _sealed(dict(queries.tenants_waiting(using=OWNER)))
    finally:
        _look_for_lag()


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
    return _in_turn(due, _next_leaves)


@task(Queue.MAINTENANCE)
def prune() -> int:
    """Delete what each tenant keeps no longer, in turn; answers how many leaves it passed.

    Where the time of a sweep is too short it lets sealing to the worker, and asks to be gone on with.
    """
    begun, due = time.monotonic(), list(tenants.active_tenant_ids())
    random.shuffle(due)  # who was not reached comes earlier another time
    for tenant in due:
        services.thin_checkpoints(tenant=tenant, at=clock.now())
    passed = _in_turn(due, _prune_batch)
    if passed and time.monotonic() - begun >= _SWEEP_SECONDS:
        ring(prune)
    return passed


@task(Queue.MAINTENANCE)
def erase() -> int:
    """Do the erasures that were agreed to; answers how many. One that breaks keeps no other waiting, and is tried again.

    One that is not through in the time of a sweep lets others to the worker, and asks to be gone on with.
    """
    count, broken = 0, None
    for tenant, erasure in queries.due_erasures():
        until = time.monotonic() + _SWEEP_SECONDS
        try:
            count += services.erase(tenant=tenant, erasure=erasure, at=clock.now(), until=until)
            if time.monotonic() >= until:
                ring(erase)
        except Exception as error:  # of the database or of an app that forgets: neither is the next one's
            logger.exception("the erasure %s of tenant %s broke; it goes on where it was", erasure, tenant)
            broken = error
    if broken is not None:
        raise broken
    return count


@task(Queue.DEFAULT)
def write_export(tenant_id: str, export_id: str) -> None:
    """Write an export that somebody just asked for."""
    _write_export(uuid.UUID(tenant_id), uuid.UUID(export_id), time.monotonic() + _EXPORT_SECONDS)


@task(Queue.DEFAULT)
def write_exports() -> int:
    """Go on with exports that nobody writes; answers how many were looked at."""
    with staff_scope():
        due = queries.exports_due()
    until, count = time.monotonic() + _EXPORT_SECONDS, 0
    for tenant, export in due:
        if time.monotonic() < until:
            _write_export(tenant, export, until)
            count += 1
    return count


@task(Queue.DEFAULT)
def purge_exports() -> int:
    """Delete the files of old exports; answers how many."""
    count = 0
    for tenant in tenants.active_tenant_ids():
        with tenant_scope(tenant):
            count += services.purge_exports(tenant=tenant, at=clock.now())
    return count


@task(Queue.DEFAULT)
def send_streams() -> int:
    """Send what streams have not sent, a batch of each in turn; answers how many batches arrived.

    A stream that waits for its receiver, or has had its share for the moment, is left to the next sweep.
    """
    with staff_scope():
        due = queries.streams_due()
    until, count = time.monotonic() + _STREAM_SECONDS, 0
    while due and time.monotonic() < until:
        steps = [(_step(tenant, stream), tenant, stream) for tenant, stream in due if time.monotonic() < until]
        count += sum(step == _ARRIVED for step, _, _ in steps)
        due = [(tenant, stream) for step, tenant, stream in steps if step != _RESTS]
        if steps and all(step == _UNDER_WAY for step, _, _ in steps):
            time.sleep(_MOMENT_SECONDS)
    return count


@task(Queue.MAINTENANCE)
def watch_streams() -> int:
    """A stream that has stopped is a finding until somebody lets it go on; answers how many organisations have one."""
    now = clock.now()
    stopped = queries.tenants_with_stopped_stream(using=OWNER)
    for tenant in stopped:
        found = queries.stopped_streams(tenant=tenant, using=OWNER)
        detail = "; ".join(f"the stream to {one.destination} has stopped: {one.why_stopped}" for one in found)
        services.note_finding(tenant=tenant, kind=STREAM_STOPPED, detail=detail, at=now)
    for tenant in queries.tenants_with_finding(kind=STREAM_STOPPED, using=OWNER):
        if tenant not in stopped:
            services.end_finding(tenant=tenant, kind=STREAM_STOPPED, at=now)
    return len(stopped)


@task(Queue.DEFAULT)
def send_checkpoints() -> int:
    """Send checkpoints to where customers keep them; answers how many."""
    now = clock.now()
    with staff_scope():
        due = queries.deliveries_due(at=now)
    return sum(_send_checkpoint(tenant, delivery, now) for tenant, delivery in due)


def _kept_days(tenant: uuid.UUID) -> int:
    with tenant_scope(tenant):
        return queries.kept_days(tenant=tenant, most=PLAN_AUDIT_DAYS[tenants.plan_of(tenant)])


def _in_turn(tenants: Iterable[uuid.UUID], step: Callable[[uuid.UUID], tuple[int, bool]]) -> int:
    """A step of each tenant, and one more of those that have more, until the sweep's time is over; answers the sum.

    `step` says how much it did, and whether there is more. Tenants come with who has waited longest first, so who was not
    reached is the first of the next sweep. One that breaks keeps no other waiting.
    """
    until, waiting, count, broken = time.monotonic() + _SWEEP_SECONDS, deque(tenants), 0, None
    while waiting and time.monotonic() < until:
        tenant = waiting.popleft()
        try:
            done, is_more = step(tenant)
        except Exception as error:
            logger.exception("a sweep of the audit log broke at tenant %s; it goes on with the next", tenant)
            broken = error
            continue
        count += done
        if is_more:
            waiting.append(tenant)
    if broken is not None:
        raise broken
    return count


def _sealed(waiting: Mapping[uuid.UUID, datetime]) -> int:
    return _in_turn(waiting, partial(_one_batch, waiting))


def _one_batch(since: Mapping[uuid.UUID, datetime | None], tenant: uuid.UUID) -> tuple[int, bool]:
    """Seal one batch. A tenant whose log cannot be sealed is a finding already, and a line in the log of the worker."""
    try:
        done = services.seal(tenant=tenant, at=clock.now(), since=since[tenant])
    except (KeyMissing, TreeDiffers) as error:
        logger.error("the audit log of tenant %s cannot be sealed: %s", tenant, error)
        return 0, False
    return (done.count, done.count == BATCH) if done else (0, False)


def _prune_batch(tenant: uuid.UUID) -> tuple[int, bool]:
    at = clock.now()
    passed = services.prune(tenant=tenant, before=at - timedelta(days=_kept_days(tenant)), at=at)
    return passed, passed > 0


def _next_leaves(tenant: uuid.UUID) -> tuple[int, bool]:
    with tenant_scope(tenant):
        return services.write_manifests(tenant=tenant, at=clock.now())


def _look_for_lag() -> None:
    """What waits for more than five minutes is a finding, until it does not wait any more."""
    now = clock.now()
    waiting = dict(queries.tenants_waiting(using=OWNER))
    late = {tenant: since for tenant, since in waiting.items() if now - since > queries.LAG}
    for tenant, since in late.items():
        detail = f"the oldest entry without a place in the tree was recorded {_ago(now - since)} ago"
        services.note_finding(tenant=tenant, kind=queries.LAGS, detail=detail, at=now)
    for tenant in queries.tenants_with_finding(kind=queries.LAGS, using=OWNER):
        if tenant not in late:
            services.end_finding(tenant=tenant, kind=queries.LAGS, at=now)
    for tenant in queries.tenants_with_finding(kind=UNSEALABLE, using=OWNER):
        if tenant not in waiting:  # it was sealed since
            services.end_finding(tenant=tenant, kind=UNSEALABLE, at=now)


def _ago(lag: timedelta) -> str:
    return f"{int(lag.total_seconds() // 60)} min"


# -- what leaves -----------------------------------------------------------------------------------------------------


_ARRIVED, _UNDER_WAY, _RESTS = "arrived", "under way", "rests"
_MOMENT_SECONDS = 0.1


def _write_export(tenant: uuid.UUID, export: uuid.UUID, until: float) -> None:
    """Part by part, each in a transaction of its own, until it is whole or the time is over."""
    slug = tenants.tenants_by_id([tenant])[tenant].slug
    with tenant_scope(tenant):
        claim = services.claim_export(tenant=tenant, export=export, at=clock.now())
    while claim is not None:
        is_fault, why = False, ""
        try:
            with tenant_scope(tenant):
                held = confirmations.half_agreed(tenant=tenant)
                claim = services.write_export(tenant=tenant, slug=slug, claim=claim, held=held, at=clock.now())
            if time.monotonic() < until:
                continue
        except ClaimLost:
            return
        except NotSealedYet:
            pass
        except Exception as error:
            logger.exception("export %s could not be written", export)
            is_fault, why = True, f"Its next part could not be written ({type(error).__name__})."
        if claim is not None:
            with tenant_scope(tenant):
                services.let_go_export(tenant=tenant, claim=claim, why=why, is_fault=is_fault, at=clock.now())
        return


def _step(tenant: uuid.UUID, stream: uuid.UUID) -> str:
    """What became of the batch on its way; if it has arrived, or there was none, the next one is sent."""
    with tenant_scope(tenant):
        before = _settled(tenant, stream)
        if before in (_UNDER_WAY, _RESTS):
            return before
        batch = services.next_batch(tenant=tenant, stream=stream)
        if batch is None:
            return _RESTS if before != _ARRIVED else before
        message = outbox.send(
            tenant=tenant,
            channel="webhook",
            destination=batch.destination,
            template="audit.entries",
            context=batch.data,
            dedup_key=f"audit-stream:{new_id()}",
            secrets=("entries",),  # entries are kept in one place, where they can be erased
        )
        services.note_sent(tenant=tenant, batch=batch, message=message)
    deliver_one(tenant=tenant, message=message)
    with tenant_scope(tenant):
        return _settled(tenant, stream) or _RESTS


def _settled(tenant: uuid.UUID, stream: uuid.UUID) -> str:
    """Note what became of the batch on its way; "" where there is none."""
    found = queries.stream_if_there(tenant=tenant, stream=stream)
    if found is None:
        return _RESTS
    if found.message_id is None:
        return ""
    now = clock.now()
    message = outbox_rows.message(tenant=tenant, message=found.message_id)
    if message.state == State.SENT:
        is_new = services.note_arrived(tenant=tenant, stream=stream, message=message.id, at=now)
        return _ARRIVED if is_new else _RESTS
    if message.state == State.GIVEN_UP:
        why = message.last_error or "It could not be delivered."
        services.note_given_up(tenant=tenant, stream=stream, message=message.id, why=why, at=now)
        return _RESTS
    return _UNDER_WAY if message.claimed_until is not None and message.claimed_until > now else _RESTS


def _send_checkpoint(tenant: uuid.UUID, delivery: uuid.UUID, now: datetime) -> bool:
    organisation = tenants.tenants_by_id([tenant])[tenant]
    with tenant_scope(tenant):
        parcel = services.next_checkpoint(tenant=tenant, delivery=delivery, at=now)
        if parcel is None:
            return False
        outbox.send(
            tenant=tenant,
            channel=parcel.channel,
            destination=parcel.destination,
            template="audit.checkpoint" if parcel.channel == "webhook" else "audit/mail/checkpoint.txt",
            context={**parcel.data, "organisation": organisation.name, "slug": organisation.slug},
            dedup_key=f"audit-checkpoint:{delivery}:{parcel.tree_size}",
        )
    return True
