"""The receipt of a confirmation: what was seen, approved, permitted and executed, side by side."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from agentops.confirmations import queries
from agentops.confirmations.presenting import Sheet
from agentops.confirmations.views import seeing
from tenants.access import TenantRequest


@never_cache
@require_GET
def receipt(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """As a page, which prints well."""
    sheet = seeing.sheet(request, confirmation)
    if not sheet.has_receipt:
        return _not_yet(request, sheet)
    context = {
        "sheet": sheet,
        "receipt": _with_moments(queries.receipt(tenant=request.access.tenant.id, confirmation=confirmation)),
        "urls": seeing.urls(request, sheet),
        "json_url": reverse(
            "confirmation-receipt-json", kwargs={"slug": request.access.tenant.slug, "confirmation": confirmation}
        ),
    }
    return TemplateResponse(request, "confirmations/receipt.html", context)


@never_cache
@require_GET
def export(request: TenantRequest, confirmation: uuid.UUID) -> HttpResponse:
    """As a file, which anybody can check without us."""
    sheet = seeing.sheet(request, confirmation)
    if not sheet.has_receipt:
        return _not_yet(request, sheet)
    found = queries.receipt(tenant=request.access.tenant.id, confirmation=confirmation)
    text = json.dumps(found, indent=2, ensure_ascii=False)
    response = HttpResponse(text, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="receipt-{confirmation}.json"'
    return response


def _not_yet(request: TenantRequest, sheet: Sheet) -> HttpResponse:
    """While people decide, a receipt would tell the second of two what the first said."""
    messages.info(request, "There is a receipt once people have decided, or its time is over.")
    return redirect(seeing.urls(request, sheet)["self"])


def _with_moments(part: Any) -> Any:
    """The same with times that a page can put into words."""
    if isinstance(part, dict):
        return {
            name: datetime.fromisoformat(value) if name == "at" and value else _with_moments(value)
            for name, value in part.items()
        }
    return [_with_moments(each) for each in part] if isinstance(part, list) else part
