"""Kill switches as people and machines read them, each with the proof that it works."""

# ruff: noqa: S608  every name in these statements is ours
from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.runtime.models import KillSwitch, ProductSwitch
from agentops.runtime.types import SwitchMode

# The runs a switch is about. A switch on an agent holds for the runs below one of its runs, too: `lineage`.
_MATCHING = """
    r.tenant_id = %(tenant)s AND (%(scope)s = 'tenant' OR (%(scope)s = 'user' AND r.user_id = %(id)s)
        OR (%(scope)s = 'agent' AND r.lineage ? %(id)s))
"""
_RUNS = f"""
SELECT count(*) FILTER (WHERE r.status = 1), count(*) FILTER (WHERE r.status = 7 AND r.ended_at >= %(since)s)
FROM runtime_guardedrun r WHERE {_MATCHING} AND (r.status = 1 OR r.ended_at >= %(since)s)
"""
_REFUSED = """
SELECT count(*) FROM runtime_decision d
WHERE d.tenant_id = %(tenant)s AND d.decided_at >= %(since)s AND d.decided_at <= %(until)s AND d.code = 'killed'
    AND (%(scope)s = 'tenant' OR (%(scope)s = 'user' AND d.user_id = %(id)s) OR (%(scope)s = 'agent' AND (d.agent = %(id)s
        OR EXISTS (SELECT 1 FROM runtime_guardedrun r
            WHERE r.tenant_id = d.tenant_id AND r.run_id = d.run_id AND r.lineage ? %(id)s))))
"""
_LAST_STEP = f"""
SELECT max(d.decided_at) FROM runtime_decision d
JOIN runtime_guardedrun r ON r.tenant_id = d.tenant_id AND r.run_id = d.run_id
WHERE d.tenant_id = %(tenant)s AND d.decided_at >= %(since)s AND d.decided_at <= %(until)s AND d.verb IN (2, 4, 5)
    AND d.decision = 'allow' AND {_MATCHING}
"""
_PERMITS = f"""
SELECT count(*) FROM runtime_guardcall c
JOIN runtime_guardedrun r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.tenant_id = %(tenant)s AND c.run_started_at >= %(since)s::timestamptz - interval '2 days'
    AND c.state = 3 AND c.permit_expires_at > clock_timestamp() AND c.permit_consumed_at IS NULL AND {_MATCHING}
"""
_PRODUCT = """
SELECT
    (SELECT count(*) FROM runtime_guardedrun WHERE status = 1),
    (SELECT count(*) FROM runtime_guardedrun WHERE status = 7 AND ended_at >= %(since)s),
    (SELECT count(*) FROM runtime_decision WHERE decided_at >= %(since)s AND decided_at <= %(until)s AND code = 'killed'),
    (SELECT max(decided_at) FROM runtime_decision
        WHERE decided_at >= %(since)s AND decided_at <= %(until)s AND verb IN (2, 4, 5) AND decision = 'allow'),
    (SELECT count(*) FROM runtime_guardcall WHERE run_started_at >= %(since)s::timestamptz - interval '2 days'
        AND state = 3 AND permit_expires_at > clock_timestamp() AND permit_consumed_at IS NULL)
"""
_PERMITS_LIVE = timedelta(minutes=5)  # after it none of before the switch is alive, and none came since
_FAR = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Proof:
    """What a switch has done, from committed rows."""

    refused: int  # starts and steps that were refused since
    last_step_at: datetime | None  # the last step that was still let through, if any was
    permits_alive: int  # permits given before it that could still be used: a permit lives a minute
    runs_stopped: int
    runs_in_progress: int  # that have not asked for a next step yet


def switches(*, tenant: uuid.UUID, only_on: bool = False) -> list[KillSwitch]:
    """Those that are on first, then the newest."""
    rows = KillSwitch.objects.filter(tenant_id=tenant)
    if only_on:
        rows = rows.filter(lifted_at__isnull=True)
    return list(rows.order_by(F("lifted_at").desc(nulls_first=True), "-set_at", "-id")[:500])


def switch(*, tenant: uuid.UUID, switch_id: uuid.UUID) -> KillSwitch:
    """Raises NotFound."""
    found = KillSwitch.objects.filter(tenant_id=tenant, id=switch_id).first()
    if found is None:
        raise NotFound("There is no such kill switch.")
    return found


def all_switches_on() -> list[KillSwitch]:
    """Those of every organisation that are on, the newest first. Needs staff's scope."""
    return list(KillSwitch.objects.filter(lifted_at__isnull=True).order_by("-set_at", "-id")[:200])


def product_switch(*, switch_id: uuid.UUID) -> ProductSwitch:
    """Raises NotFound."""
    found = ProductSwitch.objects.filter(id=switch_id).first()
    if found is None:
        raise NotFound("There is no such kill switch.")
    return found


def product_switches() -> list[ProductSwitch]:
    """Those that are on first, then the newest."""
    return list(ProductSwitch.objects.order_by(F("lifted_at").desc(nulls_first=True), "-set_at", "-id")[:100])


def proof(found: KillSwitch) -> Proof:
    """What a switch has done. Needs the tenant's scope, or staff's."""
    params: dict[str, Any] = {
        "tenant": found.tenant_id,
        "scope": found.scope,
        "id": found.scope_id,
        "since": found.set_at,
        "until": found.lifted_at or _FAR,
    }
    with connection.cursor() as cursor:
        cursor.execute(_RUNS, params)
        in_progress, stopped = cursor.fetchone()
        cursor.execute(_REFUSED, params)
        (refused,) = cursor.fetchone()
        cursor.execute(_LAST_STEP, params)
        (last,) = cursor.fetchone()
        permits = 0
        if found.mode == SwitchMode.BLOCK_NEW or clock.now() - found.set_at < _PERMITS_LIVE:
            cursor.execute(_PERMITS, params)
            (permits,) = cursor.fetchone()
    return Proof(refused, last, permits, stopped, in_progress)


def product_proof(found: ProductSwitch) -> Proof:
    """The same over all organisations. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCT, {"since": found.set_at, "until": found.lifted_at or _FAR})
        in_progress, stopped, refused, last, permits = cursor.fetchone()
    return Proof(refused, last, permits, stopped, in_progress)
