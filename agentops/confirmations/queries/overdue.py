"""What the clock has to bring further, and which the guard must look at first."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import connection

EXECUTES_MOST = timedelta(minutes=15)  # without a word of how it ended
_RELEASES = """
SELECT id, run_id, call_id FROM confirmations_confirmation
WHERE tenant_id = %s AND state = 'cooling' AND cooling_until <= clock_timestamp() AND expires_at > clock_timestamp()
ORDER BY cooling_until LIMIT %s
"""
_LOST = """
SELECT id, run_id, call_id FROM confirmations_confirmation
WHERE tenant_id = %s AND state = 'executing' AND redeemed_at <= clock_timestamp() - %s::interval
ORDER BY redeemed_at LIMIT %s
"""
_TENANTS = """
SELECT DISTINCT tenant_id FROM confirmations_confirmation WHERE state = 'cooling' AND cooling_until <= clock_timestamp()
UNION SELECT DISTINCT tenant_id FROM confirmations_confirmation
WHERE state = 'executing' AND redeemed_at <= clock_timestamp() - %s::interval
"""


def due_releases(*, tenant: uuid.UUID, most: int) -> list[tuple[uuid.UUID, uuid.UUID, str]]:
    """Confirmations whose delay is over, each with its run and call."""
    with connection.cursor() as cursor:
        cursor.execute(_RELEASES, [tenant, most])
        return [(row[0], row[1], row[2]) for row in cursor.fetchall()]


def lost_executions(*, tenant: uuid.UUID, most: int) -> list[tuple[uuid.UUID, uuid.UUID, str]]:
    """Confirmations that have been executing for too long, each with its run and call."""
    with connection.cursor() as cursor:
        cursor.execute(_LOST, [tenant, f"{EXECUTES_MOST.total_seconds()} seconds", most])
        return [(row[0], row[1], row[2]) for row in cursor.fetchall()]


def tenants_with_overdue() -> list[uuid.UUID]:
    """Tenants that have either. Needs staff's scope."""
    with connection.cursor() as cursor:
        cursor.execute(_TENANTS, [f"{EXECUTES_MOST.total_seconds()} seconds"])
        return [row[0] for row in cursor.fetchall()]
