"""Setting money aside for a call, in all of its budgets or in none.

A run takes a slice out of every counter it stands under, with some room for further calls. A call that fits into the
slice is one statement on the run's own row. Only a call that does not locks the counters, where callers wait for each
other; slices shrink as less is left, and what other runs keep free is taken back before anybody is refused.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.backends.utils import CursorWrapper

from agentops.budgets import policies
from agentops.budgets.services import counters, notices, slices
from agentops.budgets.services.ledger import cut
from agentops.budgets.types import Hold, Period, Refused
from agentops.common import prepared, scope
from agentops.common.ids import new_id
from agentops.common.prepared import Statement

_INSERT = """
INSERT INTO budgets_reservation (tenant_id, run_id, call_id, lease_id, state, agent, user_id, provider, model, input_tokens,
    max_output_tokens, hold_nano_usd, cost_nano_usd, reserved_at, expires_at)
SELECT %(tenant)s, %(run)s, %(call_id)s, lease.id, 'held', %(agent)s, %(user)s, %(provider)s, %(model)s, %(input_tokens)s,
    %(max_output_tokens)s, %(hold)s, 0, %(at)s, %(expires_at)s FROM lease
"""
_FROM_SLICE = f"""
WITH lease AS (
    UPDATE budgets_lease SET held_nano_usd = held_nano_usd + %(hold)s
    WHERE tenant_id = %(tenant)s AND run_id = %(run)s AND is_open AND valid_from <= %(at)s AND valid_until > %(at)s
        AND amount_nano_usd - held_nano_usd - spent_nano_usd >= %(hold)s AND (%(past_limit)s OR NOT is_past_limit)
    RETURNING id
) {_INSERT} RETURNING 1
"""  # noqa: S608
_FILL = f"""
WITH lease AS (
    UPDATE budgets_lease SET held_nano_usd = held_nano_usd + %(hold)s,
        amount_nano_usd = held_nano_usd + spent_nano_usd + %(hold)s + %(beyond)s, is_past_limit = %(is_past)s
    WHERE tenant_id = %(tenant)s AND id = %(lease)s
    RETURNING id
) {_INSERT}
"""  # noqa: S608
_OPEN = f"""
WITH lease AS (
    INSERT INTO budgets_lease (tenant_id, id, run_id, agent, user_id, counters, amount_nano_usd, held_nano_usd,
        spent_nano_usd, is_open, is_past_limit, valid_from, valid_until)
    VALUES (%(tenant)s, %(lease)s, %(run)s, %(agent)s, %(user)s, %(counters)s, %(hold)s + %(beyond)s, %(hold)s, 0, true, %(is_past)s,
        %(valid_from)s, %(valid_until)s)
    RETURNING id
) {_INSERT}
"""  # noqa: S608


@dataclass(slots=True, kw_only=True)
class _Wanted:
    """A call, in the names of the statements' parameters."""

    tenant: uuid.UUID
    run: uuid.UUID
    call_id: str
    agent: str
    user: str
    provider: str
    model: str
    hold: int
    input_tokens: int
    max_output_tokens: int
    past_limit: bool
    expires_at: datetime
    at: datetime


def reserve(
    *,
    tenant: uuid.UUID,
    run: uuid.UUID,
    call_id: str,
    agent: str,
    user: str,
    model: str,
    provider: str,
    hold_nano_usd: int,
    input_tokens: int,
    max_output_tokens: int,
    past_limit: bool,
    expires_at: datetime,
    at: datetime,
) -> Hold | Refused:
    """Hold the worst case of a model call, inside the caller's transaction.

    Refused at a limit (unless `past_limit`) and, always, at a ceiling: no admitted hold passes one, however many ask at
    once. The hold belongs to the periods around `at`. A call id of the run that has a hold already raises
    IntegrityError: the caller finds its earlier answer then.
    """
    scope.require_tenant(tenant)
    wanted = _Wanted(
        tenant=tenant,
        run=run,
        call_id=call_id,
        agent=cut(agent),
        user=cut(user),
        provider=provider,
        model=cut(model),
        hold=hold_nano_usd,
        input_tokens=input_tokens,
        max_output_tokens=max_output_tokens,
        past_limit=past_limit,
        expires_at=expires_at,
        at=at,
    )
    params = {**asdict(wanted), "slice_of": slices.mine_key(run)}
    *_, taken = prepared.run_all(
        [Statement(slices.MINE, params), Statement(slices.TRYING), Statement(_FROM_SLICE, params)]
    )
    if not taken:
        with connection.cursor() as cursor:
            cursor.execute(slices.GIVE_UP)
            refused = _from_budgets(cursor, wanted)
        if refused is not None:
            return refused
    return Hold(run=run, call_id=call_id, hold_nano_usd=hold_nano_usd, expires_at=expires_at)


def _from_budgets(cursor: CursorWrapper, wanted: _Wanted) -> Refused | None:
    """Take a new slice out of every budget of the call, under the locks of their counters."""
    tenant, hold = wanted.tenant, wanted.hold
    kept_by = counters.kept_by(cursor, tenant)
    own = slices.own(cursor, tenant, wanted.run)
    places = kept_by.places(user=wanted.user, agent=wanted.agent, at=wanted.at)
    # A slice lasts a day of the organisation, so that its holds are of one period, whichever.
    lasts = policies.bounds(Period.DAY, wanted.at, kept_by.zone)
    if not places and own is None:
        _open(cursor, wanted, [], lasts, beyond=slices.UNLIMITED, is_past=False)
        return None
    counters.lock(cursor, tenant, places, also=own.counters if own else ())
    own = slices.own(cursor, tenant, wanted.run, lock=True)
    if own is not None and not own.holds_at(wanted.at):  # its periods have passed
        slices.close(cursor, tenant, [own.id])
        own = None
    kept = own.id if own else None
    read = counters.read(cursor, tenant, places, own=kept)
    assert own is None or set(own.counters) == set(read.ids), (
        "a run has one user and one agent, and budgets close slices"
    )
    refused = policies.refusal(read.standings, hold=hold, past_limit=wanted.past_limit)
    if refused is not None and slices.reclaim(cursor, tenant, read.ids, besides=kept):
        read = counters.read(cursor, tenant, places, own=kept)
        refused = policies.refusal(read.standings, hold=hold, past_limit=wanted.past_limit)
    if refused is not None:
        notices.refused(cursor, tenant, read.standings, read.ids, hold=hold, is_ceiling=refused.is_ceiling)
        return refused
    beyond = policies.slice_beyond(read.standings, hold=hold) if places else slices.UNLIMITED
    is_past = policies.passes_limit(read.standings, hold=hold)
    if own is None:
        _open(cursor, wanted, read.ids, lasts, beyond=beyond, is_past=is_past)
    else:
        cursor.execute(_FILL, {**asdict(wanted), "lease": own.id, "beyond": beyond, "is_past": is_past})
    return None


def _open(
    cursor: CursorWrapper,
    wanted: _Wanted,
    ids: list[uuid.UUID],
    lasts: tuple[datetime, datetime],
    *,
    beyond: int,
    is_past: bool,
) -> None:
    params: dict[str, Any] = {
        **asdict(wanted),
        "lease": new_id(),
        "counters": ids,
        "beyond": beyond,
        "is_past": is_past,
        "valid_from": lasts[0],
        "valid_until": lasts[1],
    }
    cursor.execute(_OPEN, params)
