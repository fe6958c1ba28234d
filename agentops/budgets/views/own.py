"""What an end user has used, what is left, and when it begins anew. Nothing of anybody else."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from agentops.budgets import presenting, queries
from agentops.budgets.presenting import AT_LIMIT, PERIOD_NAMES, Use
from agentops.budgets.queries import Only, Outlook, SumRow
from agentops.budgets.types import Period
from agentops.common import clock
from tenants import queries as tenants
from tenants.access import TenantRequest

AGENTS = 50


@dataclass(frozen=True, slots=True)
class Allowance:
    """One budget that holds for the person."""

    per: str
    use: Use
    resets_at: datetime
    resets: str
    at_limit: str


@dataclass(frozen=True, slots=True)
class OwnUsage:
    """What was spent in the name of one end user."""

    name: str
    allowances: list[Allowance]
    look: Outlook  # of the month
    agents: list[SumRow]
    unpriced_calls: int

    @property
    def figure(self) -> object:
        return presenting.bars_figure([(day.isoformat(), amount) for day, amount in self.look.days])


@require_GET
def own_usage(request: TenantRequest) -> HttpResponse:
    """For each name by which agents know the person."""
    access, now = request.access, clock.now()
    names = tenants.end_users_of(access.tenant.id, access.user.pk)
    context = {
        "usages": [_usage(access.tenant.id, name, now) for name in names],
        "month": presenting.period_text(Period.MONTH, now.astimezone(queries.calendar(tenant=access.tenant.id)).date()),
        "is_several": len(names) > 1,
    }
    return TemplateResponse(request, "budgets/own_usage.html", context)


def _usage(tenant: uuid.UUID, name: str, now: datetime) -> OwnUsage:
    zone, only = queries.calendar(tenant=tenant), Only(users=[name])
    allowances = [
        Allowance(
            PERIOD_NAMES[one.place.terms.period],
            Use(one.used_nano_usd, one.place.terms.limit_nano_usd, one.place.terms.ceiling_nano_usd),
            one.place.end,
            presenting.local(one.place.end, zone),
            AT_LIMIT[one.place.terms.action],
        )
        for one in queries.standings_of_user(tenant=tenant, user=name, at=now)
    ]
    look = queries.outlook(tenant=tenant, period=Period.MONTH, at=now, now=now, only=only)
    agents = queries.ranking(
        tenant=tenant, since=look.start, until=look.end, by=("agent",), most=AGENTS, only=only
    ).rows
    return OwnUsage(name, allowances, look, agents, sum(row.unpriced_calls for row in agents))
