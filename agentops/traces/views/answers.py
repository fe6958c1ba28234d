"""A page, or the part of it that htmx asked for."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import patch_vary_headers

from tenants.access import PersonRequest


def is_fragment(request: PersonRequest) -> bool:
    return bool(request.htmx) and not request.htmx.boosted


def page_or_fragment(request: PersonRequest, page: str, fragment: str, context: dict[str, Any]) -> HttpResponse:
    response = TemplateResponse(request, fragment if is_fragment(request) else page, context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def older_url(base: str, query: str, cursor: str) -> str:
    """The next page of a list; "" without a cursor."""
    return f"{base}?{query}{'&' if query else ''}cursor={cursor}" if cursor else ""
