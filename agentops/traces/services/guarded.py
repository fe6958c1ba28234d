"""What the guard charges belongs to a run's cost, like what its spans were charged."""

from __future__ import annotations

import uuid

from agentops.common import prepared, scope

_ADD = "UPDATE traces_run SET cost_nano_usd = cost_nano_usd + %s WHERE tenant_id = %s AND run_id = %s"


def add_guard_charge(*, tenant: uuid.UUID, run: uuid.UUID, amount_nano_usd: int) -> None:
    """Add what the guard just charged (or, negative, took back) to the run's cost, in the caller's transaction.

    A run of which no span has come has no row yet: the row that ingest makes begins with what the guard had charged by
    then. Call it after `budgets.services.settle` or `expire_hold`, under whose lock neither misses the other.
    """
    scope.require_tenant(tenant)
    if amount_nano_usd:
        prepared.run(_ADD, [amount_nano_usd, tenant, run])
