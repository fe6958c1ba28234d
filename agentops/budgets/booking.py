"""Booking what organisations paid, from a file or by a program: all lines are right, or none is taken."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from agentops.budgets import revenue, services
from agentops.common.scope import tenant_scope
from audit.types import Actor
from tenants import queries as tenants


@dataclass(frozen=True, slots=True)
class Booked:
    """How many lines are new or other than before, and how many were booked so already."""

    changed: int
    same: int


def book(said: Iterable[revenue.Said], *, by: Actor, at: datetime) -> Booked:
    """Book lines of any organisations. Raises InvalidInput with everything that is wrong, and takes nothing then.

    Each organisation is a transaction of its own, as no scope holds two. Said again, a line changes nothing, so whoever
    lost the answer, or was cut off between two organisations, sends all of it once more.
    """
    organisations = {tenant.slug: tenant.id for tenant in tenants.all_tenants()}
    lines = revenue.read(said, organisations=organisations)
    changed = 0
    for tenant, of_it in sorted(lines.items()):
        with tenant_scope(tenant):
            changed += services.book_revenue(tenant=tenant, lines=of_it, by=by, at=at)
    return Booked(changed, sum(map(len, lines.values())) - changed)
