"""Sign-in through django-allauth: accounts are made by admins, never by a stranger."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate, suspend_request
from allauth.account.utils import user_pk_to_url_str
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import is_mfa_enabled
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from tenants import sign_in_entries
from tenants.models import Tenant, User
from tenants.services import SignIn


class ClosedDoor(DefaultAccountAdapter):
    """Nobody signs up by themselves; people are invited by an admin of their organisation."""

    def pre_login(self, request: HttpRequest, user: Any, **told: Any) -> HttpResponse | None:
        if not user.is_active:
            sign_in_entries.tell(user, SignIn.FAILED, "the account is deactivated")
        return cast("HttpResponse | None", super().pre_login(request, user, **told))

    def login(self, request: HttpRequest, user: Any) -> None:
        sign_in_entries.tell(user, SignIn.IN, sign_in_entries.proof(request, user))
        super().login(request, user)

    def logout(self, request: HttpRequest) -> None:
        sign_in_entries.tell(cast(User, request.user), SignIn.OUT)
        super().logout(request)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Also of somebody who is signed in and is asked again."""
        sign_in_entries.tell_wrong_password(str(credentials.get("email") or credentials.get("username") or ""))

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Home: everybody is signed out then, and would be led from sign-in back to changing the password."""
        return reverse("home")


def require_recent_sign_in(request: HttpRequest) -> None:
    """Go on only where the person proved who they are within ACCOUNT_REAUTHENTICATION_TIMEOUT, in this session.

    Otherwise the request is put aside (a POST with its fields), the person is asked, and then it is played again. An
    htmx request is put aside as an ordinary one, as its answer will be a page.
    """
    if did_recently_reauthenticate(request):
        return
    if not getattr(request, "htmx", False):
        raise ReauthenticationRequired
    for header in [name for name in request.META if name.startswith("HTTP_HX_")]:
        del request.META[header]
    aside = suspend_request(request, reverse("account_reauthenticate"))
    raise ImmediateHttpResponse(HttpResponseClientRedirect(aside.url))


@dataclass(frozen=True, slots=True)
class Proven:
    """What this browser's session knows of who sits before it, and since when. Signing in counts as being asked again."""

    password_or_passkey_at: datetime | None = None
    second_factor_at: datetime | None = None
    has_second_factor: bool = False  # an authenticator or a passkey, at any time
    session: str = ""  # SHA-256 of the session's key, hex


def proven(request: HttpRequest) -> Proven:
    """How sure we are of the person. A passkey is both: something they have, unlocked by something they are or know."""
    records = get_authentication_records(request, request.user)
    key = request.session.session_key or ""
    return Proven(
        password_or_passkey_at=_latest(records, lambda record: record["method"] == "password" or _is_passkey(record)),
        second_factor_at=_latest(records, lambda record: record["method"] == "mfa"),
        has_second_factor=is_mfa_enabled(request.user, [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]),
        session=hashlib.sha256(key.encode()).hexdigest() if key else "",
    )


def require_password_or_passkey(request: HttpRequest, *, within: timedelta, at: datetime) -> None:
    """As `require_recent_sign_in`, where the code of an authenticator alone does not do."""
    _require(request, proven(request).password_or_passkey_at, within, at, "account_reauthenticate")


def require_second_factor(request: HttpRequest, *, within: timedelta, at: datetime) -> None:
    """As `require_recent_sign_in`, by an authenticator or a passkey. Only for people who have one (`Proven`)."""
    has_app = is_mfa_enabled(request.user, [Authenticator.Type.TOTP])
    page = "mfa_reauthenticate" if has_app else "mfa_reauthenticate_webauthn"
    _require(request, proven(request).second_factor_at, within, at, page)


def _require(request: HttpRequest, given_at: datetime | None, within: timedelta, at: datetime, page: str) -> None:
    if given_at is None or at - given_at >= within:
        raise ImmediateHttpResponse(suspend_request(request, reverse(page)))


def _is_passkey(record: dict[str, Any]) -> bool:
    return bool(record["method"] == "mfa" and record.get("type") == Authenticator.Type.WEBAUTHN)


def _latest(records: list[dict[str, Any]], counts: Callable[[dict[str, Any]], bool]) -> datetime | None:
    times = [record["at"] for record in records if counts(record)]
    return datetime.fromtimestamp(max(times), UTC) if times else None


def invite(*, user: User, tenant: Tenant, inviter: User) -> str:
    """The one-time link by which a new account gets its password; mailed after the commit, and answered to be shown.

    It ends with its first use and after PASSWORD_RESET_TIMEOUT. Only for an account that was made by this very
    request: for any other, whoever sees the link could take the account over.
    """
    token = app_settings.PASSWORD_RESET_TOKEN_GENERATOR().make_token(user)
    link: str = get_adapter().get_reset_password_from_key_url(f"{user_pk_to_url_str(user)}-{token}")
    text = render_to_string("tenants/mail/invitation.txt", {"tenant": tenant, "inviter": inviter, "link": link})
    _mail(f"{inviter} invites you to {tenant.name}", text, user.email)
    return link


def tell_added(*, user: User, tenant: Tenant, inviter: User, link: str) -> None:
    """Tell somebody who has an account that one more organisation opens with it."""
    text = render_to_string("tenants/mail/added.txt", {"tenant": tenant, "inviter": inviter, "link": link})
    _mail(f"{inviter} added you to {tenant.name}", text, user.email)


def _mail(subject: str, text: str, address: str) -> None:
    """After the commit, and robust: the link is on the admin's page too, so a mail server that fails undoes nothing."""
    one_line = " ".join(subject.split())
    transaction.on_commit(lambda: send_mail(one_line, text, None, [address]), robust=True)
