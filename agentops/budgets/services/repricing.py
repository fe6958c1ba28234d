"""Pricing a period anew, as far as it is the ledger's: the plan, how far it has come, and the entries of changed calls.

Nothing is edited: an entry takes back what a call was charged, another one charges what it costs now, both with the reason.
Which calls, and what hangs on them in traces, `agentops/traces/services/repricing.py` knows.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

from django.db import connection

from agentops.budgets.models import Repricing
from agentops.budgets.services import counters, timeline
from agentops.budgets.services.ledger import charge_many
from agentops.budgets.types import REPRICING_OPEN, CallKey, Charge, EntryKind, NewPrice, RepricingState
from agentops.common import scope
from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound
from agentops.common.money import usd_text
from audit import services as audit
from audit.types import SYSTEM, Actor, Outcome, Target

BEGINS_AFTER = timedelta(seconds=15)  # by then no process charges by the prices of before (traces/policy.py)
LONGEST = timedelta(days=400)
REASON_MOST = 500
_CLAIM = timedelta(minutes=1)  # a slice takes far less: after it, whoever had it is taken for dead
_COSTS = """
UPDATE budgets_reservation r SET cost_nano_usd = n.cost FROM unnest(%s::uuid[], %s::text[], %s::int8[]) AS n (run_id, call_id, cost)
WHERE r.tenant_id = %s AND r.run_id = n.run_id AND r.call_id = n.call_id
"""


def plan_repricing(
    *, tenant: uuid.UUID, since: datetime, until: datetime, reason: str, by: Actor, at: datetime
) -> Repricing:
    """Ask that what occurred from `since` until (and without) `until` is priced by the book of now.

    Raises InvalidInput, and Conflict where another one is under way.
    """
    scope.require_tenant(tenant)
    _check(since, until, reason, at)
    timeline.lock_book(tenant)
    if Repricing.objects.filter(tenant_id=tenant, state__in=REPRICING_OPEN).exists():
        raise Conflict("Calls are being priced anew already. Wait until that is done, or stop it.")
    found = Repricing.objects.create(
        tenant_id=tenant, since=since, until=until, reason=reason.strip(), asked_at=at, asked_by=by.id
    )
    _record(found, "repricing.planned", by, at, reason=found.reason)
    return found


def stop_repricing(*, tenant: uuid.UUID, repricing_id: uuid.UUID, by: Actor, at: datetime) -> Repricing:
    """Stop it where it is; what was priced anew by then stays so. Raises NotFound, and Conflict where it is over."""
    scope.require_tenant(tenant)
    found = Repricing.objects.select_for_update().filter(tenant_id=tenant, id=repricing_id).first()
    if found is None:
        raise NotFound("There is no such re-pricing.")
    if found.state not in REPRICING_OPEN:
        raise Conflict("It is over already.")
    _end(found, RepricingState.STOPPED, "repricing.stopped", by, at)
    return found


def claim_repricing(*, tenant: uuid.UUID, repricing_id: uuid.UUID, at: datetime) -> Repricing | None:
    """Take one that is due, and lock it until the transaction ends; None where it is over, or somebody else has it."""
    scope.require_tenant(tenant)
    found = (
        Repricing.objects.select_for_update(skip_locked=True)
        .filter(tenant_id=tenant, id=repricing_id, state__in=REPRICING_OPEN, asked_at__lte=at - BEGINS_AFTER)
        .first()
    )
    if found is not None:
        found.state, found.claimed_until = RepricingState.RUNNING, at + _CLAIM
    return found


def advance_repricing(
    *, tenant: uuid.UUID, repricing: Repricing, seen: Sequence[CallKey], changes: Sequence[NewPrice], at: datetime
) -> None:
    """Write the entries of changed calls, and how far it has come, in one transaction; without any calls it is done.

    Call it last: the ledger's sums are everybody's.
    """
    scope.require_tenant(tenant)
    if not seen:
        _end(repricing, RepricingState.DONE, "repricing.done", SYSTEM, at)
        return
    last = seen[-1]
    repricing.cursor = {**asdict(last), "occurred_at": last.occurred_at.isoformat(), "run_id": last.run_id.hex}
    repricing.calls_seen += len(seen)
    repricing.calls_changed += len(changes)
    repricing.amount_nano_usd += sum(one.dearer_nano_usd for one in changes)
    repricing.save()
    with connection.cursor() as cursor:
        cursor.execute(counters.SHARE, {"budgets_of": counters.share_key(tenant)})
        guarded = [one for one in changes if one.call.is_guarded]
        if guarded:
            keys = [one.call.key for one in guarded]
            costs = [one.amount_nano_usd or 0 for one in guarded]
            cursor.execute(_COSTS, [[key.run_id for key in keys], [key.call_id for key in keys], costs, tenant])
    reason = f"priced anew: {repricing.reason}"
    charge_many(tenant=tenant, charges=[entry for one in changes for entry in _entries(one, reason)], at=at)


def _check(since: datetime, until: datetime, reason: str, at: datetime) -> None:
    problems = []
    if not since < until <= at:
        problems.append(InputProblem("/until", "range", "It ends after it begins, and not in the future."))
    elif until - since > LONGEST:
        problems.append(InputProblem("/until", "range", f"At most {LONGEST.days} days at a time."))
    if not 0 < len(reason.strip()) <= REASON_MOST:
        problems.append(InputProblem("/reason", "required", f"Say why, in at most {REASON_MOST} characters."))
    if problems:
        raise InvalidInput(problems[0].detail, problems=tuple(problems))


def _entries(one: NewPrice, reason: str) -> tuple[Charge, Charge]:
    call = one.call
    amount = call.amount_nano_usd
    back = _charge(one, EntryKind.CORRECTION, -1, None if amount is None else -amount, call.price_version, reason)
    back.saved_nano_usd = -call.saved_nano_usd
    kind = EntryKind.GUARDED if call.is_guarded else EntryKind.CHARGE
    anew = _charge(one, kind, 1, one.amount_nano_usd, one.price_version, reason)
    anew.saved_nano_usd = one.saved_nano_usd
    return back, anew


def _charge(one: NewPrice, kind: EntryKind, sign: int, amount: int | None, version: str, reason: str) -> Charge:
    call = one.call
    return Charge(
        kind=kind,
        **asdict(call.key),
        agent=call.agent,
        user_id=call.user_id,
        model=call.model,
        provider=call.provider,
        **{name: sign * count for name, count in asdict(call.usage).items()},
        amount_nano_usd=amount,
        price_version=version,
        reason=reason,
    )


def _end(repricing: Repricing, state: RepricingState, action: str, by: Actor, at: datetime) -> None:
    repricing.state, repricing.ended_at, repricing.claimed_until = state, at, None
    repricing.save()
    amount = usd_text(repricing.amount_nano_usd)
    _record(repricing, action, by, at, calls=repricing.calls_seen, changed=repricing.calls_changed, amount_usd=amount)


def _record(repricing: Repricing, action: str, by: Actor, at: datetime, **data: object) -> None:
    audit.record(
        tenant=repricing.tenant_id,
        action=action,
        actor=by,
        target=Target(type="repricing", id=str(repricing.id)),
        outcome=Outcome.SUCCESS,
        data={"since": repricing.since.isoformat(), "until": repricing.until.isoformat(), **data},
        at=at,
    )
