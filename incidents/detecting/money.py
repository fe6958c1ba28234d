"""What budgets found about money, as alerts: spikes of a minute, limits that are reached, plans that are passed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agentops.common.money import NANO
from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.looking import Around, Look
from incidents.detecting.seen import SampleRun, Seen
from incidents.types import AlertClass, ScopeType, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike:
    """An open finding of a minute that costs too much; `tenant` None: of all organisations together.

    `minutes` are nano-dollars of the present minute, the one before it, and the one before that.
    """

    id: uuid.UUID
    tenant: uuid.UUID | None
    agent: str
    found_at: datetime
    last_seen_at: datetime
    ended_at: datetime | None
    data: Mapping[str, Any]
    minutes: Sequence[int] = (0, 0, 0)
    version: str = ""
    model: str = ""
    samples: tuple[SampleRun, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OverBudget:
    """A budget of an organisation or agent that is used up in a period that goes on."""

    id: uuid.UUID
    tenant: uuid.UUID
    scope: str  # tenant | agent
    agent: str
    period: str
    percent: int
    limit_nano_usd: int
    used_nano_usd: int
    crossed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OverPlan:
    """A day above what is usual, or a week above its plan, of the whole product."""

    id: uuid.UUID
    kind: str
    detail: str
    found_at: datetime
    data: Mapping[str, Any] = field(default_factory=dict)


def is_rising(minutes: Sequence[int], bound: int, *, times: float) -> bool:
    """Harm that goes on: a second minute in a row is above the bound and not below the one before it, or one is so many
    times the bound. A minute that is above it once is over by the time it is known."""
    if bound <= 0:
        return False
    now, before, earlier = minutes
    goes_on = (now > bound and now >= before > bound) or (before > bound and before >= earlier > bound)
    return goes_on or max(now, before) >= times * bound


def see_spikes(rows: Iterable[Spike], around: Around) -> Look:
    """A finding is news whenever budgets saw it again; one that is open goes on."""
    seen, still, known = [], set(), {}
    for row in rows:
        looked, mark = _spike(row, around), str(row.id)
        is_told = mark in around.known
        if not is_told and not is_worth_waking(row, around):
            continue
        known[mark] = row.last_seen_at.isoformat()
        if around.known.get(mark) != known[mark]:
            seen.append(looked)
        elif row.ended_at is None:
            still.add(looked.fingerprint)
    return Look(seen=seen, still=still, known=known)


def is_worth_waking(row: Spike, around: Around) -> bool:
    """One dear run makes a minute dear. So a minute alone must be far above its bound; a second one need only be above it."""
    params = around.setting(AlertClass.COST_SPIKE, row.tenant, row.agent).params
    bound = max(int(row.data.get("bound_nano_usd", 0)), params["least_usd"] * NANO)
    above = sum(amount > bound for amount in row.minutes)
    return above >= 2 or max(row.minutes, default=0) >= params["alone_times"] * bound


def _spike(row: Spike, around: Around) -> Seen:
    params = around.setting(AlertClass.COST_SPIKE, row.tenant, row.agent).params
    amount, bound = int(row.data.get("amount_nano_usd", 0)), int(row.data.get("bound_nano_usd", 0))
    usual = int(row.data.get("hour_nano_usd", 0)) / 60
    is_harm = row.ended_at is None and is_rising(row.minutes, bound, times=params["rising_times"])
    who = (
        "All organisations together cost"
        if row.tenant is None
        else f"{around.who(row.agent, row.tenant, begins=True)} costs"
    )
    more = f", {amount / usual:.0f} × what is usual" if usual >= 1 else ""
    spent = int(row.data.get("spent_nano_usd", 0))
    return Seen(
        alert_class=AlertClass.COST_SPIKE,
        scope_type=ScopeType.PRODUCT if row.tenant is None else ScopeType.AGENT,
        scope_id=row.agent,
        about_tenant=row.tenant,
        agent=row.agent,
        agent_version=row.version,
        model_route=row.model,
        severity=Severity.SEV1 if is_harm else DEFAULTS[AlertClass.COST_SPIKE].severity,
        summary=f"{who} {_usd(amount)} USD in a minute{more}; {_usd(bound)} is the bound, and {_usd(spent)} were spent "
        f"since it began.{' It rises.' if is_harm else ''}",
        value=amount / NANO,
        threshold=bound / NANO,
        unit="USD a minute",
        since=row.found_at,
        data={"usual_usd": round(usual / NANO, 6), "spent_usd": round(spent / NANO, 4), "is_rising": is_harm},
        source={"kind": "finding" if row.tenant else "product_finding", "id": str(row.id)},
        runs=row.samples,
    )


def see_budgets(budgets: Iterable[OverBudget], plans: Iterable[OverPlan], around: Around) -> Look:
    """Each is news once; while its period goes on, so does the alert."""
    seen, still, known = [], set(), {}
    for budget in budgets:
        looked, mark = _budget(budget, around), str(budget.id)
        known[mark] = budget.crossed_at.isoformat()
        if mark in around.known:
            still.add(looked.fingerprint)
        else:
            seen.append(looked)
    for plan in plans:
        looked, mark = _plan(plan), str(plan.id)
        known[mark] = plan.found_at.isoformat()
        if mark in around.known:
            still.add(looked.fingerprint)
        else:
            seen.append(looked)
    return Look(seen=seen, still=still, known=known)


def _budget(row: OverBudget, around: Around) -> Seen:
    is_agent = row.scope == "agent"
    whose = f"{row.agent[:80] or 'an unnamed agent'} of {around.of(row.tenant)}" if is_agent else around.of(row.tenant)
    percent = row.used_nano_usd * 100 / row.limit_nano_usd if row.limit_nano_usd else float(row.percent)
    return Seen(
        alert_class=AlertClass.BUDGET,
        scope_type=ScopeType.AGENT if is_agent else ScopeType.TENANT,
        scope_id=row.agent if is_agent else "",
        about_tenant=row.tenant,
        agent=row.agent if is_agent else "",
        severity=DEFAULTS[AlertClass.BUDGET].severity,
        summary=f"The budget per {row.period} of {whose} is used up: {_usd(row.used_nano_usd)} of "
        f"{_usd(row.limit_nano_usd)} USD.",
        value=percent,
        threshold=100.0,
        unit="% of the budget",
        since=row.crossed_at,
        data={"period": row.period, "limit_usd": row.limit_nano_usd / NANO, "used_usd": row.used_nano_usd / NANO},
        source={"kind": "notice", "id": str(row.id)},
    )


def _plan(row: OverPlan) -> Seen:
    amount, bound = (int(row.data.get(name, 0)) for name in ("amount_nano_usd", "bound_nano_usd"))
    return Seen(
        alert_class=AlertClass.BUDGET,
        scope_type=ScopeType.PRODUCT,
        scope_id=row.kind,
        severity=Severity.SEV2,
        summary=f"{row.detail}.",
        value=amount / NANO,
        threshold=bound / NANO,
        unit="USD",
        since=row.found_at,
        source={"kind": "product_finding", "id": str(row.id)},
    )


def _usd(nano: int) -> str:
    return f"{nano / NANO:,.2f}"
