"""Sign-in through django-allauth: accounts are made by admins, never by a stranger."""

from __future__ import annotations

from allauth.account import app_settings
from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate, suspend_request
from allauth.account.utils import user_pk_to_url_str
from allauth.core.exceptions import ImmediateHttpResponse, ReauthenticationRequired
from django.core.mail import send_mail
from django.db import transaction
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from tenants.models import Tenant, User


class ClosedDoor(DefaultAccountAdapter):
    """Nobody signs up by themselves; people are invited by an admin of their organisation."""

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
