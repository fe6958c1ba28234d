"""`bench ledger`: what ledger, roll-ups and budgets cost ingest.

The tenant has the budgets of its plan, and one of each agent, so that every call stands under three.
"""

from __future__ import annotations

from typing import Any

from agentops.budgets import services as budgets
from agentops.budgets.policies import ceiling_of
from agentops.budgets.types import Action, BudgetTerms, Period, Scope
from agentops.common import clock
from agentops.common.money import NANO
from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill, ingest
from agentops.portal.bench.turns import by_turns
from audit.types import operator

_WITHOUT = "agentops.portal.bench.wsgi_unledgered:application"
_LIMIT = 1_000_000 * NANO  # never reached


def run(*, spans: int) -> dict[str, Any]:
    """Medians of some turns of so many spans each, with and without charges."""
    tenant, key = ingest.tenant_for_bench()
    try:
        with tenant_scope(tenant):
            for scope in (Scope.TENANT, Scope.USER, Scope.AGENT):
                budgets.set_budget(tenant=tenant, terms=_terms(scope), by=operator("bench"), at=clock.now())
        return by_turns(without=_WITHOUT, key=key, spans=spans).figures()
    finally:
        fill.forget([(tenant, "bench")])


def _terms(scope: Scope) -> BudgetTerms:
    return BudgetTerms(
        scope=scope,
        scope_id="",
        period=Period.MONTH,
        limit_nano_usd=_LIMIT,
        ceiling_nano_usd=ceiling_of(limit_nano_usd=_LIMIT, action=Action.THROTTLE),
        thresholds=(50, 75, 100),
        action=Action.THROTTLE,
    )
