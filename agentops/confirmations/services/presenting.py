"""One-time links to tier-2 confirmations, for people whom the tenant's own product has signed in.

The key that asks says who that person is; we believe it, as the tenant does. What we hold ourselves: one confirmation,
one person, five minutes, one opening, and from then on one browser.
"""

from __future__ import annotations

import hmac
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound, Throttled
from agentops.common.ids import new_id
from agentops.confirmations import links
from agentops.confirmations.errors import AccountNeeded, NotPresentable
from agentops.confirmations.models import Confirmation, Presentation
from agentops.confirmations.types import Link, Presented, State, Tier
from audit import services as audit
from audit.types import Actor, Outcome, Target

LIFETIME = timedelta(minutes=5)
LINKS_MOST = 20  # of one confirmation
SOMEBODY = Actor(type="system", id="link", label="somebody with a link")

_MAKE = """
INSERT INTO confirmations_presentation (tenant_id, id, confirmation_id, "user", token_hash, key_id, made_at, expires_at)
SELECT c.tenant_id, %(id)s, c.id, c.acting_user, %(token)s, %(key)s, n.now, least(n.now + %(lifetime)s, c.expires_at)
FROM confirmations_confirmation c CROSS JOIN (SELECT clock_timestamp() AS now) n
WHERE c.tenant_id = %(tenant)s AND c.id = %(confirmation)s AND c.state = 'pending' AND c.expires_at > clock_timestamp()
RETURNING expires_at
"""
# The row itself says once: of many who open it at the same moment, one finds it closed no more.
_OPEN = """
UPDATE confirmations_presentation SET opened_at = clock_timestamp(), session_hash = %(session)s
WHERE tenant_id = %(tenant)s AND token_hash = %(token)s AND opened_at IS NULL AND expires_at > clock_timestamp()
RETURNING confirmation_id, "user"
"""
_IS_OVER = "SELECT expires_at <= clock_timestamp() FROM confirmations_presentation WHERE tenant_id = %s AND id = %s"


def present(*, tenant: uuid.UUID, confirmation: uuid.UUID, user: str, key: uuid.UUID, by: Actor, at: datetime) -> Link:
    """A link by which `user` may decide a tier-2 confirmation that acts in their name. Its text is in the answer only.

    Raises NotFound, InvalidInput for another user, AccountNeeded above tier 2, NotPresentable once it is decided,
    Throttled for one link too many.
    """
    scope.require_tenant(tenant)
    found = Confirmation.objects.filter(tenant_id=tenant, id=confirmation).first()
    if found is None:
        raise NotFound("There is no such confirmation.")
    if user != found.acting_user:
        problem = InputProblem("/user", "not_acting_user", "the user in whose name the agent acts")
        raise InvalidInput("only the user in whose name the agent acts can decide it so", problems=(problem,))
    if found.tier != Tier.ONE_LOOK:
        raise AccountNeeded(found.tier)
    if Presentation.objects.filter(tenant_id=tenant, confirmation_id=confirmation).count() >= LINKS_MOST:
        raise Throttled(f"at most {LINKS_MOST} links are made to one confirmation")
    text = links.mint(tenant)
    values: dict[str, Any] = {
        "tenant": tenant,
        "id": new_id(),
        "confirmation": confirmation,
        "token": links.digest(text),
        "key": key,
        "lifetime": LIFETIME,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MAKE, values)
        row = cursor.fetchone()
    if row is None:
        raise NotPresentable(State(found.state))
    audit.record(
        tenant=tenant,
        action="approval.presented",
        actor=by,
        target=Target(type="confirmation", id=str(confirmation)),
        outcome=Outcome.SUCCESS,
        data={"tool": found.tool, "user": user},
        at=at,
        run=found.run_id,
        on_behalf_of=user,
    )
    return Link(text=text, expires_at=row[0])


def open_link(*, tenant: uuid.UUID, text: str) -> str:
    """Open a link, once; answers the secret that its one browser holds from now on. Raises NotFound."""
    scope.require_tenant(tenant)
    secret = links.mint(tenant)
    values: dict[str, Any] = {"tenant": tenant, "token": links.digest(text), "session": links.digest(secret)}
    with connection.cursor() as cursor:
        cursor.execute(_OPEN, values)
        if cursor.fetchone() is None:
            raise NotFound("This link opens nothing any more.")
    return secret


def presented(*, tenant: uuid.UUID, text: str, secret: str) -> Presented | None:
    """What a link leads to, if it may be shown to who holds this secret ("": nobody has opened it yet); else None."""
    scope.require_tenant(tenant)
    found = Presentation.objects.filter(tenant_id=tenant, token_hash=links.digest(text)).first()
    if found is None:
        return None
    if found.session_hash is None:
        with connection.cursor() as cursor:
            cursor.execute(_IS_OVER, [tenant, found.id])
            is_over = cursor.fetchone()[0]
        return None if is_over else Presented(confirmation_id=found.confirmation_id, user=found.user, is_open=False)
    if not hmac.compare_digest(bytes(found.session_hash), links.digest(secret)):
        return None
    return Presented(confirmation_id=found.confirmation_id, user=found.user, is_open=True)


def note_refused_link(*, tenant: uuid.UUID, text: str, at: datetime) -> bool:
    """Somebody had a link of ours that opens nothing for them (any more): the audit log says so. False for no link of ours."""
    scope.require_tenant(tenant)
    found = (
        Presentation.objects.filter(tenant_id=tenant, token_hash=links.digest(text))
        .select_related("confirmation")
        .first()
    )
    if found is None:
        return False
    audit.record(
        tenant=tenant,
        action="approval.opened_by_other",
        actor=SOMEBODY,
        target=Target(type="confirmation", id=str(found.confirmation_id)),
        outcome=Outcome.DENIED,
        data={"tool": found.confirmation.tool},
        at=at,
        run=found.confirmation.run_id,
        on_behalf_of=found.user,
    )
    return True
