"""One incident by what people call it."""

from __future__ import annotations

import re

from agentops.common.errors import NotFound
from incidents.models import Incident
from tenants.house import HOUSE_ID

_REF = re.compile(r"INC-(\d{4})-(\d{4,9})", re.IGNORECASE)


def incident_called(ref: str, *, lock: bool = False) -> Incident:
    """`INC-2026-0042`; with `lock` for a change in the same transaction. Raises NotFound."""
    found = _REF.fullmatch(ref.strip())
    rows = Incident.objects.select_for_update() if lock else Incident.objects.all()
    incident = (
        rows.filter(tenant_id=HOUSE_ID, year=int(found[1]), number=int(found[2])).first()
        if found and int(found[1]) < 32_768 and int(found[2]) < 2**31
        else None
    )
    if incident is None:
        raise NotFound("There is no such incident.")
    return incident
