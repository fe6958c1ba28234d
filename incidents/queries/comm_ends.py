"""What became of texts that were told: delivered or not, and whether the customer knew before. In staff's scope."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Min, Q

from agentops.outbox import queries as outbox
from agentops.outbox.types import State
from evals.queries import signals
from incidents.models import CustomerComm, SnapshotRun, TimelineEntry
from incidents.policies import comms as policies
from incidents.types import CommState, TimelineKind
from tenants.house import HOUSE_ID

BATCH = 200


def ends() -> dict[uuid.UUID, policies.Ended]:
    """Of texts of which something is not known yet, the longest waiting first."""
    waits = Q(state=CommState.SENT) | Q(before_they_noticed=None, about_tenant__isnull=False)
    rows = CustomerComm.objects.filter(waits, tenant_id=HOUSE_ID, state__in=policies.TOLD)
    return {
        one.id: policies.Ended(is_delivered=_is_delivered(one), noticed_at=_noticed_at(one))
        for one in rows.select_related("incident").order_by("sent_at", "id")[:BATCH]
    }


def _is_delivered(comm: CustomerComm) -> bool | None:
    states = outbox.states_of(tenant=HOUSE_ID, messages=comm.messages).values()
    if State.WAITING in states:
        return None
    return State.GIVEN_UP not in states


def _noticed_at(comm: CustomerComm) -> datetime | None:
    """The first bad word on one of the incident's runs, or the first time they came to us."""
    if comm.about_tenant is None or comm.before_they_noticed is not None:
        return None
    planned = SnapshotRun.objects.filter(
        tenant_id=HOUSE_ID, snapshot__incident_id=comm.incident_id, about_tenant=comm.about_tenant
    )
    runs = {*planned.values_list("run_id", flat=True), *_declared_runs(comm)}
    said = signals.first_complaint(tenant=comm.about_tenant, runs=runs) if runs else None
    came = TimelineEntry.objects.filter(
        tenant_id=HOUSE_ID,
        incident_id=comm.incident_id,
        kind=TimelineKind.COMM,
        data__contacted_us=str(comm.about_tenant),
    ).aggregate(first=Min("occurred_at"))["first"]
    return min((one for one in (said, came) if one is not None), default=None)


def _declared_runs(comm: CustomerComm) -> list[uuid.UUID]:
    """Of the customer, among those that the incident was declared with."""
    found = []
    for one in comm.incident.runs:
        try:
            if uuid.UUID(str(one["tenant"])) == comm.about_tenant:
                found.append(uuid.UUID(str(one["run"])))
        except (KeyError, TypeError, ValueError):
            continue  # written by another part; what is no run says nothing here
    return found
