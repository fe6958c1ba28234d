"""What a one-time link opens: a button, and behind it one tier-2 confirmation, for somebody without an account here.

One address for all of it: before it is opened it shows the button alone (whoever merely fetches it, a mail scanner say,
changes nothing), afterwards the confirmation, to the browser that holds the cookie. Everybody else finds nothing. What is
answered stands in `do`, as an open address below would have nothing to show to whoever types it in.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from agentops.common import clock
from agentops.common.errors import DomainError, InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from agentops.confirmations import links, queries, services
from agentops.confirmations.forms import RefusalForm, digest
from agentops.confirmations.presenting import Sheet
from agentops.confirmations.types import Person, Presented, Proofs
from tenants import queries as tenants
from tenants.types import Tenant

COOKIE = "presented"


@never_cache
@require_http_methods(["GET", "POST"])
def presentation(request: HttpRequest, link: str) -> HttpResponse:
    """GET shows; POST opens the link, or decides."""
    tenant_id = links.tenant_of(link)
    tenant = tenants.tenants_by_id([tenant_id]).get(tenant_id) if tenant_id else None
    if tenant is None or not tenant.is_active:
        return _closed(request)
    with tenant_scope(tenant.id):
        found = services.presented(tenant=tenant.id, text=link, secret=request.COOKIES.get(COOKIE, ""))
    if found is None:
        return _refused(request, tenant.id, link)
    if not found.is_open:
        return _open(request, tenant, link, found) if request.method == "POST" else _button(request, tenant, found)
    with tenant_scope(tenant.id):
        return _inside(request, tenant, found)


def _button(request: HttpRequest, tenant: Tenant, found: Presented) -> HttpResponse:
    return render(request, "confirmations/presented_link.html", {"tenant": tenant, "user": found.user})


def _open(request: HttpRequest, tenant: Tenant, link: str, found: Presented) -> HttpResponse:
    """From here on the link belongs to this browser: the cookie goes to this path only, and to no script."""
    try:
        with tenant_scope(tenant.id):
            secret = services.open_link(tenant=tenant.id, text=link)
    except NotFound:  # another was faster
        return _refused(request, tenant.id, link)
    response = HttpResponseRedirect(request.path)
    response.set_cookie(
        COOKIE, secret, path=request.path, httponly=True, samesite="Strict", secure=request.is_secure(), max_age=3600
    )
    return response


def _refused(request: HttpRequest, tenant: uuid.UUID, link: str) -> HttpResponse:
    """In a transaction of its own: that it was refused must stay, whatever comes of the answer."""
    with tenant_scope(tenant):
        services.note_refused_link(tenant=tenant, text=link, at=clock.now())
    return _closed(request)


def _closed(request: HttpRequest) -> HttpResponse:
    """The same for a link of ours that is used up and for one that never was."""
    return render(request, "confirmations/presented_closed.html", status=404)


# -- opened: the confirmation, in the tenant's scope ------------------------------------------------------------------


def _inside(request: HttpRequest, tenant: Tenant, found: Presented) -> HttpResponse:
    sheet, do = _sheet(request, tenant, found), request.GET.get("do", "")
    if do == "refuse" and sheet.asks:
        return _refusal(request, tenant, found, sheet)
    if request.method == "POST":
        return _answered(request, tenant, found, sheet, do)
    return _page(request, sheet)


def _refusal(request: HttpRequest, tenant: Tenant, found: Presented, sheet: Sheet) -> HttpResponse:
    """GET asks why; POST refuses."""
    form = RefusalForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _answered(request, tenant, found, sheet, "refuse", reason=form.cleaned_data["reason"])
    context = {"form": form, "sheet": sheet, "urls": _urls(request), "back_url": request.path}
    return render(request, "confirmations/presented_refusal.html", context, status=422 if form.is_bound else 200)


def _answered(
    request: HttpRequest, tenant: Tenant, found: Presented, sheet: Sheet, do: str, *, reason: str = ""
) -> HttpResponse:
    """Lead back to the page, which shows what came of it. Refused, it says so and shows the present state."""
    try:
        _decide(request, tenant, sheet, do, reason)
    except DomainError as refusal:
        page = _page(request, _sheet(request, tenant, found), refusal=refusal, status=refusal.status)
        transaction.set_rollback(True)  # of what the refused service wrote; what it kept (scope.keep) stays
        return page
    return HttpResponseRedirect(request.path)


def _decide(request: HttpRequest, tenant: Tenant, sheet: Sheet, do: str, reason: str) -> None:
    """Raises DomainError."""
    given: dict[str, Any] = {
        "tenant": tenant.id,
        "confirmation": sheet.detail.id,
        "by": sheet.viewer,
        "at": clock.now(),
    }
    digests: dict[str, Any] = {name: digest(request.POST.get(name, "")) for name in ("action_digest", "view_digest")}
    match do:
        case "approve":
            proofs = Proofs(session=links.digest(request.COOKIES[COOKIE]).hex())
            services.approve(proofs=proofs, **digests, **given)
        case "refuse":
            services.refuse(reason=reason, **digests, **given)
        case "cancel":
            services.cancel(reason="", **given)
        case _:
            raise InvalidInput("This form is none of this page's. Nothing was changed.")


def _sheet(request: HttpRequest, tenant: Tenant, found: Presented) -> Sheet:
    person = Person(voter=f"end_user:{found.user}", label=found.user, end_users=(found.user,))
    detail = queries.detail(tenant=tenant.id, confirmation=found.confirmation_id, person=person)
    return Sheet(detail=detail, viewer=person)


def _page(request: HttpRequest, sheet: Sheet, *, refusal: DomainError | None = None, status: int = 200) -> HttpResponse:
    context = {"sheet": sheet, "urls": _urls(request), "refusal": refusal}
    return render(request, "confirmations/presented.html", context, status=status)


def _urls(request: HttpRequest) -> dict[str, str]:
    """Where the page's forms lead. What takes an account (edit, inbox, receipt) is not there."""
    return {"self": request.path} | {do: f"{request.path}?do={do}" for do in ("approve", "refuse", "cancel")}
