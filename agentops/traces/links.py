"""Addresses of the trace pages, which stand twice: for an organisation's own people, and for staff."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from agentops.common.ids import span_hex

# Marks that turn the direction of the text around them: in a name they could make one user look like another.
_TURNS = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_STAFF_NAMES = {"ingest-health": "staff-tenant-ingest"}


def plain_name(text: str) -> str:
    """A name as it may stand on a page: without marks that turn the direction of text."""
    return _TURNS.sub("\N{REPLACEMENT CHARACTER}", text)


@dataclass(frozen=True, slots=True)
class TraceLinks:
    """Addresses inside one tenant, as seen by one kind of people."""

    slug: str
    is_staff: bool

    @classmethod
    def of(cls, request: HttpRequest) -> TraceLinks:
        return cls(slug=request.access.tenant.slug, is_staff=hasattr(request, "staff"))  # type: ignore[attr-defined]

    def _to(self, name: str, **kwargs: str) -> str:
        staff_name = _STAFF_NAMES.get(name, f"staff-tenant-{name}")
        return reverse(staff_name if self.is_staff else name, kwargs={"slug": self.slug, **kwargs})

    @property
    def runs(self) -> str:
        return self._to("runs")

    @property
    def count(self) -> str:
        return self._to("run-count")

    @property
    def ingest(self) -> str:
        return self._to("ingest-health")

    def run(self, run_id: uuid.UUID) -> str:
        return self._to("run", run_id=run_id.hex)

    def run_at(self, run_id: uuid.UUID, span_id: int) -> str:
        """The run with one of its spans opened."""
        return f"{self.run(run_id)}?{urlencode({'span': span_hex(span_id)})}"

    def children(self, run_id: uuid.UUID) -> str:
        return self._to("run-children", run_id=run_id.hex)

    def span(self, run_id: uuid.UUID, span_id: int) -> str:
        return self._to("span", run_id=run_id.hex, span_id=span_hex(span_id))

    def filter_url(self, name: str, value: str) -> str:
        """The runs that have a value."""
        return f"{self.runs}?{urlencode({name: value})}"

    def filtered(self, name: str, value: str, words: Any = "") -> SafeString | str:
        """A value as a link to the runs that have it; "" stays ""."""
        if not value:
            return ""
        return format_html(
            '<a href="{}" title="Runs with this">{}</a>', self.filter_url(name, value), words or plain_name(value)
        )
