"""A postmortem from its draft to its archive: one text at a time, read by another person before it counts."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from agentops.common import scope
from agentops.common.errors import Conflict, NotFound
from audit.types import Actor
from evals.errors import SecondPersonMissing
from incidents import inputs
from incidents.errors import AlreadyDone, invalid
from incidents.models import Evidence, Incident, Postmortem, Why
from incidents.policies import learning as policies
from incidents.queries import postmortem_facts as facts
from incidents.services.postmortem_text import TEXTS, keep_text, record
from incidents.types import PostmortemState as S

TEXT_MOST, QUESTION_MOST, ANSWER_MOST, EVIDENCE_MOST, REASON_MOST = 20_000, 500, 4_000, 1_000, 1_000


class PostmortemMoved(Conflict):
    code, title = "postmortem_changed", "The postmortem was changed meanwhile"


class NotComplete(Conflict):
    code, title = "postmortem_incomplete", "The postmortem is not complete"


@dataclass(frozen=True, slots=True)
class WhyTerms:
    question: str
    answer: str = ""
    evidence_id: uuid.UUID | None = None
    evidence_text: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.question or self.answer or self.evidence_id or self.evidence_text)


def save_postmortem(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    version: int,
    texts: Mapping[str, str],
    whys: Sequence[WhyTerms],
    by: Actor,
    at: datetime,
) -> Postmortem:
    """Replace texts and whys of the version that was edited; one that is in review goes back to its draft.

    Raises NotFound, PostmortemMoved where somebody else saved meanwhile, AlreadyDone once it was reviewed, InvalidInput.
    """
    scope.require_tenant(tenant)
    postmortem = _locked(tenant, incident_id)
    if postmortem.state in (S.REVIEWED, S.PUBLISHED):
        raise AlreadyDone(f"It is {postmortem.get_state_display().lower()}: send it back to its draft first.")
    _require_version(postmortem, version)
    for name in TEXTS:
        given = texts.get(name, getattr(postmortem, name))
        setattr(postmortem, name, inputs.text(f"/{name}", given, TEXT_MOST, is_needed=False))
    rows = _rows(postmortem, whys)
    Why.objects.filter(tenant_id=tenant, postmortem=postmortem).delete()
    Why.objects.bulk_create(rows)
    postmortem.version += 1
    postmortem.state = S.DRAFT
    postmortem.submitted_at, postmortem.submitted_by = None, ""
    postmortem.due_at = _due_at(postmortem)
    postmortem.save()
    keep_text(postmortem)
    record(postmortem, "postmortem.changed", "", by, at, is_told=False)
    return postmortem


def submit_postmortem(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, version: int, by: Actor, at: datetime
) -> Postmortem:
    """Ask another person to read it. Raises NotFound, PostmortemMoved, AlreadyDone, NotComplete with all that is missing."""
    scope.require_tenant(tenant)
    postmortem = _in_state(_locked(tenant, incident_id), S.DRAFT, version)
    lacks = policies.missing(facts.contents_of(facts.told_of(postmortem.incident)))
    if lacks:
        raise NotComplete(" ".join(lacks))
    postmortem.state, postmortem.submitted_at, postmortem.submitted_by = S.IN_REVIEW, at, by.label
    postmortem.due_at = _due_at(postmortem)
    postmortem.save(update_fields=["state", "submitted_at", "submitted_by", "due_at"])
    record(postmortem, "postmortem.submitted", "The postmortem was submitted for review.", by, at)
    return postmortem


def review_postmortem(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, version: int, by: Actor, at: datetime
) -> Postmortem:
    """Say that it was read and is right; not by whoever submitted it. Raises as above, and SecondPersonMissing."""
    scope.require_tenant(tenant)
    postmortem = _in_state(_locked(tenant, incident_id), S.IN_REVIEW, version)
    if postmortem.submitted_by == by.label:
        raise SecondPersonMissing("Whoever submitted it does not review it. Ask somebody else to read it.")
    postmortem.state, postmortem.reviewed_at, postmortem.reviewed_by = S.REVIEWED, at, by.label
    postmortem.save(update_fields=["state", "reviewed_at", "reviewed_by"])
    record(postmortem, "postmortem.reviewed", "The postmortem was reviewed.", by, at)
    return postmortem


def publish_postmortem(
    *, tenant: uuid.UUID, incident_id: uuid.UUID, version: int, by: Actor, at: datetime
) -> Postmortem:
    """Put it on the list of what all of our people read. Raises as above."""
    scope.require_tenant(tenant)
    postmortem = _in_state(_locked(tenant, incident_id), S.REVIEWED, version)
    postmortem.state, postmortem.published_at, postmortem.published_by = S.PUBLISHED, at, by.label
    postmortem.save(update_fields=["state", "published_at", "published_by"])
    record(postmortem, "postmortem.published", "The postmortem was published.", by, at)
    return postmortem


def return_postmortem(*, tenant: uuid.UUID, incident_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> Postmortem:
    """Back to its draft, with the reason; a review that was given lapses. Raises NotFound, AlreadyDone, InvalidInput."""
    scope.require_tenant(tenant)
    postmortem = _locked(tenant, incident_id)
    if postmortem.state == S.DRAFT:
        raise AlreadyDone("It is a draft.")
    why = inputs.text("/reason", reason, REASON_MOST)
    postmortem.state = S.DRAFT
    postmortem.submitted_at, postmortem.submitted_by = None, ""
    postmortem.reviewed_at, postmortem.reviewed_by = None, ""
    postmortem.published_at, postmortem.published_by = None, ""
    postmortem.save()
    words = f"The postmortem was sent back to its draft. {why}"
    record(postmortem, "postmortem.returned", words, by, at, reason=why)
    return postmortem


def note_due(*, tenant: uuid.UUID, at: datetime) -> int:
    """Keep the due times of what is not reviewed true to when incidents were resolved; answers how many moved."""
    scope.require_tenant(tenant)
    moved = 0
    rows = Postmortem.objects.filter(tenant_id=tenant, reviewed_at=None).select_related("incident")
    for postmortem in rows.order_by("id"):
        due = _due_at(postmortem)
        if due != postmortem.due_at:
            moved += Postmortem.objects.filter(tenant_id=tenant, id=postmortem.id, reviewed_at=None).update(due_at=due)
    return moved


# -- parts ------------------------------------------------------------------------------------------------------------


def _locked(tenant: uuid.UUID, incident_id: uuid.UUID) -> Postmortem:
    found = (
        Postmortem.objects.select_for_update(of=("self",))
        .select_related("incident")
        .filter(tenant_id=tenant, incident_id=incident_id)
        .first()
    )
    if found is None:
        is_there = Incident.objects.filter(tenant_id=tenant, id=incident_id).exists()
        raise NotFound("Its postmortem was not begun yet." if is_there else "There is no such incident.")
    return found


def _in_state(postmortem: Postmortem, state: S, version: int) -> Postmortem:
    if postmortem.state != state:
        raise AlreadyDone(
            f"It is {postmortem.get_state_display().lower()}; this is for one that is {state.label.lower()}."
        )
    _require_version(postmortem, version)
    return postmortem


def _require_version(postmortem: Postmortem, version: int) -> None:
    if postmortem.version != version:
        raise PostmortemMoved(
            f"Somebody else saved version {postmortem.version} while you looked at {version}. Open it again, and take "
            "your words along."
        )


def _due_at(postmortem: Postmortem) -> datetime | None:
    return policies.due_at(severity=postmortem.incident.severity, resolved_at=postmortem.incident.resolved_at)


def _rows(postmortem: Postmortem, whys: Sequence[WhyTerms]) -> list[Why]:
    """Numbered anew; empty ones are left out."""
    told = [one for one in whys if not one.is_empty]
    if len(told) > policies.WHYS_MOST:
        raise invalid("/whys", f"at most {policies.WHYS_MOST} whys are taken")
    known = _evidence(postmortem, {one.evidence_id for one in told if one.evidence_id})
    rows = []
    for number, one in enumerate(told, start=1):
        if one.evidence_id and one.evidence_id not in known:
            raise invalid(f"/whys/{number}/evidence_id", "evidence of this incident is expected")
        rows.append(
            Why(
                tenant_id=postmortem.tenant_id,
                postmortem=postmortem,
                number=number,
                question=inputs.line(f"/whys/{number}/question", one.question, QUESTION_MOST),
                answer=inputs.text(f"/whys/{number}/answer", one.answer, ANSWER_MOST, is_needed=False),
                evidence_id=one.evidence_id,
                evidence_text=inputs.line(
                    f"/whys/{number}/evidence_text", one.evidence_text, EVIDENCE_MOST, is_needed=False
                ),
            )
        )
    return rows


def _evidence(postmortem: Postmortem, ids: set[uuid.UUID]) -> set[uuid.UUID]:
    rows = Evidence.objects.filter(tenant_id=postmortem.tenant_id, incident_id=postmortem.incident_id, id__in=ids)
    return set(rows.values_list("id", flat=True)) if ids else set()
