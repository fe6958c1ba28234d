"""What happens at the door goes into the audit log of every organisation of the person, before it happens.

The adapter (sign_in.py) calls `tell`; where allauth has no such place but its signals, they are received here.
"""

from __future__ import annotations

from typing import Any

from allauth.account import signals as account
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from django.dispatch import receiver
from django.http import HttpRequest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from tenants import services
from tenants.access import memberships_of
from tenants.models import User
from tenants.services import SignIn

_FACTORS = {
    Authenticator.Type.TOTP: "authenticator app",
    Authenticator.Type.WEBAUTHN: "passkey",
    Authenticator.Type.RECOVERY_CODES: "recovery code",
}


def tell(user: User, event: SignIn, told: str = "") -> None:
    """One entry in each organisation of the person. Where it cannot be written, the door stays shut."""
    for tenant, _ in memberships_of(user):
        with tenant_scope(tenant.id):
            services.tell_sign_in(tenant=tenant.id, user=user, event=event, told=told, at=clock.now())


def tell_wrong_password(address: str) -> None:
    """Of an address that has no account the same is looked up, as the time it takes would tell that there is none.

    What is left of the difference is one insertion; the limit of tries leaves too few of them to find it by.
    """
    user = User.objects.filter(email__iexact=address).first() or User(pk=0)
    tell(user, SignIn.FAILED, "wrong password")


def proof(request: HttpRequest, user: User) -> str:
    """With what the person has just proven who they are, in words."""
    words = [_word(record) for record in get_authentication_records(request, user)]
    return " and ".join(dict.fromkeys(words))


def _word(record: dict[str, Any]) -> str:
    return _FACTORS.get(record.get("type", ""), str(record["method"]))


# -- where allauth offers signals only ------------------------------------------------------------------------------


@receiver(mfa.authentication_failed)
def _wrong_factor(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(user, SignIn.FAILED, f"wrong {_FACTORS[Authenticator.Type(authenticator.type)]}")


@receiver(account.password_changed)
def _password_changed(*, user: User, **_: Any) -> None:
    tell(user, SignIn.CREDENTIALS, "a new password")


@receiver(account.password_reset)
def _password_reset(*, user: User, **_: Any) -> None:
    tell(user, SignIn.CREDENTIALS, "a new password, by a link that was mailed")


@receiver(mfa.authenticator_added)
def _factor_added(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(user, SignIn.CREDENTIALS, f"{_of(authenticator)} added")


@receiver(mfa.authenticator_removed)
def _factor_removed(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(user, SignIn.CREDENTIALS, f"{_of(authenticator)} removed")


@receiver(mfa.authenticator_reset)
def _factor_reset(*, user: User, authenticator: Authenticator, **_: Any) -> None:
    tell(user, SignIn.CREDENTIALS, f"{_of(authenticator)} made anew")


def _of(authenticator: Authenticator) -> str:
    word = _FACTORS[Authenticator.Type(authenticator.type)]
    return "recovery codes" if word == "recovery code" else word
