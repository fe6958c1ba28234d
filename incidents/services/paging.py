"""Pages: one change of state, told once to each target that is to hear of it."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import scope
from incidents.models import Page
from incidents.types import PageAction


def plan_pages(
    *,
    tenant: uuid.UUID,
    subject_kind: str,
    subject_id: uuid.UUID,
    state_number: int,
    action: PageAction,
    severity: int,
    because: str,
    at: datetime,
) -> list[Page]:
    """Page about a change of an alert or incident, in the transaction of that change; the same change pages once."""
    scope.require_tenant(tenant)
    return []
