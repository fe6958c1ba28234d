"""What people say of runs in the queue: a verdict, labels by rubrics, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from agentops.common import scope
from agentops.traces import queries as traces
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import AlreadyDone, Unknown, invalid
from evals.models import HumanLabel, ReviewItem, ReviewSampling
from evals.queries import queue as queries
from evals.services.queue.adding import Candidate, put
from evals.types import QueueReason, QueueState, Verdict

NOTE_MOST = 4_000
LED_TO = ("case", "incident", "rule")
LabelKey = tuple[uuid.UUID, str]  # rubric version, criterion


def review(
    *,
    tenant: uuid.UUID,
    item: uuid.UUID,
    verdict: str,
    note: str = "",
    labels: Mapping[LabelKey, str],
    seen: datetime | None,
    by: Actor,
    user: int,
    at: datetime,
) -> ReviewItem:
    """Write down a verdict, and labels by criteria; "" as a label takes one's own back.

    `seen`: when it was last reviewed, as the person who writes knows it (None: not yet). Raises Unknown, AlreadyDone where
    somebody else was faster, and InvalidInput.
    """
    scope.require_tenant(tenant)
    found = ReviewItem.objects.filter(tenant_id=tenant, id=item).select_for_update().first()
    if found is None:
        raise Unknown("There is no such item.")
    if found.reviewed_at != seen:
        raise AlreadyDone(f"{found.reviewed_by or 'Somebody'} has reviewed it meanwhile. Nothing of yours was saved.")
    if verdict not in Verdict.values:
        raise invalid("/verdict", f"is one of {', '.join(Verdict.values)}", "choice")
    note = note.strip()
    if len(note) > NOTE_MOST or "\0" in note:
        raise invalid("/note", f"has at most {NOTE_MOST} characters")
    count = _label(tenant, found.run_id, labels, by, user, at)
    before, was_done = found.verdict, found.state == QueueState.DONE
    found.state, found.verdict, found.note = QueueState.DONE, verdict, note
    found.reviewed_at, found.reviewed_by, found.reviewed_user = at, by.label[:200], user
    found.save(update_fields=["state", "verdict", "note", "reviewed_at", "reviewed_by", "reviewed_user"])
    told = {"item": found.id.hex, "verdict": verdict, "labels": count}
    if was_done:
        _record(found, "review.changed", {**told, "before": before}, by, at)
    else:
        _record(found, "review.done", told, by, at)
    return found


def _label(
    tenant: uuid.UUID, run_id: uuid.UUID, labels: Mapping[LabelKey, str], by: Actor, user: int, at: datetime
) -> int:
    """Keep this person's labels; their last word on a criterion holds. Answers how many there are."""
    rubrics = queries.rubrics(tenant=tenant, versions={version for version, _ in labels})
    count = 0
    for (version, key), value in labels.items():
        pointer = f"/labels/{version}/{key}"
        rubric = rubrics.get(version)
        criterion = rubric.criterion(key) if rubric else None
        if criterion is None:
            raise invalid(pointer, "names a criterion of a rubric of this organisation", "unknown")
        mine: dict[str, Any] = {"run_id": run_id, "rubric_version_id": version, "criterion": key, "user_id": user}
        if not value:
            HumanLabel.objects.filter(tenant_id=tenant, **mine).delete()
            continue
        score = criterion.score_of(value)
        if score is None:
            accepted = ", ".join(choice.value for choice in criterion.choices)
            raise invalid(pointer, f"{criterion.title} is one of {accepted}", "choice")
        HumanLabel.objects.update_or_create(
            tenant_id=tenant,
            **mine,
            defaults={"value": value, "score": score, "labelled_by": by.label[:200], "labelled_at": at},
        )
        count += 1
    return count


def ask_review(*, tenant: uuid.UUID, run_id: uuid.UUID, by: Actor, at: datetime) -> uuid.UUID:
    """Put a run into the queue because a person asks; the id of its item. Raises Unknown."""
    scope.require_tenant(tenant)
    run = traces.find_run(tenant=tenant, run_id=run_id)
    if run is None:
        raise Unknown("There is no such run.")
    candidate = Candidate(
        run_id=run_id,
        reason=QueueReason.ASKED,
        detail=f"{by.label} asked for a look.",
        pattern=f"{run.agent}: asked",
        since=at,
        agent=run.agent,
    )
    item = put(tenant, run_id, [candidate], run.agent, at)
    _record(ReviewItem.objects.get(tenant_id=tenant, id=item), "review.asked", {"item": item.hex}, by, at)
    return item


def note_led_to(
    *, tenant: uuid.UUID, item: uuid.UUID, kind: str, target: str, label: str, by: Actor, at: datetime
) -> None:
    """Note what was made of a reviewed run: a case, an incident, a rule. Twice the same is noted once. Raises Unknown."""
    scope.require_tenant(tenant)
    found = ReviewItem.objects.filter(tenant_id=tenant, id=item).select_for_update().first()
    if found is None:
        raise Unknown("There is no such item.")
    if kind not in LED_TO:
        raise invalid("/kind", f"is one of {', '.join(LED_TO)}", "choice")
    made = {"kind": kind, "id": target[:200], "label": label[:200]}
    if made in found.led_to:
        return
    found.led_to = [*found.led_to, made]
    found.save(update_fields=["led_to"])
    _record(found, "review.led_to", {"item": found.id.hex, "kind": kind, "label": label[:200]}, by, at)


def set_sampling(*, tenant: uuid.UUID, agent: str, share: float, by: Actor, at: datetime) -> ReviewSampling:
    """Say which share of an agent's runs comes to people by chance; agent "": of those without a line of their own."""
    scope.require_tenant(tenant)
    if not 0 <= share <= 1:
        raise invalid("/share", "is from 0 to 100 percent", "range")
    if len(agent) > 200 or "\0" in agent:
        raise invalid("/agent", "is the name of an agent")
    row, _ = ReviewSampling.objects.update_or_create(
        tenant_id=tenant, agent=agent, defaults={"share": share, "set_at": at, "set_by": by.label[:200]}
    )
    audit.record(
        tenant=tenant,
        action="review_sampling.set",
        actor=by,
        target=Target(type="agent", id=agent or "*"),
        outcome=Outcome.SUCCESS,
        data={"agent": agent or "all others", "percent": f"{share * 100:g}"},
        at=at,
    )
    return row


def _record(item: ReviewItem, action: str, data: dict[str, Any], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=item.tenant_id,
        action=action,
        actor=by,
        target=Target(type="run", id=item.run_id.hex),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
        run=item.run_id,
    )
