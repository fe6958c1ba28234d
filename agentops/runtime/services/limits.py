"""Numbers that limits are compared with: counts of the last minute, the baseline, what the organisation allows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

import orjson
from django.db import connection

from agentops.common import prepared
from agentops.runtime.policies import rates

_LAST_MINUTE = """
SELECT coalesce(sum(runs) FILTER (WHERE minute = date_trunc('minute', %(now)s::timestamptz)), 0),
    coalesce(sum(runs) FILTER (WHERE minute < date_trunc('minute', %(now)s::timestamptz)), 0),
    coalesce(sum(model_calls) FILTER (WHERE minute = date_trunc('minute', %(now)s::timestamptz)), 0),
    coalesce(sum(model_calls) FILTER (WHERE minute < date_trunc('minute', %(now)s::timestamptz)), 0)
FROM runtime_userminute
WHERE tenant_id = %(tenant)s AND user_id = %(user)s AND (%(agent)s = '' OR agent = %(agent)s)
    AND minute >= date_trunc('minute', %(now)s::timestamptz) - interval '1 minute'
    AND minute <= date_trunc('minute', %(now)s::timestamptz)
"""
_BASELINE = "SELECT model_calls_p99, runs FROM runtime_baseline WHERE tenant_id = %s AND agent = %s"
_RUNS_OF_TENANT = """
SELECT coalesce(sum(runs) FILTER (WHERE minute = date_trunc('minute', %(now)s::timestamptz)), 0),
    coalesce(sum(runs) FILTER (WHERE minute < date_trunc('minute', %(now)s::timestamptz)), 0)
FROM runtime_userminute
WHERE tenant_id = %(tenant)s AND minute >= date_trunc('minute', %(now)s::timestamptz) - interval '1 minute'
    AND minute <= date_trunc('minute', %(now)s::timestamptz)
"""


@dataclass(frozen=True, slots=True)
class LastMinute:
    """What one user's runs did in the last sixty seconds."""

    runs: int
    model_calls: int


def of_last_minute(tenant: uuid.UUID, user: str, now: datetime, *, agent: str = "") -> LastMinute:
    """Counts of a user over the last sixty seconds, of one agent or all."""
    [row] = prepared.run(_LAST_MINUTE, {"tenant": tenant, "user": user, "now": now, "agent": agent})
    runs, runs_before, calls, calls_before = (int(value) for value in row)
    return LastMinute(
        rates.sliding(present=runs, previous=runs_before, at=now),
        rates.sliding(present=calls, previous=calls_before, at=now),
    )


def runs_of_tenant(tenant: uuid.UUID, now: datetime) -> int:
    """Runs that all users of an organisation began in the last sixty seconds."""
    with connection.cursor() as cursor:
        cursor.execute(_RUNS_OF_TENANT, {"tenant": tenant, "now": now})
        present, previous = (int(value) for value in cursor.fetchone())
    return rates.sliding(present=present, previous=previous, at=now)


def most_model_calls(tenant: uuid.UUID, agent: str) -> int:
    """How many model calls a minute are usual enough for an agent."""
    found = prepared.run(_BASELINE, [tenant, agent])
    p99, runs = found[0] if found else (None, 0)
    return rates.model_calls_per_minute(p99=p99, runs=runs)


def of_organisation(tenant: uuid.UUID) -> dict[str, int]:
    """The caps that the organisation set for all of its agents."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT caps FROM runtime_organisationcaps WHERE tenant_id = %s", [tenant])
        row = cursor.fetchone()
    if row is None:
        return {}
    return dict(orjson.loads(row[0]) if isinstance(row[0], str) else row[0])
