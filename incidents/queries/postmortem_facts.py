"""All that a postmortem tells: its texts, and what the incident's own rows say. In the house's scope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Q

from incidents.models import (
    ActionItem,
    BlastItem,
    Cause,
    CustomerComm,
    Evidence,
    Incident,
    Postmortem,
    Reversal,
    SideEffect,
    TimelineEntry,
    Why,
)
from incidents.policies import comms
from incidents.policies import learning as policies
from incidents.types import ActionState, BlastKind, BlastState, ReversalState
from tenants import queries as tenants
from tenants.house import HOUSE_ID

if TYPE_CHECKING:
    from tenants.models import Tenant

TIMELINE_MOST, EVIDENCE_MOST = 400, 200


@dataclass(frozen=True, slots=True)
class Reach:
    """Who and what was hit, as far as people confirmed it; and what was done about it."""

    organisations: list[Tenant]
    records: int
    users: int
    systems: int
    suspected: int
    effects: int
    undone: int
    told: int


@dataclass(frozen=True, slots=True)
class Told:
    """A postmortem with everything it is shown with."""

    incident: Incident
    postmortem: Postmortem | None
    whys: list[Why]
    actions: list[ActionItem]
    root: Cause | None
    factors: list[Cause]
    timeline: list[TimelineEntry]
    is_timeline_cut: bool
    clocks: list[policies.Clock]
    reach: Reach
    again: list[ActionItem]  # of earlier incidents with the same cause: they did not hold


def told_of(incident: Incident) -> Told:
    of = Q(tenant_id=HOUSE_ID, incident_id=incident.id)
    postmortem = Postmortem.objects.filter(of).first()
    causes = list(Cause.objects.filter(of, replaced_at=None).order_by("at", "id"))
    entries = list(TimelineEntry.objects.filter(of).order_by("occurred_at", "id")[: TIMELINE_MOST + 1])
    again = ActionItem.objects.filter(tenant_id=HOUSE_ID, recurred_in=incident.id)
    return Told(
        incident=incident,
        postmortem=postmortem,
        whys=whys_of(postmortem),
        actions=list(ActionItem.objects.filter(of).select_related("owner", "recurred_in").order_by("made_at", "id")),
        root=next((one for one in causes if one.is_root), None),
        factors=[one for one in causes if not one.is_root],
        timeline=entries[:TIMELINE_MOST],
        is_timeline_cut=len(entries) > TIMELINE_MOST,
        clocks=clocks_of(incident),
        reach=reach_of(incident),
        again=list(again.select_related("owner", "incident").order_by("made_at", "id")[:100]),
    )


def whys_of(postmortem: Postmortem | None) -> list[Why]:
    if postmortem is None:
        return []
    return list(Why.objects.filter(tenant_id=HOUSE_ID, postmortem=postmortem).order_by("number"))


def evidence_of(incident: Incident) -> list[Evidence]:
    """What a why can name, without its bytes."""
    rows = Evidence.objects.filter(tenant_id=HOUSE_ID, incident_id=incident.id)
    return list(rows.defer("body").order_by("kind", "source", "id")[:EVIDENCE_MOST])


def contents_of(told: Told) -> policies.Contents:
    """As far as its completeness goes."""
    assert told.postmortem is not None
    standing = [one for one in told.actions if one.state != ActionState.DROPPED]
    return policies.Contents(
        summary=told.postmortem.summary,
        impact=told.postmortem.impact,
        whys=[
            policies.Answer(one.question, one.answer, bool(one.evidence_id or one.evidence_text)) for one in told.whys
        ],
        has_root_cause=told.root is not None,
        actions=len(standing),
        bare_actions=sum(
            one.state == ActionState.OPEN and (one.owner_id is None or one.due_on is None) for one in standing
        ),
    )


def clocks_of(incident: Incident) -> list[policies.Clock]:
    return policies.clocks(
        policies.Times(
            began_at=incident.impact_started_at,
            detected_at=incident.detected_at,
            acknowledged_at=incident.acknowledged_at,
            contained_at=incident.contained_at,
            last_harm_at=incident.last_harm_at,
            customer_told_at=incident.customer_told_at,
            reversed_at=incident.reversed_at,
            learnt_at=incident.learnt_at,
        )
    )


def reach_of(incident: Incident) -> Reach:
    of = Q(tenant_id=HOUSE_ID, incident_id=incident.id)
    confirmed = Q(state=BlastState.CONFIRMED)
    blast = BlastItem.objects.filter(of).aggregate(
        records=Count("id", filter=confirmed & Q(kind=BlastKind.RECORD)),
        users=Count("id", filter=confirmed & Q(kind=BlastKind.USER)),
        systems=Count("id", filter=confirmed & Q(kind=BlastKind.SYSTEM)),
        suspected=Count("id", filter=Q(state=BlastState.SUSPECTED)),
    )
    told = CustomerComm.objects.filter(
        of, state__in=comms.TOLD, audience__in=comms.CUSTOMERS, about_tenant__isnull=False
    )
    organisations = tenants.tenants_by_id(incident.tenants).values()
    return Reach(
        organisations=sorted(organisations, key=lambda one: (one.name, one.id)),
        **blast,
        effects=SideEffect.objects.filter(of).count(),
        undone=Reversal.objects.filter(of, state=ReversalState.DONE).count(),
        told=told.values("about_tenant").distinct().count(),
    )
