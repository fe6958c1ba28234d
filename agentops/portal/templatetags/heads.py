"""What every page loads, made once: thirty addresses of static files took a tenth of a list's templates. A builtin."""

from __future__ import annotations

import functools

from django import template
from django.conf import settings
from django.template.loader import render_to_string

register = template.Library()


@register.simple_tag
def page_head() -> str:
    """`_head.html`; anew each time in debug, where files change while the program runs."""
    return _head.__wrapped__() if settings.DEBUG else _head()


@functools.cache
def _head() -> str:
    return render_to_string("_head.html")
