"""One entry: its sentence, who and what, what belongs to it, and its place in the log."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from agentops.common import clock
from agentops.common.cursors import Cursor
from agentops.common.pages import place
from audit import canonical, presenting, queries, sentences
from audit.models import Entry
from audit.presenting import Line
from audit.queries.entries import told
from audit.sentences import plain
from audit.views.listing import held
from audit.views.things import run_url, url_of
from tenants.access import TenantRequest


@require_GET
def entry(request: TenantRequest, entry: uuid.UUID) -> HttpResponse:
    """With the entries of the same confirmation or call around it."""
    hidden = held(request)
    found = queries.get_entry(tenant=request.access.tenant.id, entry=entry, held=hidden)
    context: dict[str, Any] = {
        "found": found,
        "log_url": place(request, "audit-log"),
        "leaf_hash": bytes(found.leaf.leaf_hash).hex() if found.leaf else "",
    }
    if found.entry is None:
        return TemplateResponse(request, "audit/entry_deleted.html", context)
    row = found.entry
    data, is_apart = _data(request, row)
    context |= {
        "entry": row,
        "title": sentences.sentence(_Whole(row, data)),
        "pieces": sentences.pieces(_Whole(row, data)),
        "outcome": presenting.outcome_name(row.outcome),
        "seal": "pending" if found.leaf is None else "sealed",
        "recorded": presenting.exact(row.recorded_at),
        "occurred": presenting.exact(row.occurred_at) if row.occurred_at != row.recorded_at else "",
        "gone": sentences.erased(row),
        "target_kind": sentences.words_of(row.target_type).capitalize(),
        "is_target_an_id": _is_id(row.target_id),
        "actor_words": plain(row.actor_label or row.actor_id),
        "is_apart": is_apart,
        "fields": presenting.told_fields(row, data),
        "envelope": canonical.envelope(row_of(row)).decode(),
        **_chain(request, row, data, hidden),
        "links": _links(request, row),
        **_neighbours(request, row, hidden),
    }
    return TemplateResponse(request, "audit/entry.html", context)


class _Whole:
    """An entry with its data at hand, wherever that is kept."""

    def __init__(self, row: Entry, data: dict[str, Any]) -> None:
        self.action, self.actor_id, self.actor_label = row.action, row.actor_id, row.actor_label
        self.target_type, self.target_id = row.target_type, row.target_id
        self.commitments, self.private = row.commitments, row.private
        self._data = data

    def told(self) -> dict[str, Any]:
        return self._data


def row_of(row: Entry) -> canonical.Row:
    """The row whose envelope is hashed."""
    return canonical.row_of([getattr(row, name) for name in canonical.COLUMNS])


def _data(request: TenantRequest, row: Entry) -> tuple[dict[str, Any], bool]:
    """The fields of an entry's data, from beside it where it was too large; and whether it was."""
    data = row.told()
    if set(data) == {"blob"}:
        content = queries.blob_of(tenant=request.access.tenant.id, entry=row.id)
        return (told(content.decode(), row.private), True) if content is not None else ({}, True)
    return data, False


def _chain(request: TenantRequest, row: Entry, data: dict[str, Any], hidden: Any) -> dict[str, Any]:
    """The entries that belong together, from what was asked to what ran, and the receipt that shows what people saw."""
    tenant, at = request.access.tenant.id, clock.now()
    confirmation = row.target_id if row.target_type == "confirmation" else str(data.get("confirmation") or "")
    call = data.get("call")
    if not confirmation and call and row.run_id is not None:
        confirmation = queries.confirmation_of_call(tenant=tenant, run=row.run_id, call=call, at=at)
    if not confirmation:
        return {}
    found = queries.of_confirmation(tenant=tenant, confirmation=confirmation, at=at, held=hidden)
    return {
        "chain": [Line(each) for each in found] if len(found) > 1 else [],
        "receipt_url": url_of(request, "confirmation", str(confirmation)),
    }


def _links(request: TenantRequest, row: Entry) -> dict[str, str]:
    """Addresses of what the entry speaks of; "" where there is no page for these people."""
    who, what = place(request, "audit-who"), place(request, "audit-what")
    found = {
        "actor": f"{who}?{urlencode({'actor': row.actor_id})}" if row.actor_id else "",
        "person": f"{who}?{urlencode({'person': row.on_behalf_of_id})}" if row.on_behalf_of_id else "",
        "target": f"{what}?{urlencode({'target_type': row.target_type, 'target_id': row.target_id})}"
        if row.target_id
        else "",
        "thing": url_of(request, row.target_type, row.target_id),
    }
    if row.run_id is not None:
        found["run"] = run_url(request, row.run_id)
        found["of_run"] = f"{place(request, 'audit-log')}?{urlencode({'run': row.run_id.hex})}"
    return found


def _is_id(text: str) -> bool:
    """Is it one of ours, which nobody reads?"""
    try:
        return bool(text) and uuid.UUID(text) is not None
    except ValueError:
        return False


def _neighbours(request: TenantRequest, row: Entry, hidden: Any) -> dict[str, str]:
    tenant, key = request.access.tenant.id, Cursor(row.recorded_at, row.id)
    newer = queries.newer_neighbour(tenant=tenant, key=key, held=hidden)
    older = queries.older_neighbour(tenant=tenant, key=key, held=hidden)
    return {
        "newer_url": place(request, "audit-entry", entry=newer) if newer else "",
        "older_url": place(request, "audit-entry", entry=older) if older else "",
    }
