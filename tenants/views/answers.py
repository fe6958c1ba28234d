"""The two forms in which these pages answer: a whole page, or the part of it that htmx asked for."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers

from tenants.access import TenantRequest


def page_or_fragment(
    request: TenantRequest, page: str, fragment: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """One URL, both forms; caches are told by Vary."""
    response = render(request, fragment if request.htmx else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def question(request: TenantRequest, fragment: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A question before something is changed: in a dialog over the list, or as a page of its own."""
    return page_or_fragment(
        request, "tenants/question.html", fragment, {**context, "fragment": fragment}, status=status
    )
