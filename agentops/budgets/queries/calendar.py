"""Reads of the clock by which an organisation's days begin."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from agentops.budgets.policies import bounds
from agentops.budgets.types import Period
from agentops.common import prepared

ZONE_OF = "coalesce((SELECT time_zone FROM budgets_calendar z WHERE z.tenant_id = {tenant}), 'UTC')"
# A midnight that clocks show twice is the later one to PostgreSQL, and a day begins with the first: so long before.
TWICE = "interval '2 hours'"
_ZONE = f"SELECT {ZONE_OF.format(tenant='%s')}"


@lru_cache(maxsize=64)
def zone_called(name: str) -> tzinfo:
    """The zone of a name, as it is stored."""
    return UTC if name == "UTC" else ZoneInfo(name)


def calendar(*, tenant: uuid.UUID) -> tzinfo:
    """The zone by which the organisation's hours, days, weeks and months begin; UTC where nobody chose one."""
    [[name]] = prepared.run(_ZONE, [tenant])
    return zone_called(name)


def period_around(*, tenant: uuid.UUID, period: Period, at: datetime) -> tuple[datetime, datetime]:
    """Start and end of the organisation's period around a moment, in UTC."""
    return bounds(period, at, calendar(tenant=tenant))
