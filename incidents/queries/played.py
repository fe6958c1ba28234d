"""What drills and the demo look for: what became of a failure that was played. Needs the house's scope."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.db.models import Q

from incidents.models import ActionItem, Alert, Cause, Incident, Page, PagingTarget, TimelineEntry
from incidents.types import AlertClass, AlertStatus, IncidentStatus, PageAction
from tenants.house import HOUSE_ID


def alert_of_agent(*, about_tenant: uuid.UUID, agent: str, alert_class: AlertClass) -> Alert | None:
    """The first alert of a class about one agent of one organisation."""
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, alert_class=alert_class)
    rows = rows.filter(Q(about_tenant=about_tenant) | Q(tenants__contains=[about_tenant]))
    return rows.filter(Q(agent=agent) | Q(scope_id=agent)).order_by("opened_at", "id").first()


def open_alerts_about(about_tenant: uuid.UUID) -> list[Alert]:
    """Alerts about one organisation that nobody has in hand."""
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, about_tenant=about_tenant, status=AlertStatus.OPEN)
    return list(rows.order_by("opened_at", "id"))


def open_drills_of(declared_by: str, about_tenant: uuid.UUID) -> list[uuid.UUID]:
    """Drills' incidents that were declared in one name about one organisation, and can still be cancelled."""
    rows = Incident.objects.filter(tenant_id=HOUSE_ID, is_drill=True, declared_by=declared_by)
    rows = rows.filter(tenants=[about_tenant], status__in=(IncidentStatus.TRIAGE, IncidentStatus.ACTIVE))
    return list(rows.order_by("declared_at", "id").values_list("id", flat=True))


def has_alert(*, about_tenant: uuid.UUID, agents: Collection[str], classes: Collection[AlertClass]) -> bool:
    """Was there ever an alert of one of these classes about one of these agents?"""
    rows = Alert.objects.filter(tenant_id=HOUSE_ID, alert_class__in=classes, agent__in=agents)
    return rows.filter(Q(about_tenant=about_tenant) | Q(tenants__contains=[about_tenant])).exists()


def target_called(name: str) -> PagingTarget | None:
    return PagingTarget.objects.filter(tenant_id=HOUSE_ID, name=name).first()


def why_no_page(*, subject: uuid.UUID, target: uuid.UUID) -> str:
    """What became of a page that did not arrive, in words."""
    rows = Page.objects.filter(tenant_id=HOUSE_ID, subject_id=subject, target=target, action=PageAction.TRIGGER)
    page = rows.order_by("created_at", "id").first()
    if page is None:
        return "no page was planned"
    if page.failed_at is not None:
        return "the page was given up; its record is on the page of paging targets"
    return "the page was planned and is not delivered"


def incident_titled(title: str) -> Incident | None:
    rows = Incident.objects.filter(tenant_id=HOUSE_ID, title=title, is_drill=False)
    return rows.order_by("declared_at", "id").first()


def status_of(incident_id: uuid.UUID) -> IncidentStatus:
    return IncidentStatus(Incident.objects.values_list("status", flat=True).get(tenant_id=HOUSE_ID, id=incident_id))


def has_cause(incident_id: uuid.UUID) -> bool:
    return Cause.objects.filter(tenant_id=HOUSE_ID, incident=incident_id, is_root=True, replaced_at=None).exists()


def texts_told(incident_id: uuid.UUID) -> set[str]:
    """The lines of its timeline."""
    rows = TimelineEntry.objects.filter(tenant_id=HOUSE_ID, incident_id=incident_id)
    return set(rows.values_list("text", flat=True))


def action_titles(incident_id: uuid.UUID) -> set[str]:
    rows = ActionItem.objects.filter(tenant_id=HOUSE_ID, incident=incident_id)
    return set(rows.values_list("title", flat=True))
