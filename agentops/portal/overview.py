"""What the homes show. Each function reads through the queries of the apps that know; the pages only lay it out.

A figure that no app can tell yet is left out, never shown as zero.
"""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.urls import reverse

from agentops.budgets import queries as budgets
from agentops.portal.templatetags.words import money, percent
from agentops.runtime import queries as guard
from agentops.runtime.types import SwitchScope
from agentops.traces import queries as traces
from tenants import queries as tenants
from tenants.access import Access
from tenants.roles import Permission

if TYPE_CHECKING:
    from agentops.traces.models import Run

DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a home: see templates/components/stats.html."""

    label: str
    value: str
    note: str = ""
    url: str = ""
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Overview:
    """The home of admins and auditors. Without figures, nothing was received yet and the page says how to begin."""

    figures: list[Figure] = field(default_factory=list)
    failed: list[Run] = field(default_factory=list)  # the latest, newest first
    latest: list[Run] = field(default_factory=list)
    has_keys: bool = False


def of_tenant(access: Access, *, at: datetime) -> Overview:
    """The last 24 hours of one tenant. Needs the tenant's scope."""
    tenant, since = access.tenant.id, at - DAY
    if not traces.has_runs(tenant=tenant):
        return Overview(has_keys=any(key.revoked_at is None for key in tenants.keys(tenant)))
    runs = traces.run_figures(tenant=tenant, since=since)
    spend = budgets.spend(tenant=tenant, since=since)
    address = reverse("runs", kwargs={"slug": access.tenant.slug})
    figures = [
        Figure("Runs", _bounded(runs.count), url=f"{address}?from=24h"),
        Figure(
            "Failed",
            _bounded(runs.failed),
            note=_share(runs.failed, runs.count),
            url=f"{address}?status=error&from=24h",
            tone="bad" if runs.failed else "",
        ),
        Figure(
            "Spent",
            money(spend.amount_nano_usd),
            note=f"{spend.calls:,} model call{'' if spend.calls == 1 else 's'}",
            url=reverse("budgets", kwargs={"slug": access.tenant.slug}) if access.may(Permission.BUDGETS_READ) else "",
        ),
        Figure(
            "Calls without a price",
            f"{spend.unpriced_calls:,}",
            note="what they cost is unknown, not zero" if spend.unpriced_calls else "every call has its price",
            url=reverse("ingest-health", kwargs={"slug": access.tenant.slug}) if spend.unpriced_calls else "",
            tone="warn" if spend.unpriced_calls else "",
        ),
    ]
    return Overview(figures=figures, failed=runs.latest_failed, latest=runs.latest)


def _bounded(count: int) -> str:
    return f"{traces.COUNT_MOST:,}+" if count > traces.COUNT_MOST else f"{count:,}"


def _share(part: int, whole: int) -> str:
    """Part of a whole that was counted to its end; otherwise nothing true can be said."""
    if whole == 0 or whole > traces.COUNT_MOST:
        return ""
    return f"{percent(part / whole)} of the runs"


@dataclass(frozen=True, slots=True)
class Stopped:
    """What kill switches stop here. One for a single agent or user is no alarm for all."""

    title: str
    is_all: bool


def stopped(tenant: uuid.UUID) -> Stopped | None:
    """What the kill switches that are on stop in this organisation, if any is. Needs the tenant's scope."""
    found = Counter(SwitchScope(each.scope) for each in guard.switches(tenant=tenant, only_on=True))
    if found[SwitchScope.TENANT] or any(each.lifted_at is None for each in guard.product_switches()):
        return Stopped("Agents are stopped", is_all=True)
    parts = [
        f"{found[scope]} {word if found[scope] == 1 else word + 's'}"
        for scope, word in ((SwitchScope.AGENT, "agent"), (SwitchScope.USER, "end user"))
        if found[scope]
    ]
    return Stopped(f"Stopped: {' and '.join(parts)}", is_all=False) if parts else None
