"""Mailed codes: that whoever approves at tier 4 reads the mail of the account. Each is good for one action and person."""

from __future__ import annotations

import hmac
import secrets
import uuid
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F
from django.utils.crypto import salted_hmac

from agentops.common import clock, scope
from agentops.common.errors import NotFound
from agentops.confirmations import queries
from agentops.confirmations.errors import CodeExpired, Decided, NotEligible, TooManyCodes, WrongCode
from agentops.confirmations.models import Confirmation, MailedCode
from agentops.confirmations.types import Person, State, Tier
from agentops.outbox import services as outbox
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import access
from tenants import queries as tenants

DIGITS = 8
LIFETIME = timedelta(minutes=10)
ATTEMPTS_MOST = 5  # wrong ones, of a code
CODES_MOST = 5  # of a person, within an hour
_HOUR = timedelta(hours=1)
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 11))"
TEMPLATE = "confirmations/mail/code.txt"


def send_code(*, tenant: uuid.UUID, confirmation: uuid.UUID, to: Person, at: datetime) -> datetime:
    """Mail a code to somebody who could approve it; answers until when it counts. Earlier ones count no more.

    Raises NotEligible, Decided, TooManyCodes.
    """
    scope.require_tenant(tenant)
    found = Confirmation.objects.select_for_update().filter(tenant_id=tenant, id=confirmation).first()
    if found is None or found.tier != Tier.TWO_PEOPLE or to.user_id is None or not queries.may_decide(found, to):
        raise NotEligible
    now = clock.database_now()
    state = queries.state_at(State(found.state), found.expires_at, now)
    if state not in (State.PENDING, State.HALF):
        raise Decided(state)
    _require_room(tenant, to.user_id, now)
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}}"
    made = MailedCode.objects.create(
        tenant_id=tenant,
        confirmation=found,
        user_id=to.user_id,
        action_digest=bytes(found.action_digest),
        code_hash=_hash(code, bytes(found.action_digest), to.user_id),
        sent_at=now,
        expires_at=now + LIFETIME,
    )
    _mail(found, made, to, code)
    audit.record(
        tenant=tenant,
        action="approval.code_sent",
        actor=Actor(type="user", id=to.voter, label=to.label),
        target=Target(type="confirmation", id=str(confirmation)),
        outcome=Outcome.SUCCESS,
        data={"tool": found.tool},
        at=at,
        run=found.run_id,
        on_behalf_of=found.acting_user,
    )
    return made.expires_at


def use(found: Confirmation, by: Person, code: str, now: datetime) -> None:
    """Take the code of the last mail, for the vote that the caller writes in this transaction.

    The caller holds the confirmation's lock, so tries are counted one after the other; and it keeps the count of a wrong
    one (`scope.keep`). Raises CodeExpired, WrongCode.
    """
    if by.user_id is None:
        raise CodeExpired
    mailed = MailedCode.objects.filter(tenant_id=found.tenant_id, confirmation=found, user_id=by.user_id)
    sent = mailed.order_by("-sent_at", "-id").first()
    if sent is None or sent.used_at or now >= sent.expires_at or sent.attempts >= ATTEMPTS_MOST:
        raise CodeExpired
    digits = "".join(code.split())
    if not hmac.compare_digest(bytes(sent.code_hash), _hash(digits, bytes(found.action_digest), by.user_id)):
        MailedCode.objects.filter(tenant_id=found.tenant_id, id=sent.id).update(attempts=F("attempts") + 1)
        raise WrongCode(ATTEMPTS_MOST - sent.attempts - 1)
    MailedCode.objects.filter(tenant_id=found.tenant_id, id=sent.id).update(used_at=now)


def _require_room(tenant: uuid.UUID, user_id: int, now: datetime) -> None:
    """At most so many mails an hour to one person, over all that waits for them. Raises TooManyCodes."""
    with connection.cursor() as cursor:  # two confirmations have two locks: the mails are counted one after the other
        cursor.execute(_LOCK, [f"codes:{tenant}:{user_id}"])
    within = MailedCode.objects.filter(tenant_id=tenant, user_id=user_id, sent_at__gt=now - _HOUR)
    sent = list(within.order_by("-sent_at").values_list("sent_at", flat=True)[:CODES_MOST])
    if len(sent) == CODES_MOST:
        raise TooManyCodes(max(1, int((sent[-1] + _HOUR - now).total_seconds())))


def _hash(code: str, action_digest: bytes, user_id: int) -> bytes:
    """Keyed, so that who reads the table cannot try all codes; and over the action, so that it is good for nothing else."""
    bound = f"{action_digest.hex()}:{user_id}:{code}"
    return salted_hmac("agentops mailed code, 1", bound, algorithm="sha256").digest()


def _mail(found: Confirmation, made: MailedCode, to: Person, code: str) -> None:
    user = access.members_by_id(found.tenant_id, [made.user_id]).get(made.user_id)
    if user is None:
        raise NotFound("There is no such member.")
    organisation = tenants.tenants_by_id([found.tenant_id])[found.tenant_id]
    outbox.send(
        tenant=found.tenant_id,
        channel="mail",
        destination=user.email,
        template=TEMPLATE,
        context={
            "organisation": organisation.name,
            "agent": found.agent,
            "tool": found.tool,
            "code": f"{code[:4]} {code[4:]}",
            "minutes": int(LIFETIME.total_seconds()) // 60,
            "digest": bytes(found.action_digest).hex()[:12],
        },
        dedup_key=f"code:{made.id}",
        secrets=["code"],
        useless_at=made.expires_at,
    )
