"""What of a postmortem is searched and bound by a digest, and the trace that each of its steps leaves."""

from __future__ import annotations

import hashlib
from datetime import datetime

import rfc8785

from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.models import ActionItem, Cause, Postmortem, Why
from incidents.policies import causes as taxonomy
from incidents.services import timeline
from incidents.types import TimelineKind

TEXTS = ("summary", "impact", "went_well", "went_badly", "lucky")


def keep_text(postmortem: Postmortem) -> None:
    """All that is searched, on lines; again with every change of it or of its action items."""
    incident, of = postmortem.incident, {"tenant_id": postmortem.tenant_id}
    causes = Cause.objects.filter(**of, incident=incident, replaced_at=None).order_by("at", "id")
    actions = ActionItem.objects.filter(**of, incident=incident).order_by("made_at", "id")
    parts = [
        incident.ref,
        incident.title,
        *(value for value in (incident.agent, incident.tool, incident.agent_version) if value),
        *(getattr(postmortem, name) for name in TEXTS),
        *(f"{one.question} {one.answer} {one.evidence_text}" for one in _whys(postmortem)),
        *(f"{taxonomy.words(one.kind, one.detail_kind)}: {one.text}" for one in causes),
        *(one.title for one in actions),
    ]
    postmortem.text = "\n".join(part for part in parts if part)
    postmortem.save(update_fields=["text"])


def digest_of(postmortem: Postmortem) -> str:
    """Hex SHA-256 of RFC 8785 JSON over texts and whys: what was submitted, reviewed, published."""
    whys = [
        [one.number, one.question, one.answer, str(one.evidence_id or ""), one.evidence_text]
        for one in _whys(postmortem)
    ]
    bound = {**{name: getattr(postmortem, name) for name in TEXTS}, "whys": whys}
    return hashlib.sha256(rfc8785.dumps(bound)).hexdigest()


def record(
    postmortem: Postmortem, action: str, words: str, by: Actor, at: datetime, *, reason: str = "", is_told: bool = True
) -> None:
    """The audit entry of a step and, unless it is one of many edits, its line in the timeline."""
    incident = postmortem.incident
    if is_told:
        timeline.note(
            tenant=postmortem.tenant_id,
            incident_id=incident.id,
            kind=TimelineKind.POSTMORTEM,
            text=words,
            by=by,
            at=at,
            link=f"/staff/incidents/{incident.ref}/postmortem/",
        )
    audit.record(
        tenant=postmortem.tenant_id,
        action=action,
        actor=by,
        target=Target(type="incident", id=incident.ref),
        outcome=Outcome.SUCCESS,
        data={"ref": incident.ref, "version": postmortem.version, "digest": digest_of(postmortem)},
        at=at,
        reason=reason,
    )


def _whys(postmortem: Postmortem) -> list[Why]:
    return list(Why.objects.filter(tenant_id=postmortem.tenant_id, postmortem=postmortem).order_by("number"))
