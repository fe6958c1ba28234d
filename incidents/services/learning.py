"""A postmortem begun with what is known; and causes that come back, which say that earlier action items did not hold."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from agentops.common import scope
from agentops.common.errors import NotFound
from audit import services as audit
from audit.types import SYSTEM, Actor, Outcome, Target
from incidents.models import ActionItem, Cause, Incident, Postmortem, Why
from incidents.policies import learning as policies
from incidents.queries import postmortem_facts as facts
from incidents.services import timeline
from incidents.services.postmortem_text import keep_text, record
from incidents.types import ActionState, CauseKind, TimelineKind

_QUESTIONS = (
    "Why did it happen?",
    "Why was that possible?",
    "Why did nothing stop it before it did harm?",
    "Why was it not noticed earlier?",
    "What in how we work let it come so far?",
)


def begin_postmortem(*, tenant: uuid.UUID, incident_id: uuid.UUID, by: Actor, at: datetime) -> Postmortem:
    """The postmortem of an incident, begun with its facts; where there is one, that one. Raises NotFound."""
    scope.require_tenant(tenant)
    incident = Incident.objects.filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    found = Postmortem.objects.filter(tenant_id=tenant, incident=incident).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            postmortem = Postmortem.objects.create(
                tenant_id=tenant,
                incident=incident,
                summary=_summary(incident),
                impact=_impact(incident),
                due_at=policies.due_at(severity=incident.severity, resolved_at=incident.resolved_at),
                begun_at=at,
                begun_by=by.label,
            )
    except IntegrityError:  # somebody else began it a moment ago
        return Postmortem.objects.get(tenant_id=tenant, incident=incident)
    Why.objects.bulk_create(
        Why(tenant_id=tenant, postmortem=postmortem, number=number, question=question)
        for number, question in enumerate(_QUESTIONS, start=1)
    )
    keep_text(postmortem)
    record(postmortem, "postmortem.begun", "The postmortem was begun.", by, at)
    return postmortem


def note_recurrence(*, tenant: uuid.UUID, incident_id: uuid.UUID, at: datetime) -> int:
    """Mark action items of earlier incidents with this one's root cause, of the same agent or tool; answers how many.

    Marks of a cause that this incident has no longer are taken back.
    """
    scope.require_tenant(tenant)
    incident = Incident.objects.filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    earlier = _alike(incident)
    marked = ActionItem.objects.filter(tenant_id=tenant, recurred_in=incident)
    marked.exclude(incident__in=earlier).update(recurred_at=None, recurred_in=None)
    count = 0
    for one in earlier:
        rows = ActionItem.objects.filter(tenant_id=tenant, incident=one, recurred_at=None)
        hit = rows.exclude(state=ActionState.DROPPED).update(recurred_at=at, recurred_in=incident)
        if hit:
            count += hit
            _note(incident, one, hit, at)
    return count


def _alike(incident: Incident) -> list[Incident]:
    """Incidents before this one with the same cause, the latest first."""
    root = Cause.objects.filter(tenant_id=incident.tenant_id, incident=incident, is_root=True, replaced_at=None).first()
    same = Q(agent=incident.agent) if incident.agent else Q()
    same |= Q(tool=incident.tool) if incident.tool else Q()
    if root is None or root.kind == CauseKind.UNKNOWN or not same:
        return []
    before = Q(declared_at__lt=incident.declared_at) | Q(declared_at=incident.declared_at, id__lt=incident.id)
    causes = Cause.objects.filter(
        tenant_id=incident.tenant_id, is_root=True, replaced_at=None, kind=root.kind, detail_kind=root.detail_kind
    )
    rows = Incident.objects.filter(
        same, before, tenant_id=incident.tenant_id, is_drill=incident.is_drill, id__in=causes.values("incident_id")
    )
    return list(rows.order_by("-declared_at", "-id"))


def _note(incident: Incident, earlier: Incident, count: int, at: datetime) -> None:
    items = f"{count} action item{'' if count == 1 else 's'}"
    for place, words in (
        (incident, f"The same cause as {earlier.ref}: {items} of it did not hold."),
        (earlier, f"The same cause came back in {incident.ref}: {items} did not hold."),
    ):
        timeline.note(
            tenant=incident.tenant_id,
            incident_id=place.id,
            kind=TimelineKind.CAUSE,
            text=words,
            by=SYSTEM,
            at=at,
            link=f"/staff/incidents/{(earlier if place is incident else incident).ref}/postmortem/",
        )
    audit.record(
        tenant=incident.tenant_id,
        action="incident.recurred",
        actor=SYSTEM,
        target=Target(type="incident", id=incident.ref),
        outcome=Outcome.SUCCESS,
        data={"ref": incident.ref, "earlier": earlier.ref, "actions": count},
        at=at,
    )


# -- first words ------------------------------------------------------------------------------------------------------


def _summary(incident: Incident) -> str:
    """In one sentence, then what was written at the declaration."""
    parts = [incident.title.rstrip(".") + "."]
    for moment, words in (
        (incident.impact_started_at, "It began on {}."),
        (incident.detected_at, "It was detected on {}."),
        (incident.contained_at, "It was stopped on {}."),
    ):
        if moment is not None:
            parts.append(words.format(f"{moment:%-d %B %Y at %H:%M} UTC"))
    return "\n\n".join(one for one in (" ".join(parts), incident.summary.strip()) if one)


def _impact(incident: Incident) -> str:
    reach = facts.reach_of(incident)
    lines = [
        f"Organisations: {', '.join(one.name for one in reach.organisations) or 'none named'}.",
        f"Confirmed: {_count(reach.records, 'record')}, {_count(reach.users, 'user')}, "
        f"{_count(reach.systems, 'external system')}.",
        f"Done outside: {_count(reach.effects, 'effect')}, {reach.undone} undone.",
        f"Told: {reach.told} of {len(reach.organisations)}.",
    ]
    return "\n".join(lines)


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
