"""Who of ours hears of an incident beside the pagers: those who look after the organisations it hits."""

from __future__ import annotations

from django.conf import settings

from agentops.outbox import services as outbox
from incidents.models import Incident
from incidents.types import Severity
from tenants import queries as tenants

TEMPLATE = "incidents/mail/declared.txt"


def tell_success_managers(incident: Incident) -> None:
    """Once for each person and each severity, with the organisations of theirs; in the transaction of the declaration."""
    if incident.severity > Severity.SEV2 or not incident.tenants:
        return
    hit = {each.id for each in tenants.tenants_by_id(incident.tenants).values()}
    active = {manager.pk: manager for manager in tenants.success_managers()}
    theirs: dict[int, list[str]] = {}
    for tenant in tenants.all_tenants():
        if tenant.id in hit and tenant.success_manager_id in active:
            theirs.setdefault(tenant.success_manager_id, []).append(tenant.name)
    for pk, names in theirs.items():
        outbox.send(
            tenant=incident.tenant_id,
            channel="mail",
            destination=active[pk].email,
            template=TEMPLATE,
            context={
                "ref": incident.ref,
                "title": incident.title,
                "severity": incident.severity,
                "is_drill": incident.is_drill,
                "organisations": ", ".join(names),
                "link": f"{settings.PUBLIC_URL}/staff/incidents/{incident.ref}/",
            },
            dedup_key=f"incident:{incident.id}:{incident.severity}:{pk}",
        )
