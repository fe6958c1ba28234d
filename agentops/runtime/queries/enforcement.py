"""Is an agent held, or only asked? Decided by what was verified: a permit that a tool server consumed.

A tool server has a key of its own: a permit that the agent's key used up proves nothing, and one that nobody used up may
have been ignored.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

_CALLS = """
SELECT r.agent, c.tool, count(*),
    count(*) FILTER (WHERE c.permit_consumed_at IS NOT NULL AND c.permit_consumed_by IS DISTINCT FROM c.key_id)
FROM runtime_guardcall c JOIN runtime_guardedrun r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.tenant_id = %(tenant)s AND c.run_started_at >= %(since)s AND r.started_at >= %(since)s
    AND c.permit_expires_at IS NOT NULL
    AND (c.permit_consumed_at IS NOT NULL OR c.closed_at IS NOT NULL OR c.permit_expires_at < clock_timestamp())
    AND (%(agent)s = '' OR r.agent = %(agent)s)
GROUP BY r.agent, c.tool
"""


@dataclass(frozen=True, slots=True)
class Enforcement:
    """How many tool calls ran, and for how many a tool server checked and used up the permit."""

    calls: int
    verified: int

    @property
    def is_enforced(self) -> bool:
        """Every call that ran was verified where it ran. An agent that has not run yet is not."""
        return 0 < self.calls == self.verified

    @property
    def grade(self) -> str:
        return "Enforced" if self.is_enforced else "Advisory"


def enforcement(*, tenant: uuid.UUID, since: datetime, agent: str = "") -> dict[str, dict[str, Enforcement]]:
    """By agent and tool, from the calls that ran since a time."""
    found: dict[str, dict[str, Enforcement]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_CALLS, {"tenant": tenant, "since": since, "agent": agent})
        for name, tool, calls, verified in cursor.fetchall():
            found.setdefault(name, {})[tool] = Enforcement(calls, verified)
    return found


def of_agent(by_tool: dict[str, Enforcement]) -> Enforcement:
    """All tools of one agent together."""
    return Enforcement(sum(each.calls for each in by_tool.values()), sum(each.verified for each in by_tool.values()))
