"""The page of what an entry speaks of, where there is one: a trace may name any agent, and much is kept for less time."""

from __future__ import annotations

import uuid

from django.urls import NoReverseMatch

from agentops.catalog import queries as catalog
from agentops.common.pages import place
from agentops.outbox import queries as outbox
from agentops.runtime import queries as guard
from agentops.traces import queries as traces
from tenants.access import TenantRequest


def url_of(request: TenantRequest, kind: str, id: str) -> str:
    """ "" where there is no page, or none for these people."""
    tenant, found = request.access.tenant.id, _uuid(id)
    try:
        if kind == "agent" and catalog.is_registered(tenant=tenant, name=id):
            return place(request, "agent", agent=id)
        if kind == "confirmation" and found is not None:
            return place(request, "confirmation-receipt", confirmation=found)
        if kind == "message" and found is not None and outbox.states_of(tenant=tenant, messages=[found]):
            return place(request, "delivery", message=found)
    except NoReverseMatch:
        return ""
    return run_url(request, found) if kind == "run" and found is not None else ""


def run_url(request: TenantRequest, run: uuid.UUID) -> str:
    """A run is shown by its spans, or by what the guard knows of it."""
    tenant = request.access.tenant.id
    is_there = traces.run_exists(tenant=tenant, run_id=run) or guard.guarded_run(tenant=tenant, run=run) is not None
    return place(request, "run", run_id=run.hex) if is_there else ""


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
