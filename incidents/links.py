"""Addresses of pages, by name."""

from __future__ import annotations

from typing import Any

from django.urls import reverse


def link(name: str, **kwargs: Any) -> str:
    return reverse(name, kwargs=kwargs)
