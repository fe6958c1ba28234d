"""Deliveries: what was sent, to whom, how that went, and once more."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from agentops.common import clock, paging
from agentops.common.errors import NotFound
from agentops.common.pages import older_url, page_or_fragment
from agentops.outbox import presenting, queries, services
from agentops.outbox.types import State
from tenants import sign_in
from tenants.access import TenantRequest
from tenants.roles import Permission

_FILTERS = ("state", "to")


@require_GET
def deliveries(request: TenantRequest) -> HttpResponse:
    """The latest first, of one state or to some destination. For htmx the results alone."""
    tenant, action = request.access.tenant, reverse("deliveries", args=[request.access.tenant.slug])
    given = {name: value for name in _FILTERS if (value := request.GET.get(name, "").strip())}
    if given.get("state") not in State.values:
        given.pop("state", None)
    cursor = paging.cursor(request.GET)
    found = queries.messages(tenant=tenant.id, state=given.get("state", ""), text=given.get("to", ""), cursor=cursor)
    query = urlencode(given)
    context: dict[str, Any] = {
        "action": action,
        "given": given,
        "states": State.choices,
        "found": [presenting.Line(message) for message in found.messages],
        "chips": _chips(given, action),
        "older_url": older_url(action, query, found.next.encode() if found.next else ""),
        "newest_url": f"{action}?{query}" if cursor else "",
    }
    return page_or_fragment(request, "outbox/deliveries.html", "outbox/_deliveries.html", context)


@require_GET
def delivery(request: TenantRequest, message: uuid.UUID) -> HttpResponse:
    """One message with each attempt to bring it to its destination."""
    tenant = request.access.tenant.id
    found = queries.message(tenant=tenant, message=message)
    context = {
        "message": found,
        "attempts": queries.attempts(tenant=tenant, message=message),
        "content": presenting.content(found),
        "at": clock.now(),
        "may_manage": request.access.may(Permission.SETTINGS_MANAGE),
    }
    return TemplateResponse(request, "outbox/delivery.html", context)


@require_POST
def repetition(request: TenantRequest, message: uuid.UUID) -> HttpResponse:
    """Send it once more."""
    access = request.access
    services.send_again(tenant=access.tenant.id, message=message, by=access.actor, at=clock.now())
    messages.success(request, "It is sent again.")
    return redirect("delivery", slug=access.tenant.slug, message=message)


@never_cache
@require_GET
def secret(request: TenantRequest, message: uuid.UUID) -> HttpResponse:
    """What the receiver of a webhook checks its signature with."""
    sign_in.require_recent_sign_in(request)
    tenant = request.access.tenant.id
    found = queries.message(tenant=tenant, message=message)
    text = queries.signing_secret(tenant=tenant, message=found)
    if not text:
        raise NotFound("Only webhooks are signed.")
    return TemplateResponse(request, "outbox/secret.html", {"message": found, "secret": text})


def _chips(given: dict[str, str], action: str) -> list[dict[str, str]]:
    labels = {"state": "State", "to": "To"}
    return [
        {
            "label": labels[name],
            "value": State(value).label if name == "state" else value,
            "remove_url": f"{action}?{urlencode({key: other for key, other in given.items() if key != name})}",
        }
        for name, value in given.items()
    ]
