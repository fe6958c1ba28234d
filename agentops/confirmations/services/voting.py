"""What people decide: agree, refuse, change, stop.

Every decision takes the row's lock first and then reads the database's clock, so that it is one of before or after any
other. What is checked comes in this order: may this person know of it at all; is it still open; did they see what they
decide; is it surely they.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from agentops.common import clock, scope
from agentops.common.ids import new_id
from agentops.confirmations import queries, rendering
from agentops.confirmations.errors import (
    AlreadyVoted,
    Decided,
    DecisionRefused,
    EditNeedsAccount,
    MfaNeeded,
    NotEligible,
    ReauthenticationNeeded,
    ViewChanged,
    WrongPhrase,
)
from agentops.confirmations.models import Confirmation, Vote
from agentops.confirmations.queries.detail import shown
from agentops.confirmations.rendering.leaves import leaves, parse
from agentops.confirmations.services import codes, moving
from agentops.confirmations.services.asking import ask
from agentops.confirmations.services.standing import void_after_refusal
from agentops.confirmations.states import Who
from agentops.confirmations.types import (
    OPEN,
    REDEEM_MOST,
    Action,
    Asked,
    Choice,
    Person,
    Proofs,
    State,
    Tier,
)
from audit import services as audit
from audit.types import Outcome, Target

FRESH = timedelta(minutes=5)  # how long a password, a passkey or a second factor counts
_CHANGED_MOST = 50
_THIS = "id = %(id)s AND expires_at > %(now)s"


def approve(
    *,
    tenant: uuid.UUID,
    confirmation: uuid.UUID,
    by: Person,
    proofs: Proofs,
    action_digest: bytes,
    view_digest: bytes,
    phrase: str = "",
    code: str = "",
    at: datetime,
) -> Asked:
    """Agree to what the page showed. At tier 4 the first of two, or the second, after which the delay begins.

    Tier 3 takes the typed phrase and a re-authentication of the last five minutes; tier 4 a second factor of the last
    five minutes and the code mailed to this person. Raises a DecisionRefused, see errors.py.
    """
    scope.require_tenant(tenant)
    found = _locked(tenant, confirmation)
    now = clock.database_now()
    with _noted(found, by, at):
        _require_open(found, by, now)
        view = _require_same(found, action_digest, view_digest)
        _require_proofs(found, by, proofs, view.phrase, phrase, code, now)
    is_second = found.state == State.HALF
    _vote(found, by, Choice.APPROVE, view, now, proofs=proofs, stage=2 if is_second else 1)
    to, sets = _next(found, is_second)
    moved = moving.move(
        tenant=tenant,
        to=to,
        who=Who.PERSON,
        which=_THIS,
        params={
            "id": confirmation,
            "now": now,
            "by": by.voter,
            "until": now + timedelta(seconds=found.delay_seconds),
            "redeem": REDEEM_MOST,
        },
        sets=sets,
        by=moving.actor_of(by),
        at=at,
        told={"view_digest": view.digest.hex()},
    )
    return _moved(moved, tenant, confirmation, now)


def _next(found: Confirmation, is_second: bool) -> tuple[State, Any]:
    """The state that an approval leads to, and what it sets. What was released late can still be redeemed in peace."""
    if found.tier != Tier.TWO_PEOPLE:
        return State.APPROVED, "decided_at = %(now)s, decided_by = %(by)s"
    if not is_second:
        return State.HALF, ""
    return State.COOLING, (
        "decided_at = %(now)s, decided_by = %(by)s, cooling_until = %(until)s, "
        "expires_at = greatest(c.expires_at, %(until)s + %(redeem)s)"
    )


def refuse(
    *,
    tenant: uuid.UUID,
    confirmation: uuid.UUID,
    by: Person,
    action_digest: bytes,
    view_digest: bytes,
    reason: str,
    at: datetime,
) -> Asked:
    """Say no, and why. It takes no proofs: whoever could agree can refuse.

    What the same person has agreed to beforehand, of this agent and tool, is void from then on. Raises a DecisionRefused.
    """
    scope.require_tenant(tenant)
    found = _locked(tenant, confirmation)
    now = clock.database_now()
    with _noted(found, by, at):
        _require_open(found, by, now)
        view = _require_same(found, action_digest, view_digest)
    _vote(found, by, Choice.REFUSE, view, now, reason=reason)
    moved = moving.move(
        tenant=tenant,
        to=State.REFUSED,
        who=Who.PERSON,
        which=_THIS,
        params={"id": confirmation, "now": now, "by": by.voter, "reason": reason[:500]},
        sets="decided_at = %(now)s, decided_by = %(by)s, ended_at = %(now)s, reason = %(reason)s",
        by=moving.actor_of(by),
        at=at,
        told={"view_digest": view.digest.hex()},
        reason=reason,
    )
    if by.user_id is not None:
        void_after_refusal(tenant=tenant, user_id=by.user_id, agent=found.agent, tool=found.tool, at=at)
    return _moved(moved, tenant, confirmation, now)


def cancel(*, tenant: uuid.UUID, confirmation: uuid.UUID, by: Person, reason: str, at: datetime) -> Asked:
    """Stop it: whoever could decide, before it is decided; they, owners and admins, during the delay.

    No vote: who has agreed can still stop it. Raises a DecisionRefused.
    """
    scope.require_tenant(tenant)
    found = _locked(tenant, confirmation)
    now = clock.database_now()
    state = queries.state_at(State(found.state), found.expires_at, now)
    with _noted(found, by, at):
        if state not in OPEN:
            _require_known(found, by)
            raise Decided(state)
        if not queries.may_stop(found, by):
            raise NotEligible
    moved = moving.move(
        tenant=tenant,
        to=State.CANCELLED,
        who=Who.STOPPER,
        which=_THIS,
        params={"id": confirmation, "now": now, "by": by.voter, "reason": reason[:500]},
        sets="decided_at = %(now)s, decided_by = %(by)s, ended_at = %(now)s, reason = %(reason)s",
        by=moving.actor_of(by),
        at=at,
        reason=reason,
    )
    return _moved(moved, tenant, confirmation, now)


def supersede(
    *,
    tenant: uuid.UUID,
    confirmation: uuid.UUID,
    action: Action,
    tier: int,
    raised_because: Sequence[str],
    by: Person,
    at: datetime,
) -> Asked:
    """Put another action in the place of one that waits, as a person has edited it; answers the new one.

    The caller has checked the action as any other proposal; its tier is never lower. Nothing is approved by that. Raises
    a DecisionRefused, and EditNeedsAccount for people without an account.
    """
    scope.require_tenant(tenant)
    found = _locked(tenant, confirmation)
    now = clock.database_now()
    with _noted(found, by, at):
        _require_open(found, by, now)
    if by.user_id is None:
        raise EditNeedsAccount
    view, new = shown(found), new_id()
    _vote(found, by, Choice.EDIT, view, now)
    moved = moving.move(
        tenant=tenant,
        to=State.EDITED,
        who=Who.EDITOR,
        which=_THIS,
        params={"id": confirmation, "now": now, "by": by.voter},
        sets="decided_at = %(now)s, decided_by = %(by)s, ended_at = %(now)s",
        by=moving.actor_of(by),
        at=at,
        told={"new": str(new), "changed": _changed(bytes(found.arguments), action.arguments)},
    )
    if not moved:
        raise Decided(queries.asked(tenant=tenant, confirmation=confirmation, at=now).state)
    return ask(
        tenant,
        action,
        max(tier, found.tier),
        raised_because,
        now,
        replaces=found,
        editors=[*_editors(found), by.user_id],
        new=new,
    )


def note_opened_by_other(
    *, tenant: uuid.UUID, confirmation: uuid.UUID, by: Person | None, label: str = "", at: datetime
) -> bool:
    """Somebody who may not know of it has opened its address; kept, whatever they are answered. False: there is none.

    `by` is a member; for others, `label` says what is known of them.
    """
    scope.require_tenant(tenant)
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        return False
    stranger = Person(voter="somebody", label=label or "somebody outside the organisation")
    _record(found, "approval.opened_by_other", by or stranger, {"tool": found.tool}, at)
    scope.keep()
    return True


# -- what is checked -------------------------------------------------------------------------------------------------


def _locked(tenant: uuid.UUID, confirmation: uuid.UUID) -> Confirmation:
    found = Confirmation.objects.select_for_update().filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        raise NotEligible
    return found


@contextmanager
def _noted(found: Confirmation, by: Person, at: datetime) -> Iterator[None]:
    """What somebody tried without the right or the proof to is in the audit log, though nothing else of it stays."""
    try:
        yield
    except DecisionRefused as error:
        if error.is_noted:
            data = {"tool": found.tool, "code": "not_eligible" if isinstance(error, NotEligible) else error.code}
            _record(found, "approval.attempt_refused", by, data, at)
            scope.keep()
        raise


def _record(found: Confirmation, action: str, by: Person, data: dict[str, str], at: datetime) -> None:
    audit.record(
        tenant=found.tenant_id,
        action=action,
        actor=moving.actor_of(by),
        target=Target(type="confirmation", id=str(found.id)),
        outcome=Outcome.DENIED,
        data=data,
        at=at,
        run=found.run_id,
        on_behalf_of=found.acting_user,
    )


def _require_open(found: Confirmation, by: Person, now: datetime) -> None:
    """Raises NotEligible, Decided, AlreadyVoted."""
    state = queries.state_at(State(found.state), found.expires_at, now)
    if state not in (State.PENDING, State.HALF):
        _require_known(found, by)
        raise Decided(state)
    if not queries.may_decide(found, by):
        raise NotEligible
    if _has_voted(found, by):
        raise AlreadyVoted


def _require_known(found: Confirmation, by: Person) -> None:
    """What became of it is told to those only who could decide or stop it, or did."""
    if not (queries.may_decide(found, by) or queries.may_stop(found, by) or _has_voted(found, by)):
        raise NotEligible


def _has_voted(found: Confirmation, by: Person) -> bool:
    return Vote.objects.filter(tenant_id=found.tenant_id, confirmation=found, voter=by.voter).exists()


def _require_same(found: Confirmation, action_digest: bytes, view_digest: bytes) -> rendering.View:
    """What was seen is what is decided, by both digests. Raises ViewChanged."""
    view = shown(found)
    if action_digest != bytes(found.action_digest) or view_digest != view.digest:
        raise ViewChanged
    return view


def _require_proofs(
    found: Confirmation, by: Person, proofs: Proofs, wanted: str, phrase: str, code: str, now: datetime
) -> None:
    """Raises ReauthenticationNeeded, WrongPhrase, MfaNeeded, CodeExpired, WrongCode."""
    if found.tier == Tier.FULL_DISCLOSURE:
        if not _is_fresh(proofs.reauthenticated_at, now):
            raise ReauthenticationNeeded
        if not rendering.accepts(wanted, phrase):
            raise WrongPhrase
    if found.tier == Tier.TWO_PEOPLE:
        if not _is_fresh(proofs.used_mfa_at, now):
            raise MfaNeeded
        codes.use(found, by, code, now)


def _is_fresh(since: datetime | None, now: datetime) -> bool:
    """Not from the future either: a clock that is a little ahead is the web process's own."""
    return since is not None and -FRESH < now - since < FRESH


# -- what is written -------------------------------------------------------------------------------------------------


def _vote(
    found: Confirmation,
    by: Person,
    choice: Choice,
    view: rendering.View,
    now: datetime,
    *,
    proofs: Proofs | None = None,
    stage: int = 1,
    reason: str = "",
) -> None:
    Vote.objects.create(
        tenant_id=found.tenant_id,
        confirmation=found,
        voter=by.voter,
        user_id=by.user_id,
        label=by.label,
        choice=choice,
        stage=stage,
        action_digest=bytes(found.action_digest),
        view_digest=view.digest,
        renderer=view.version,
        proofs=_kept_proofs(proofs) if proofs else {},
        reason=reason[:500],
        at=now,
    )


def _kept_proofs(proofs: Proofs) -> dict[str, str]:
    moments = {"reauthenticated_at": proofs.reauthenticated_at, "used_mfa_at": proofs.used_mfa_at}
    return {name: clock.rfc3339(moment) for name, moment in moments.items() if moment} | (
        {"session": proofs.session} if proofs.session else {}
    )


def _moved(moved: list[moving.Moved], tenant: uuid.UUID, confirmation: uuid.UUID, now: datetime) -> Asked:
    """The row was locked and looked at, so it has moved; where it has not, nothing of the decision may stay."""
    asked = queries.asked(tenant=tenant, confirmation=confirmation, at=now)
    if not moved:
        raise Decided(asked.state)
    return asked


def _editors(found: Confirmation) -> list[int]:
    """Everybody who had a hand in it, through all its edits."""
    editors: list[int] = []
    current: Confirmation | None = found
    while current is not None and current.edited_by is not None and current.supersedes_id is not None:
        editors.append(current.edited_by)
        current = Confirmation.objects.filter(tenant_id=found.tenant_id, id=current.supersedes_id).first()
    return editors[::-1]


def _changed(before: bytes, after: bytes) -> list[str]:
    """Pointers of the values that differ, or are on one side only."""
    sides = [{leaf.pointer: (leaf.kind, leaf.raw) for leaf in leaves(parse(side))} for side in (before, after)]
    pointers = {pointer for pointer, _ in sides[0].items() ^ sides[1].items()}
    return sorted(pointers)[:_CHANGED_MOST]
