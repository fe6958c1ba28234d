"""How a hold ends: settled, released, or unknown; once. A late settlement corrects what was charged as unknown.

A charge counts in the hour and the period in which its call was reserved, whenever it is settled: the totals of a
period then are the ledger's entries that occurred in it, and a hold and its cost never fall into different periods.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets.errors import AlreadySettled, HoldUnknown
from agentops.budgets.policies import hour_of
from agentops.budgets.prices import price
from agentops.budgets.queries import overrides
from agentops.budgets.queries.calendar import ZONE_OF, zone_called
from agentops.budgets.services import counters, slices
from agentops.budgets.services.ledger import charge_many
from agentops.budgets.types import GUARD_SPAN, Charge, EntryKind, GuardedCall, HoldState, Settled, Usage
from agentops.common import prepared, scope
from agentops.common.ids import new_id
from agentops.common.prepared import Statement

GIVEN_UP_WITHIN = timedelta(seconds=5)  # a call that is cancelled so soon is taken as not made
_MONEY_OF_RUN = "SELECT pg_advisory_xact_lock(hashtextextended(%(run_key)s, 9))"
_FOUND = f"""
SELECT r.run_id, r.call_id, r.lease_id, r.state, r.agent, r.user_id, r.provider, r.model, r.hold_nano_usd,
    r.cost_nano_usd, r.reserved_at, r.expires_at, {ZONE_OF.format(tenant="%(tenant)s")} FROM budgets_reservation r
WHERE r.tenant_id = %(tenant)s AND r.run_id = %(run)s AND r.call_id = %(call_id)s FOR UPDATE OF r
"""  # noqa: S608
_END = """
UPDATE budgets_reservation SET state = %(state)s, cost_nano_usd = %(cost)s, settled_at = %(at)s
WHERE tenant_id = %(tenant)s AND run_id = %(run_id)s AND call_id = %(call_id)s
"""
_IN_SLICE = f"""
WITH lease AS (
    UPDATE budgets_lease SET held_nano_usd = held_nano_usd - %(hold)s, spent_nano_usd = spent_nano_usd + %(cost)s,
        amount_nano_usd = greatest(amount_nano_usd, held_nano_usd - %(hold)s + spent_nano_usd + %(cost)s)
    WHERE tenant_id = %(tenant)s AND id = %(lease)s AND is_open
    RETURNING id
), ended AS ({_END} AND EXISTS (SELECT 1 FROM lease)), entry AS (
    INSERT INTO budgets_ledgerentry (tenant_id, id, occurred_at, recorded_at, kind, run_id, span_id, call_id, agent, user_id,
        model, provider, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens,
        amount_nano_usd, saved_nano_usd, is_priced, price_version, reason)
    SELECT %(tenant)s, %(id)s, %(occurred_at)s, %(at)s, %(kind)s, %(run_id)s, %(span_id)s, %(call_id)s, %(agent)s,
        %(user_id)s, %(model)s, %(provider)s, %(input_tokens)s, %(output_tokens)s, %(cache_read_tokens)s,
        %(cache_write_tokens)s, %(reasoning_tokens)s, %(amount_nano_usd)s, %(saved_nano_usd)s, true,
        %(price_version)s, %(reason)s
    FROM lease
), sums AS (
    INSERT INTO budgets_usagehour AS u (tenant_id, hour, agent, user_id, provider, model, calls, unpriced_calls,
        input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens, amount_nano_usd,
        saved_nano_usd, guarded_nano_usd, cached_answers)
    SELECT %(tenant)s, %(hour)s, %(agent)s, %(user_id)s, %(provider)s, %(model)s, 1, 0, %(input_tokens)s,
        %(output_tokens)s, %(cache_read_tokens)s, %(cache_write_tokens)s, %(reasoning_tokens)s, %(amount_nano_usd)s,
        %(saved_nano_usd)s, %(amount_nano_usd)s, 0 FROM lease
    ON CONFLICT (tenant_id, hour, agent, user_id, provider, model) DO UPDATE SET
        calls = u.calls + 1, input_tokens = u.input_tokens + excluded.input_tokens,
        output_tokens = u.output_tokens + excluded.output_tokens,
        cache_read_tokens = u.cache_read_tokens + excluded.cache_read_tokens,
        cache_write_tokens = u.cache_write_tokens + excluded.cache_write_tokens,
        reasoning_tokens = u.reasoning_tokens + excluded.reasoning_tokens,
        amount_nano_usd = u.amount_nano_usd + excluded.amount_nano_usd,
        saved_nano_usd = u.saved_nano_usd + excluded.saved_nano_usd,
        guarded_nano_usd = u.guarded_nano_usd + excluded.guarded_nano_usd
)
SELECT count(*) FROM lease
"""  # noqa: S608
_RELEASE_IN_SLICE = f"""
WITH lease AS (
    UPDATE budgets_lease SET held_nano_usd = held_nano_usd - %(hold)s
    WHERE tenant_id = %(tenant)s AND id = %(lease)s AND is_open RETURNING id
), ended AS ({_END} AND EXISTS (SELECT 1 FROM lease))
SELECT count(*) FROM lease
"""  # noqa: S608
# A closed slice keeps nothing but what is held.
_LEAVE_CLOSED = """
WITH left_over AS (
    UPDATE budgets_lease SET held_nano_usd = held_nano_usd - %(hold)s, amount_nano_usd = amount_nano_usd - %(hold)s
    WHERE tenant_id = %(tenant)s AND id = %(lease)s AND held_nano_usd > %(hold)s RETURNING id
)
DELETE FROM budgets_lease WHERE tenant_id = %(tenant)s AND id = %(lease)s AND NOT EXISTS (SELECT 1 FROM left_over)
"""


@dataclass(frozen=True, slots=True)
class _Found:
    """A hold, locked."""

    run_id: uuid.UUID
    call_id: str
    lease_id: uuid.UUID
    state: str
    agent: str
    user_id: str
    provider: str
    model: str
    hold: int
    cost: int
    reserved_at: datetime
    expires_at: datetime
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _End:
    """What a hold becomes; `charge` is None where nothing is charged."""

    state: HoldState
    charge: Charge | None

    @property
    def cost(self) -> int:
        return (self.charge.amount_nano_usd or 0) if self.charge else 0


def settle(
    *, tenant: uuid.UUID, run: uuid.UUID, call_id: str, outcome: str, usage: Usage | None, at: datetime
) -> Settled:
    """Charge what a held call cost, and give back the rest, inside the caller's transaction.

    `outcome` is ok, error, cancelled or unknown. A call whose usage or outcome is not known is charged at its hold: a
    number is believed, silence is not. So is a cancelled one without usage, as a provider may have been asked by then;
    but for the first moments (GIVEN_UP_WITHIN). Who knows that nobody was asked says so: a usage of nothing. What the sweep charged as unknown is corrected by new
    entries. Raises HoldUnknown, AlreadySettled.
    """
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        found = _locked(tenant, run, call_id)
        if found is None:
            raise HoldUnknown("There is no hold for this call.")
        if found.state not in (HoldState.HELD, HoldState.UNKNOWN):
            raise AlreadySettled("This call was settled before.")
        end = _ending(tenant, found, outcome, usage, at)
        was_unknown = found.state == HoldState.UNKNOWN
        if not was_unknown:
            _end_held(cursor, tenant, found, end, at)
        elif end.state is not HoldState.UNKNOWN:
            _correct(cursor, tenant, found, end, at)
        else:
            end = _End(state=HoldState.UNKNOWN, charge=_at_hold(found))
    return Settled(
        state=end.state,
        cost_nano_usd=end.cost,
        hold_nano_usd=found.hold,
        debt_nano_usd=max(0, end.cost - found.hold),
        was_unknown=was_unknown,
    )


def expire_hold(*, tenant: uuid.UUID, run: uuid.UUID, call_id: str, at: datetime) -> int | None:
    """Charge a hold that nobody settled in time, at the hold; answers it. None where it is not, or no longer, due."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        found = _locked(tenant, run, call_id)
        if found is None or found.state != HoldState.HELD or found.expires_at > at:
            return None
        _end_held(cursor, tenant, found, _End(state=HoldState.UNKNOWN, charge=_at_hold(found)), at)
    return found.hold


def guarded_calls(*, tenant: uuid.UUID, runs: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[str, GuardedCall]]:
    """The reserved calls of runs, by run and call id; until the transaction ends, none of them is settled by others.

    For ingest, which must not charge their spans again. Lock these runs before their rows in traces.
    """
    scope.require_tenant(tenant)
    found: dict[uuid.UUID, dict[str, GuardedCall]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(k, 9)) FROM (SELECT unnest(%s::text[]) AS k) AS keys; "
            "SELECT run_id, call_id, state, hold_nano_usd, cost_nano_usd FROM budgets_reservation "
            "WHERE tenant_id = %s AND run_id = ANY(%s)",
            [sorted(_run_key(run) for run in runs), tenant, list(runs)],
        )
        cursor.nextset()
        for run, call_id, state, hold, cost in cursor.fetchall():
            found.setdefault(run, {})[call_id] = GuardedCall(
                state=HoldState(state), hold_nano_usd=hold, cost_nano_usd=cost
            )
    return found


def _run_key(run: uuid.UUID) -> str:
    return f"guarded:{run}"


def _locked(tenant: uuid.UUID, run: uuid.UUID, call_id: str) -> _Found | None:
    """The hold, with the locks that a charge needs (counters.py), each taken before the snapshot that reads."""
    params = {
        "slice_of": slices.mine_key(run),
        "run_key": _run_key(run),
        "budgets_of": counters.share_key(tenant),
        "tenant": tenant,
        "run": run,
        "call_id": call_id,
    }
    *_, rows = prepared.run_all(
        [Statement(text, params) for text in (_MONEY_OF_RUN, slices.MINE, counters.SHARE, _FOUND)]
    )
    return _Found(*rows[0]) if rows else None


def _ending(tenant: uuid.UUID, found: _Found, outcome: str, usage: Usage | None, at: datetime) -> _End:
    if outcome == "cancelled" and usage is None and at - found.reserved_at <= GIVEN_UP_WITHIN:
        return _End(state=HoldState.RELEASED, charge=None)
    if outcome == "unknown" or usage is None:
        return _End(state=HoldState.UNKNOWN, charge=_at_hold(found))
    priced = price(
        found.provider,
        found.model,
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.cache_read_tokens,
        cache_write=usage.cache_write_tokens,
        reasoning=usage.reasoning_tokens,
        at=found.reserved_at,
        overrides=overrides(tenant=tenant, since=found.reserved_at),
    )
    if priced.nano_usd is None:  # it had a price when it was reserved
        reason = "its model has no price any more: charged at its hold"
        return _End(state=HoldState.UNKNOWN, charge=_charge(found, found.hold, usage, "", reason))
    charge = _charge(found, priced.nano_usd, usage, priced.table_version, "")
    charge.saved_nano_usd = priced.saved_nano_usd
    return _End(state=HoldState.SETTLED, charge=charge)


def _at_hold(found: _Found) -> Charge:
    return _charge(found, found.hold, Usage(), "", "nobody said what it used: charged at its hold")


def _charge(found: _Found, amount: int, usage: Usage, version: str, reason: str) -> Charge:
    return Charge(
        kind=EntryKind.GUARDED,
        occurred_at=found.reserved_at,
        run_id=found.run_id,
        span_id=GUARD_SPAN,
        call_id=found.call_id,
        agent=found.agent,
        user_id=found.user_id,
        model=found.model,
        provider=found.provider,
        **asdict(usage),
        amount_nano_usd=amount,
        price_version=version,
        reason=reason,
    )


def _end_held(cursor: CursorWrapper, tenant: uuid.UUID, found: _Found, end: _End, at: datetime) -> None:
    params: dict[str, Any] = {
        "tenant": tenant,
        "lease": found.lease_id,
        "hold": found.hold,
        "cost": end.cost,
        "state": end.state,
        "at": at,
        "run_id": found.run_id,
        "call_id": found.call_id,
    }
    if end.charge is None:
        is_open = _in_slice(cursor, _RELEASE_IN_SLICE, params)
    else:
        charged = {
            **asdict(end.charge),
            **params,
            "id": new_id(),
            "kind": int(end.charge.kind),
            "hour": hour_of(found.reserved_at, zone_called(found.time_zone)),
        }
        is_open = _in_slice(cursor, _IN_SLICE, charged)
    if is_open:
        return
    # The slice was closed: the run has ended, its period has passed, or a budget was changed.
    if end.charge is not None:
        charge_many(tenant=tenant, charges=[end.charge], at=at)
    cursor.execute(_END, params)
    cursor.execute(_LEAVE_CLOSED, params)


def _in_slice(cursor: CursorWrapper, text: str, params: dict[str, Any]) -> bool:
    """End a hold inside its slice, if that is open.

    A slice that closed while this waited for its row is let go of, before its counters are waited for: whoever has them may
    want that row.
    """
    *_, [[is_open]] = prepared.run_all([Statement(slices.TRYING), Statement(text, params)])
    if not is_open:
        cursor.execute(slices.GIVE_UP)
    return bool(is_open)


def _correct(cursor: CursorWrapper, tenant: uuid.UUID, found: _Found, end: _End, at: datetime) -> None:
    """Take back what was charged when nobody knew, and charge what it was."""
    reason = "settled late: takes back what was charged when nobody knew"
    names = [one.name for one in fields(Usage)]
    cursor.execute(
        f"SELECT saved_nano_usd, {', '.join(names)} FROM budgets_ledgerentry WHERE tenant_id = %s AND occurred_at = %s AND run_id = %s "  # noqa: S608
        "AND call_id = %s AND kind = %s",
        [tenant, found.reserved_at, found.run_id, found.call_id, int(EntryKind.GUARDED)],
    )
    saved, *counts = cursor.fetchone()
    taken_back = Usage(**{name: -count for name, count in zip(names, counts, strict=True)})
    back = _charge(found, -found.cost, taken_back, "", reason)
    back.saved_nano_usd = -saved
    back.kind = EntryKind.CORRECTION
    charges = [back] if end.charge is None else [back, end.charge]
    charge_many(tenant=tenant, charges=charges, at=at)
    cursor.execute(
        _END,
        {
            "tenant": tenant,
            "state": end.state,
            "cost": end.cost,
            "at": at,
            "run_id": found.run_id,
            "call_id": found.call_id,
        },
    )
