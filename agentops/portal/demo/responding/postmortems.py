"""Finished postmortems: written by one, read by another, published; with action items that have an owner and a date."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentops.portal.demo.responding.cases import Lesson
from agentops.portal.demo.responding.people import actor, person
from incidents.queries import played
from incidents.services import action_items, learning, postmortems
from incidents.services.postmortems import WhyTerms
from incidents.types import PostmortemState as S
from tenants.house import house_scope
from tenants.roles import StaffRole

if TYPE_CHECKING:
    from incidents.models import Incident


def write(lesson: Lesson, incident: Incident, *, at: datetime) -> bool:
    """From its beginning to its publication; what is done already stays. Answers if it is published."""
    writer, reader = actor(StaffRole.ON_CALL), actor(StaffRole.QUALITY_OWNER)
    with house_scope() as house:
        said: dict[str, Any] = {"tenant": house, "incident_id": incident.id, "at": at}
        begun = learning.begin_postmortem(by=writer, **said)
        if begun.state == S.PUBLISHED:
            return True
        if begun.state == S.DRAFT:
            _add_actions(lesson, incident, at)
            saved = postmortems.save_postmortem(
                version=begun.version,
                texts={
                    "summary": lesson.summary,
                    "impact": lesson.impact,
                    "went_well": lesson.went_well,
                    "went_badly": lesson.went_badly,
                    "lucky": lesson.lucky,
                },
                whys=[WhyTerms(question=q, answer=a, evidence_text=shown) for q, a, shown in lesson.whys],
                by=writer,
                **said,
            )
            begun = postmortems.submit_postmortem(version=saved.version, by=writer, **said)
        if begun.state == S.IN_REVIEW:
            begun = postmortems.review_postmortem(version=begun.version, by=reader, **said)
        postmortems.publish_postmortem(version=begun.version, by=reader, **said)
    return True


def _add_actions(lesson: Lesson, incident: Incident, at: datetime) -> None:
    known = played.action_titles(incident.id)
    for action in lesson.actions:
        if action.title not in known:
            action_items.add_action(
                tenant=incident.tenant_id,
                incident_id=incident.id,
                title=action.title,
                kind=action.kind,
                owner=person(action.owner).pk,
                due_on=at.date() + timedelta(days=action.in_days),
                tracker_url="",
                by=actor(StaffRole.ON_CALL),
                at=at,
            )
