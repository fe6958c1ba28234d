"""What a one-time link opens: a button, and behind it one tier-2 confirmation, for somebody without an account here.

One address for both: before it is opened it shows the button alone (whoever merely fetches it, a mail scanner say,
changes nothing), afterwards the confirmation, to the browser that holds the cookie. Everybody else finds nothing.
"""

from __future__ import annotations

import uuid

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from agentops.confirmations import links, services
from agentops.confirmations.types import Presented
from tenants import queries as tenants
from tenants.models import Tenant

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
    return _confirmation(request, tenant, link, found)


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


def _confirmation(request: HttpRequest, tenant: Tenant, link: str, found: Presented) -> HttpResponse:
    return render(request, "confirmations/presented_link.html", {"tenant": tenant, "user": found.user})
