"""Spend over all organisations, as pages for our own people show it. Needs staff's scope.

A month is that of each organisation's own calendar, so its figure here is the one on its own pages.
"""

from __future__ import annotations

import re
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

from agentops.budgets import alarms, queries
from agentops.budgets.plans import PLAN_LIMITS
from agentops.budgets.queries import SumRow
from agentops.budgets.types import SUMS, Scope
from agentops.common.errors import InputProblem, InvalidInput
from tenants import queries as tenants
from tenants.types import Tenant

_DAY = timedelta(days=1)
_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar, as far as it has come."""

    first: date
    today: date

    @classmethod
    def of(cls, text: str, today: date) -> Month:
        """From "2026-11"; the present one where empty. Raises InvalidInput."""
        if not text:
            return cls(today.replace(day=1), today)
        found = _MONTH.fullmatch(text)
        first = date(int(found[1]), int(found[2]), 1) if found else None
        if first is None or first > today:
            problem = InputProblem("/month", "invalid", "is a month such as 2026-11, not after the present one")
            raise InvalidInput("There is no such month to show.", problems=(problem,))
        return cls(first, today)

    @property
    def end(self) -> date:
        return (self.first + timedelta(days=32)).replace(day=1)

    @property
    def before(self) -> Month:
        return Month((self.first - _DAY).replace(day=1), self.today)

    @property
    def after(self) -> Month | None:
        return None if self.is_present else Month(self.end, self.today)

    @property
    def is_present(self) -> bool:
        return self.first <= self.today < self.end

    @property
    def days(self) -> int:
        """How many of its days have begun."""
        return (min(self.end, self.today + _DAY) - self.first).days

    @property
    def key(self) -> str:
        return f"{self.first:%Y-%m}"


@dataclass(frozen=True, slots=True)
class TenantLine:
    """What one organisation spent in a month, and in the same days of the one before."""

    tenant: Tenant
    amount_nano_usd: int
    before_nano_usd: int
    calls: int
    unpriced_calls: int
    tier_nano_usd: int  # what its plan gives for a month

    @property
    def change_nano_usd(self) -> int:
        return self.amount_nano_usd - self.before_nano_usd

    @property
    def change(self) -> float | None:
        """As a ratio; None where there was nothing before."""
        return self.change_nano_usd / self.before_nano_usd if self.before_nano_usd else None

    @property
    def used(self) -> float:
        """The part of its plan."""
        return self.amount_nano_usd / self.tier_nano_usd if self.tier_nano_usd else 0.0


@dataclass(frozen=True, slots=True)
class Spending:
    """A month of all organisations."""

    month: Month
    lines: list[TenantLine]  # those that spent in it or in the one before
    by_day: dict[date, SumRow]  # of this month and the one before, and of the week before today
    total_nano_usd: int
    before_nano_usd: int  # in the same days of the month before
    saved_nano_usd: int
    input_tokens: int
    cache_read_tokens: int
    unpriced_calls: int
    outcomes: Outcomes

    @property
    def hit_rate(self) -> float | None:
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What runs that ended in one way cost, as it was last added up."""

    amounts: dict[str, int] = field(default_factory=dict)  # by outcome
    runs: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[queries.OutcomeRow]) -> Outcomes:
        amounts: dict[str, int] = defaultdict(int)
        runs: dict[str, int] = defaultdict(int)
        for row in rows:
            amounts[row.outcome] += row.amount_nano_usd
            runs[row.outcome] += row.runs
        return cls(dict(amounts), dict(runs))

    @property
    def total_nano_usd(self) -> int:
        return sum(self.amounts.values())

    @property
    def error_nano_usd(self) -> int:
        return self.amounts.get("error", 0)

    @property
    def aborted_nano_usd(self) -> int:
        return self.amounts.get("aborted", 0)

    @property
    def successes(self) -> int:
        return self.runs.get("ok", 0)

    @property
    def per_success_nano_usd(self) -> int | None:
        """All that was spent, over the runs that succeeded: what one success costs, failures included."""
        return self.total_nano_usd // self.successes if self.successes else None


@dataclass(frozen=True)
class AgentLine:
    """One agent of one organisation in a month."""

    tenant: Tenant
    agent: str
    sums: SumRow
    ended: Sequence[queries.OutcomeRow]

    @cached_property
    def outcomes(self) -> Outcomes:
        """Of the lines that are shown; there are many more."""
        return Outcomes.of(self.ended)

    @property
    def hit_rate(self) -> float | None:
        return self.sums.cache_read_tokens / self.sums.input_tokens if self.sums.input_tokens else None


def spending(month: Month) -> Spending:
    """The month, organisation by organisation, and its days."""
    organisations = {tenant.id: tenant for tenant in tenants.customers()}
    ids, before = list(organisations), month.before
    since = min(before.first, month.today - timedelta(days=alarms.BASELINE_DAYS)) if month.is_present else before.first
    until = min(before.end, before.first + timedelta(days=month.days)) if month.is_present else before.end
    now, then, days = queries.product_months(
        tenants=ids, first=month.first, until=month.end, then=(before.first, until), days_since=since
    )
    whole = added(now.values())
    return Spending(
        month=month,
        lines=[_line(organisations[each], now.get(each), then.get(each)) for each in {*now, *then}],
        by_day={row.day: row for row in days if row.day},
        total_nano_usd=whole.amount_nano_usd,
        before_nano_usd=sum(row.amount_nano_usd for row in then.values()),
        saved_nano_usd=whole.saved_nano_usd,
        input_tokens=whole.input_tokens,
        cache_read_tokens=whole.cache_read_tokens,
        unpriced_calls=whole.unpriced_calls,
        outcomes=Outcomes.of(queries.product_outcomes(tenants=ids, first=month.first, end=month.end)),
    )


def agent_and_model_lines(month: Month, *, tenant: Tenant | None = None) -> tuple[list[AgentLine], list[SumRow]]:
    """Agents, and models, of one organisation or of all, the dearest first."""
    organisations = {each.id: each for each in ([tenant] if tenant else tenants.customers())}
    ids = list(organisations)
    outcomes: dict[tuple[uuid.UUID, str], list[queries.OutcomeRow]] = defaultdict(list)
    for each in queries.product_outcomes(tenants=ids, first=month.first, end=month.end):
        outcomes[each.tenant_id, each.agent].append(each)
    agents, models = queries.product_agents_and_models(tenants=ids, since=month.first, until=month.end)
    lines = []
    for row in agents:
        assert row.tenant_id is not None
        ended = outcomes.get((row.tenant_id, row.agent), ())
        lines.append(AgentLine(organisations[row.tenant_id], row.agent, row, ended))
    lines.sort(key=lambda line: (-line.sums.amount_nano_usd, line.tenant.name, line.agent))
    return lines, sorted(models, key=lambda row: (-row.amount_nano_usd, row.provider, row.model))


def day_lines(month: Month, *, tenant: Tenant) -> list[SumRow]:
    """The days of one organisation's month."""
    return queries.product_sums(tenants=[tenant.id], since=month.first, until=month.end, by=("day",))


def added(rows: Iterable[SumRow]) -> SumRow:
    """Several rows as one, without names."""
    found = list(rows)
    return SumRow(**{name: sum(getattr(row, name) for row in found) for name in SUMS})


def _line(tenant: Tenant, now: SumRow | None, then: SumRow | None) -> TenantLine:
    return TenantLine(
        tenant=tenant,
        amount_nano_usd=now.amount_nano_usd if now else 0,
        before_nano_usd=then.amount_nano_usd if then else 0,
        calls=now.calls if now else 0,
        unpriced_calls=now.unpriced_calls if now else 0,
        tier_nano_usd=PLAN_LIMITS[tenant.plan][Scope.TENANT],
    )


# -- quarters ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuarterLine:
    """What one organisation paid and spent in a quarter."""

    tenant: Tenant | None  # None: all of them
    revenue_nano_usd: int
    spent_nano_usd: int

    @property
    def margin_nano_usd(self) -> int:
        return self.revenue_nano_usd - self.spent_nano_usd

    @property
    def share(self) -> float | None:
        """The part of the revenue that was spent on models; None where nothing was paid."""
        return self.spent_nano_usd / self.revenue_nano_usd if self.revenue_nano_usd else None


@dataclass(frozen=True, slots=True)
class Quarter:
    """Three months."""

    first: date

    @classmethod
    def around(cls, day: date) -> Quarter:
        return cls(day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1))

    @property
    def end(self) -> date:
        return (self.first + timedelta(days=95)).replace(day=1)

    @property
    def before(self) -> Quarter:
        return Quarter.around(self.first - _DAY)

    @property
    def key(self) -> str:
        return f"{self.first.year}-Q{self.first.month // 3 + 1}"

    @property
    def word(self) -> str:
        return f"Q{self.first.month // 3 + 1} {self.first.year}"


def quarter_lines(quarters: list[Quarter]) -> dict[Quarter, list[QuarterLine]]:
    """Revenue and spend of each organisation in these quarters (oldest first); the first line of each is all of them."""
    organisations = {tenant.id: tenant for tenant in tenants.customers()}
    spent: dict[tuple[Quarter, uuid.UUID], int] = defaultdict(int)
    since, until = quarters[0].first, quarters[-1].end
    of_month = {month: Quarter.around(month) for month in _months(since, until)}
    for (tenant_id, month), amount in queries.product_spend(
        tenants=list(organisations), since=since, until=until
    ).items():
        spent[of_month[month], tenant_id] += amount
    paid: dict[tuple[Quarter, uuid.UUID], int] = defaultdict(int)
    for (tenant_id, month), amount in queries.revenue_by_month(since=since, until=until).items():
        paid[of_month[month], tenant_id] += amount
    return {quarter: _quarter(quarter, organisations, paid, spent) for quarter in quarters}


def _months(since: date, until: date) -> Iterator[date]:
    """The first days of the months between two of them, without the last."""
    while since < until:
        yield since
        since = (since + timedelta(days=32)).replace(day=1)


def _quarter(
    quarter: Quarter,
    organisations: Mapping[uuid.UUID, Tenant],
    paid: Mapping[tuple[Quarter, uuid.UUID], int],
    spent: Mapping[tuple[Quarter, uuid.UUID], int],
) -> list[QuarterLine]:
    lines = [
        QuarterLine(tenant, paid.get((quarter, each), 0), spent.get((quarter, each), 0))
        for each, tenant in organisations.items()
        if (quarter, each) in paid or (quarter, each) in spent
    ]
    lines.sort(key=lambda line: (line.margin_nano_usd, line.tenant.name if line.tenant else ""))
    whole = QuarterLine(None, sum(line.revenue_nano_usd for line in lines), sum(line.spent_nano_usd for line in lines))
    return [whole, *lines]
