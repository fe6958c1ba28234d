"""Budgets, calls and settlements in one line each, and what must hold of them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from agentops.budgets import queries, services
from agentops.budgets.policies import ceiling_of
from agentops.budgets.types import Action, BudgetTerms, Hold, Period, Refused, Scope, Settled, Usage
from agentops.common.ids import new_id
from agentops.common.money import NANO
from agentops.common.scope import tenant_scope
from tests.world import OPERATOR

# A half past twelve of last month, far from the ends of day and month: the ledger has partitions some months back.
NOON = (datetime.now(UTC).replace(day=1) - timedelta(days=20)).replace(hour=12, minute=30, second=0, microsecond=0)
MODEL = "house-model"
TOKEN = 1_000  # nano-dollars of each token of it
HOUR = timedelta(hours=1)


@dataclass
class Purse:
    """The money of one organisation. Each verb is a transaction of its own, as the guard's are."""

    tenant: uuid.UUID
    at: datetime = NOON
    runs: dict[str, uuid.UUID] = field(default_factory=dict)

    def priced(self) -> Purse:
        """A token of MODEL costs TOKEN, whatever it is."""
        self._do(
            services.set_price, provider="", model=MODEL, rates={"input": Decimal(1), "output": Decimal(1)},
            by=OPERATOR, at=self.at,
        )  # fmt: skip
        return self

    def budget(
        self,
        usd: float | str,
        *,
        scope: Scope = Scope.TENANT,
        of: str = "",
        period: Period = Period.DAY,
        action: Action = Action.BLOCK,
        ceiling: float | None = None,
    ) -> uuid.UUID:
        limit = int(Decimal(str(usd)) * NANO)
        terms = BudgetTerms(
            scope=scope,
            scope_id=of,
            period=period,
            limit_nano_usd=limit,
            ceiling_nano_usd=int(Decimal(str(ceiling)) * NANO)
            if ceiling
            else ceiling_of(limit_nano_usd=limit, action=action),
            thresholds=(50, 75, 100),
            action=action,
        )
        return uuid.UUID(str(self._do(services.set_budget, terms=terms, by=OPERATOR, at=self.at).id))

    def run(self, name: str) -> uuid.UUID:
        return self.runs.setdefault(name, new_id())

    def reserve(
        self, run: str, call: str, tokens: int, *, user: str = "u1", agent: str = "bot", past_limit: bool = False,
        at: datetime | None = None,
    ) -> Hold | Refused:  # fmt: skip
        """Hold `tokens` tokens of MODEL for ten minutes."""
        at = at or self.at
        found: Hold | Refused = self._do(
            services.reserve, run=self.run(run), call_id=call, agent=agent, user=user, model=MODEL, provider="house",
            hold_nano_usd=tokens * TOKEN, input_tokens=0, max_output_tokens=tokens, past_limit=past_limit,
            expires_at=at + timedelta(minutes=10), at=at,
        )  # fmt: skip
        return found

    def settle(self, run: str, call: str, tokens: int | None, outcome: str = "ok") -> Settled:
        usage = None if tokens is None else Usage(output_tokens=tokens)
        found: Settled = self._do(
            services.settle, run=self.run(run), call_id=call, outcome=outcome, usage=usage, at=self.at
        )
        return found

    def expire(self, run: str, call: str, *, after: timedelta = HOUR) -> int | None:
        found: int | None = self._do(services.expire_hold, run=self.run(run), call_id=call, at=self.at + after)
        return found

    def close(self, *runs: str) -> None:
        self._do(services.close_leases, runs=[self.run(run) for run in runs], at=self.at)

    def used(self, budget: uuid.UUID) -> int | None:
        """Tokens charged and held."""
        with tenant_scope(self.tenant):
            found = queries.budget_state(tenant=self.tenant, budget_id=budget, at=self.at).used_nano_usd
        return None if found is None else found // TOKEN

    def rows(self, statement: str, *params: Any) -> list[tuple[Any, ...]]:
        with tenant_scope(self.tenant), connection.cursor() as cursor:
            cursor.execute(statement, params)
            return list(cursor.fetchall())

    def sum(self, statement: str, *params: Any) -> int:
        return int(self.rows(statement, *params)[0][0] or 0)

    def charged(self) -> int:
        """Tokens, by the ledger."""
        return self.sum("SELECT sum(amount_nano_usd) FROM budgets_ledgerentry") // TOKEN

    def held(self) -> int:
        """Tokens, by the slices, which must be what the holds say."""
        held = self.sum("SELECT sum(held_nano_usd) FROM budgets_lease")
        assert held == self.sum("SELECT sum(hold_nano_usd) FROM budgets_reservation WHERE state = 'held'")
        return held // TOKEN

    def _do(self, service: Callable[..., Any], **arguments: Any) -> Any:
        with tenant_scope(self.tenant):
            return service(tenant=self.tenant, **arguments)
