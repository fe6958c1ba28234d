"""How pages answer: as a page or as the part of it that htmx asked for, as a question before something is changed."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers

from agentops.common.errors import DomainError


def is_fragment(request: HttpRequest) -> bool:
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted


def page_or_fragment(
    request: HttpRequest, page: str, fragment: str, context: dict[str, Any], *, status: int = 200
) -> TemplateResponse:
    """One URL, both forms; caches are told by Vary."""
    response = TemplateResponse(request, fragment if is_fragment(request) else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def question(
    request: HttpRequest,
    fragment: str,
    context: dict[str, Any],
    *,
    title: str,
    back: tuple[str, str],
    status: int = 200,
) -> TemplateResponse:
    """A question before something is changed: in a dialog over the list, or as a page of its own.

    `back` is the address and the name of the page it is asked from.
    """
    context = {**context, "title": title, "fragment": fragment, "back_url": back[0], "back_label": back[1]}
    return page_or_fragment(request, "question.html", fragment, context, status=status)


def older_url(base: str, query: str, cursor: str) -> str:
    """The next page of a list; "" without a cursor."""
    return f"{base}?{query}{'&' if query else ''}cursor={cursor}" if cursor else ""


def place(request: HttpRequest, name: str, **kwargs: Any) -> str:
    """The address of a page about one organisation that stands twice: `name` for its own people, `staff-tenant-name` for staff."""
    is_staff = hasattr(request, "staff")
    slug = request.access.tenant.slug  # type: ignore[attr-defined]  # set by the doors of tenants.access
    return reverse(f"staff-tenant-{name}" if is_staff else name, kwargs={"slug": slug, **kwargs})


def show_refusal(form: forms.Form, refusal: DomainError) -> None:
    """Put a service's refusal where the person looks: at the field it points to, else above the form."""
    if not refusal.problems:
        form.add_error(None, refusal.detail)
    for problem in refusal.problems:
        field = problem.pointer.strip("/")
        form.add_error(field if field in form.fields else None, problem.detail)
