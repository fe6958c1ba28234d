"""Who came in, who did not, and what they prove themselves with: entries of the log of each of their organisations."""

from __future__ import annotations

import enum
import uuid
from datetime import datetime

from agentops.common import scope
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants.models import User

_NOBODY = Actor(type="system", id="nobody", label="somebody who is not signed in")


class SignIn(enum.StrEnum):
    """What can happen at the door, by the action that it leaves."""

    IN = "auth.signed_in"
    OUT = "auth.signed_out"
    FAILED = "auth.sign_in_failed"
    CREDENTIALS = "auth.credentials_changed"


def tell_sign_in(*, tenant: uuid.UUID, user: User, event: SignIn, told: str, at: datetime) -> None:
    """Record what happened at the door. `told` is how they proved who they are, why it failed, or what was changed.

    Who failed to prove to be somebody is nobody: that entry is about the account, not by it.
    """
    scope.require_tenant(tenant)
    is_failed = event is SignIn.FAILED
    data = {
        SignIn.IN: {"method": told},
        SignIn.OUT: {},
        SignIn.FAILED: {"member": user.email, "why": told},
        SignIn.CREDENTIALS: {"change": told},
    }[event]
    audit.record(
        tenant=tenant,
        action=event.value,
        actor=_NOBODY if is_failed else Actor(type="user", id=f"user:{user.pk}", label=user.email),
        target=Target("user", f"user:{user.pk}"),
        outcome=Outcome.FAILURE if is_failed else Outcome.SUCCESS,
        data=data,
        at=at,
    )
