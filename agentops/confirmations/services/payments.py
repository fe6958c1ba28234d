"""Whom calls pay: what "a new payee" and "today's sum" are told from."""

from __future__ import annotations

import hashlib
import uuid
from datetime import datetime
from typing import Any

from django.db import connection

from agentops.common import scope, strictjson
from agentops.confirmations.policies.raises import Paying, amount_of

# Two runs of one user that pay at the same time would else each see a sum without the other.
_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%(turn)s, 11))"
_WEIGH = """
WITH day AS (SELECT date_trunc('day', %(at)s::timestamptz, 'UTC') AS began)
SELECT NOT EXISTS (
        SELECT 1 FROM confirmations_payment k, day WHERE k.tenant_id = %(tenant)s AND k.tool = %(tool)s
            AND k.payee = %(payee)s AND k.was_paid AND k.at < day.began),
    (SELECT coalesce(sum(p.amount), 0) FROM confirmations_payment p, day
        WHERE p.tenant_id = %(tenant)s AND p.acting_user = %(user)s AND p.tool = %(tool)s AND p.at >= day.began
            AND NOT (p.run_id = %(run)s AND p.call_id = %(call_id)s)
            AND NOT EXISTS (
                SELECT 1 FROM confirmations_payment k WHERE k.tenant_id = p.tenant_id AND k.tool = p.tool
                    AND k.payee = p.payee AND k.was_paid AND k.at < day.began))
"""
_NOTE = """
INSERT INTO confirmations_payment (tenant_id, run_id, call_id, tool, acting_user, payee, amount, at, was_paid)
VALUES (%(tenant)s, %(run)s, %(call_id)s, %(tool)s, %(user)s, %(payee)s, %(amount)s, %(at)s, false)
ON CONFLICT (tenant_id, run_id, call_id) DO UPDATE SET payee = excluded.payee, amount = excluded.amount
"""
_PAID = "UPDATE confirmations_payment SET was_paid = true WHERE tenant_id = %s AND run_id = %s AND call_id = %s"


def weigh_payment(
    *,
    tenant: uuid.UUID,
    tool: str,
    acting_user: str,
    run: uuid.UUID,
    call_id: str,
    payee: Any,
    amount: Any,
    at: datetime,
) -> Paying:
    """What a call that pays comes to, with what the user's other calls pay today. `payee` and `amount` as the arguments
    have them. Until the transaction ends, nobody else weighs a payment of this user by this tool."""
    scope.require_tenant(tenant)
    told = amount_of(amount)
    params: dict[str, Any] = {
        "turn": f"payments:{tenant}:{tool}:{acting_user}",
        "tenant": tenant,
        "tool": tool,
        "user": acting_user,
        "run": run,
        "call_id": call_id,
        "payee": _digest(payee),
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_TURN, params)
        cursor.execute(_WEIGH, params)  # a statement of its own: its snapshot must be newer than the lock
        is_new, others = cursor.fetchone()
    return Paying(amount=told, is_new_payee=is_new, today=others + (told or 0))


def note_payment(
    *,
    tenant: uuid.UUID,
    tool: str,
    acting_user: str,
    run: uuid.UUID,
    call_id: str,
    payee: Any,
    amount: Any,
    at: datetime,
) -> None:
    """Write down what an accepted call pays; a person's edit replaces it. An amount that is not told counts as nothing
    in later sums: such a call is looked at by itself."""
    scope.require_tenant(tenant)
    params: dict[str, Any] = {
        "tenant": tenant,
        "run": run,
        "call_id": call_id,
        "tool": tool,
        "user": acting_user,
        "payee": _digest(payee),
        "amount": amount_of(amount) or 0,
        "at": at,
    }
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, params)


def note_paid(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str) -> None:
    """The call went well: from tomorrow on, its payee is known."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_PAID, [tenant, run, call_id])


def _digest(payee: Any) -> bytes:
    return hashlib.sha256(strictjson.canonical(payee)).digest()
