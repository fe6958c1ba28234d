"""What people write into the timeline."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.utils.http import url_has_allowed_host_and_scheme

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import invalid
from incidents.services.keeping import locked, record
from incidents.services.timeline import note
from incidents.types import TimelineKind


def add_note(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    text: str,
    link: str = "",
    occurred_at: datetime | None = None,
    is_internal: bool = True,
    by: Actor,
    at: datetime,
) -> uuid.UUID:
    """A line of a person; also of an incident that is closed: what was learnt late belongs there. Raises InvalidInput."""
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id, may_be_over=True)
    text = inputs.text("/text", text)
    link = inputs.text("/link", link, most=500, is_needed=False)
    # Browsers read "/\host" and "/<tab>/host" as "//host".
    if link and not (link.startswith("/") and url_has_allowed_host_and_scheme(link, allowed_hosts=None)):
        raise invalid("/link", "A link is an address of this product, such as /staff/t/acme/runs/….")
    if occurred_at is not None and occurred_at > at:
        raise invalid("/occurred_at", "It happened before now.")
    made = note(
        tenant=tenant,
        incident_id=incident.id,
        kind=TimelineKind.NOTE,
        text=text,
        by=by,
        at=at,
        occurred_at=occurred_at,
        link=link,
        is_internal=is_internal,
    )
    record(incident, "incident.noted", {"entry": str(made)}, by, at)
    return made
