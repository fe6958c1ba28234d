"""Addresses of pages about one organisation, which stand twice: for its own people, and for staff. A builtin."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context
from django.urls import NoReverseMatch, reverse

from agentops.common import pages
from agentops.portal.frame import may_open

register = template.Library()


@register.simple_tag(takes_context=True)
def place(context: Context, name: str, **kwargs: Any) -> str:
    """The address of a page, as this kind of people sees it; "" where there is no such page for them.

    `{% place "agent" agent=row.agent as agent_url %}`
    """
    try:
        return pages.place(context["request"], name, **kwargs)
    except NoReverseMatch:
        return ""


@register.simple_tag(takes_context=True)
def open_place(context: Context, name: str, **kwargs: Any) -> str:
    """The same for a page that not everybody who sees the link may open: "" for those who may not."""
    url = place(context, name, **kwargs)
    return url if url and may_open(context["request"], url) else ""


@register.simple_tag(takes_context=True)
def staff_url(context: Context, name: str, **kwargs: Any) -> str:
    """The address of a page of our own people; "" for everybody else, and for those of ours who may not open it."""
    request = context["request"]
    if getattr(request, "staff", None) is None:
        return ""
    try:
        url = reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return ""
    return url if may_open(request, url) else ""
