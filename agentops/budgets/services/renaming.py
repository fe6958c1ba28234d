"""Calls whose agent or user became known after they were charged: what was charged moves to them, by entries."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, replace

from django.db import connection

from agentops.budgets.queries.calls import charged_calls
from agentops.budgets.services.ledger import cut
from agentops.budgets.types import CallKey, Charge, ChargedCall, EntryKind
from agentops.common import scope
from agentops.common.forgetting import is_pseudonym

_KEYS = """
SELECT DISTINCT e.occurred_at, e.run_id, e.span_id, e.call_id FROM unnest(%s::uuid[], %s::int8[]) AS n (run_id, span_id)
JOIN budgets_ledgerentry e ON e.tenant_id = %s AND e.run_id = n.run_id AND e.span_id = n.span_id ORDER BY 1, 2, 3, 4
"""
_REASON = "its run said later whose it was"


def renamed(*, tenant: uuid.UUID, names: Mapping[tuple[uuid.UUID, int], tuple[str, str]]) -> list[Charge]:
    """The entries that move what these spans, by run and id, were charged to an agent and a user.

    The caller charges them, and has locked the runs. What is taken back, or was never charged, stays so; and what was a
    forgotten person's stays theirs, though their run is of somebody else by now, or is held and names them still.
    """
    scope.require_tenant(tenant)
    if not names:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_KEYS, [*([key[place] for key in names] for place in (0, 1)), tenant])
        keys = [CallKey(occurred_at=row[0], run_id=row[1], span_id=row[2], call_id=row[3]) for row in cursor.fetchall()]
    charges = []
    for call in charged_calls(tenant=tenant, keys=keys) if keys else ():
        agent, user = names[call.key.run_id, call.key.span_id]
        theirs = replace(call, agent=cut(agent), user_id=call.user_id if is_pseudonym(call.user_id) else cut(user))
        if theirs != call:
            charges += [_entry(call, EntryKind.CORRECTION, -1), _entry(theirs, EntryKind.CHARGE, 1)]
    return charges


def _entry(call: ChargedCall, kind: EntryKind, sign: int) -> Charge:
    amount = call.amount_nano_usd
    return Charge(
        kind=kind,
        **asdict(call.key),
        agent=call.agent,
        user_id=call.user_id,
        model=call.model,
        provider=call.provider,
        **{name: sign * count for name, count in asdict(call.usage).items()},
        amount_nano_usd=None if amount is None else sign * amount,
        price_version=call.price_version,
        reason=_REASON,
        saved_nano_usd=sign * call.saved_nano_usd,
    )
