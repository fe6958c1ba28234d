"""Undoing what an agent did: planned by one, agreed to by another, last effect first, with a proof.

People undo, or programs of theirs; what is kept here is who may begin what, under which idempotency key, and how it ended.
"""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from celery import signature
from django.db import connection

from agentops.common import scope
from agentops.common.errors import Conflict, Forbidden, InputProblem, InvalidInput, NotFound
from agentops.common.queues import Queue, ring_on_commit
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents.models import Incident, Reversal
from incidents.policies import reversing
from incidents.queries.evidence import named_runs
from incidents.services import timeline
from incidents.types import REVERSAL_OVER, ReversalState, Reversibility, TimelineKind

TELL = "incidents.tasks.evidence.tell_reversals"
MOST = 5_000
_TEXT = 4_000

# Of the incident's own runs, and of look-alikes where people confirmed the record that the effect touched.
_PLAN = """
INSERT INTO incidents_reversal (tenant_id, id, incident_id, effect_id, position, state, how, idempotency_key, planned_at, planned_by,
    approved_by, started_by, ended_at, ended_by, proof, reason, attempts)
SELECT e.tenant_id, gen_random_uuid(), e.incident_id, e.id, 0,
    CASE WHEN e.reversibility = 'irreversible' THEN 'impossible' ELSE 'planned' END, e.recipe, 'reversal/' || e.id, %(at)s, %(by)s,
    '', '', CASE WHEN e.reversibility = 'irreversible' THEN %(at)s::timestamptz END,
    CASE WHEN e.reversibility = 'irreversible' THEN %(by)s ELSE '' END, '',
    CASE WHEN e.reversibility = 'irreversible' THEN e.recipe ELSE '' END, 0
FROM incidents_sideeffect e WHERE e.tenant_id = %(tenant)s AND e.incident_id = %(incident)s
    AND NOT EXISTS (SELECT 1 FROM incidents_reversal r WHERE r.tenant_id = e.tenant_id AND r.effect_id = e.id)
    AND ((e.about_tenant, e.run_id) IN (SELECT * FROM unnest(%(abouts)s::uuid[], %(runs)s::uuid[]))
        OR EXISTS (SELECT 1 FROM incidents_blastitem b WHERE b.tenant_id = e.tenant_id AND b.incident_id = e.incident_id
            AND b.about_tenant = e.about_tenant AND b.kind = 'record' AND b.identity = left(e.system || ':' || e.ref, 500)
            AND b.state = 'confirmed'))
    AND NOT EXISTS (SELECT 1 FROM incidents_blastitem b WHERE b.tenant_id = e.tenant_id AND b.incident_id = e.incident_id
        AND b.about_tenant = e.about_tenant AND b.kind = 'record' AND b.identity = left(e.system || ':' || e.ref, 500)
        AND b.state = 'ruled_out')
ORDER BY e.occurred_at DESC LIMIT %(most)s
ON CONFLICT DO NOTHING
"""
# 1 is undone first: the last that was done, over all runs, which is last first inside each.
_ORDER = """
UPDATE incidents_reversal r SET position = n.place FROM (
    SELECT r.id, row_number() OVER (ORDER BY e.occurred_at DESC, e.span_id DESC) AS place
    FROM incidents_reversal r JOIN incidents_sideeffect e ON e.tenant_id = r.tenant_id AND e.id = r.effect_id
    WHERE r.tenant_id = %(tenant)s AND r.incident_id = %(incident)s) AS n
WHERE r.tenant_id = %(tenant)s AND r.id = n.id AND r.position <> n.place
"""


def plan_reversals(*, tenant: uuid.UUID, incident_id: uuid.UUID, by: Actor, at: datetime) -> int:
    """Plan to undo what was found and is not planned yet; answers how many. Asked twice, it plans once.

    What its tool says cannot be taken back is impossible at once: that number stays on the incident.
    """
    scope.require_tenant(tenant)
    incident = Incident.objects.select_for_update().filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    own = named_runs(incident)
    values: dict[str, Any] = {
        "tenant": tenant,
        "incident": incident_id,
        "abouts": [about for about, _ in own],
        "runs": [run for _, run in own],
        "at": at,
        "by": by.label,
        "most": MOST,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLAN, values)
        count = int(cursor.rowcount)
        cursor.execute(_ORDER, values)
    if count == 0:
        return 0
    audit.record(
        tenant=tenant,
        action="reversal.planned",
        actor=by,
        target=Target("incident", incident.ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident.ref, "effects": count},
        at=at,
    )
    text = f"Planned to undo {count} side effects, the last first"
    timeline.note(tenant=tenant, incident_id=incident_id, kind=TimelineKind.REVERSAL, text=text, by=by, at=at)
    _note_whether_all_is_over(incident, at)
    return count


def change_reversal(
    *,
    tenant: uuid.UUID,
    reversal_id: uuid.UUID,
    how: str,
    reversibility: Reversibility,
    who_must_act: str,
    by: Actor,
    at: datetime,
) -> Reversal:
    """Say how it is undone and who must act. Whoever says it has planned it: another person agrees, also to what was agreed before."""
    scope.require_tenant(tenant)
    found = _locked(tenant, reversal_id)
    how, who = _clean(how), _clean(who_must_act)[:200]
    if not how:
        raise InvalidInput("Say how.", problems=(InputProblem("/how", "required", "say what is done, and where"),))
    if found.state not in (ReversalState.PLANNED, ReversalState.APPROVED):
        raise Conflict(f"It is {found.get_state_display().lower()}: how it is undone is no longer changed.")
    found.effect.reversibility, found.effect.who_must_act = reversibility, who
    found.effect.save(update_fields=["reversibility", "who_must_act"])
    found.how, found.planned_by, found.planned_at = how, by.label, at
    found.state, found.approved_at, found.approved_by = ReversalState.PLANNED, None, ""
    found.save(update_fields=["how", "planned_by", "planned_at", "state", "approved_at", "approved_by"])
    _note(found, by, at, "planned anew", how)
    return found


def approve_reversal(*, tenant: uuid.UUID, reversal_id: uuid.UUID, by: Actor, at: datetime) -> Reversal:
    """Agree, as somebody else than who planned it. Raises Forbidden, Conflict."""
    scope.require_tenant(tenant)
    found = _locked(tenant, reversal_id)
    if found.state == ReversalState.APPROVED and found.approved_by == by.label:
        return found
    _require_move(found, ReversalState.APPROVED)
    if found.how == reversing.NO_WAY:
        raise Conflict("Nobody said how it is undone yet: say how first, then another person agrees.")
    if found.planned_by == by.label:
        raise Forbidden("You planned it: another person must agree.")
    found.state, found.approved_at, found.approved_by = ReversalState.APPROVED, at, by.label
    found.save(update_fields=["state", "approved_at", "approved_by"])
    _note(found, by, at, "approved")
    return found


def start_reversal(*, tenant: uuid.UUID, reversal_id: uuid.UUID, by: Actor, at: datetime) -> Reversal:
    """Begin, under the idempotency key of the reversal. Refused while a later effect of the same run is not undone."""
    scope.require_tenant(tenant)
    found = _locked(tenant, reversal_id)
    if found.state == ReversalState.RUNNING and found.started_by == by.label:
        return found
    _require_move(found, ReversalState.RUNNING)
    effect = found.effect
    others = Reversal.objects.filter(
        tenant_id=tenant,
        incident_id=found.incident_id,
        effect__about_tenant=effect.about_tenant,
        effect__run_id=effect.run_id,
    ).exclude(id=found.id)
    later = reversing.before_it(
        occurred_at=effect.occurred_at,
        span_id=effect.span_id,
        others=others.values_list("effect__occurred_at", "effect__span_id", "state"),
    )
    if later:
        what = "1 later effect of the same run is" if later == 1 else f"{later} later effects of the same run are"
        raise Conflict(f"{what} not undone yet: the last one is undone first.")
    found.state, found.started_at, found.started_by, found.attempts = (
        ReversalState.RUNNING,
        at,
        by.label,
        found.attempts + 1,
    )
    found.ended_at, found.ended_by, found.reason = None, "", ""
    found.save(update_fields=["state", "started_at", "started_by", "attempts", "ended_at", "ended_by", "reason"])
    _note(found, by, at, "begun")
    return found


def end_reversal(
    *, tenant: uuid.UUID, reversal_id: uuid.UUID, state: ReversalState, proof: str, reason: str, by: Actor, at: datetime
) -> Reversal:
    """How it ended: done and partly done need a proof; partly, failed, impossible and waived a reason. Said again, it stands."""
    scope.require_tenant(tenant)
    proof, reason = _clean(proof), _clean(reason)
    problems = []
    if state in (ReversalState.DONE, ReversalState.PARTIAL) and not proof:
        accepted = (
            "Name the receipt: the id of the refund, the address of the deleted record, a message that it is done."
        )
        problems.append(InputProblem("/proof", "required", accepted))
    if (
        state in (ReversalState.PARTIAL, ReversalState.FAILED, ReversalState.IMPOSSIBLE, ReversalState.WAIVED)
        and not reason
    ):
        problems.append(InputProblem("/reason", "required", "Say why, and what remains."))
    if state not in (*REVERSAL_OVER, ReversalState.FAILED):
        problems.append(InputProblem("/state", "invalid", "is done, partial, failed, impossible or waived"))
    if problems:
        raise InvalidInput("It has not ended like this.", problems=tuple(problems))
    found = _locked(tenant, reversal_id)
    if (found.state, found.proof, found.reason) == (state, proof, reason):
        return found
    _require_move(found, state)
    found.state, found.proof, found.reason, found.ended_at, found.ended_by = state, proof, reason, at, by.label
    found.told_at = None
    found.save(update_fields=["state", "proof", "reason", "ended_at", "ended_by", "told_at"])
    _note(found, by, at, ReversalState(state).label.lower(), proof or reason)
    incident = Incident.objects.get(tenant_id=tenant, id=found.incident_id)  # locked with the reversal
    _note_whether_all_is_over(incident, at)
    if state in REVERSAL_OVER:
        ring_on_commit(signature(TELL, queue=Queue.DEFAULT.value))
    return found


def note_ended(*, tenant: uuid.UUID, incident_ref: str, reversal: Reversal, tool: str, state: str) -> None:
    """What was undone for an organisation, in its own log."""
    scope.require_tenant(tenant)
    assert reversal.ended_at is not None
    entry = audit.NewEntry(
        id=reversal.id,
        action="reversal.ended",
        actor=Actor(type="system", id="agentops", label="agentops"),
        target=Target("incident", incident_ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident_ref, "reversal": str(reversal.id), "tool": tool, "state": state},
        at=reversal.ended_at,
        run=reversal.effect.run_id,
    )
    audit.record_many(tenant=tenant, entries=[entry])


def note_reversals_told(*, tenant: uuid.UUID, reversals: list[uuid.UUID], at: datetime) -> None:
    scope.require_tenant(tenant)
    Reversal.objects.filter(tenant_id=tenant, id__in=reversals).update(told_at=at)


def _locked(tenant: uuid.UUID, reversal_id: uuid.UUID) -> Reversal:
    rows = Reversal.objects.select_related("effect").filter(tenant_id=tenant, id=reversal_id)
    found = rows.first()
    if found is None:
        raise NotFound("There is no such reversal.")
    # The incident first, as who plans does. Then its reversals move one after the other: two of one run that wait for each
    # other could begin at once.
    Incident.objects.select_for_update().get(tenant_id=tenant, id=found.incident_id)
    return rows.select_for_update(of=("self",)).get()


def _require_move(found: Reversal, to: ReversalState) -> None:
    if not reversing.may_move(ReversalState(found.state), to):
        was = found.get_state_display().lower()
        raise Conflict(f"It is {was}, and cannot become {ReversalState(to).label.lower()} from there.")


def _clean(text: str) -> str:
    return text.replace("\0", "").strip()[:_TEXT]


def _note(found: Reversal, by: Actor, at: datetime, state: str, reason: str = "") -> None:
    tool = found.effect.tool or found.effect.system or "a side effect"
    ref = Incident.objects.get(tenant_id=found.tenant_id, id=found.incident_id).ref
    audit.record(
        tenant=found.tenant_id,
        action="reversal.moved",
        actor=by,
        target=Target("incident", ref),
        outcome=Outcome.SUCCESS,
        data={"incident": ref, "reversal": str(found.id), "tool": tool[:200], "state": state},
        at=at,
        reason=reason[:1000],
    )
    what = f"{tool} {found.effect.ref}".strip()
    text = f"Undoing {what[:200]}: {state}"
    timeline.note(
        tenant=found.tenant_id, incident_id=found.incident_id, kind=TimelineKind.REVERSAL, text=text, by=by, at=at,
        data={"reversal": str(found.id)},
    )  # fmt: skip


def _note_whether_all_is_over(incident: Incident, at: datetime) -> None:
    """The clock "reversed" stands once every reversal is over, and runs again where one is planned after that."""
    rows = Reversal.objects.filter(tenant_id=incident.tenant_id, incident_id=incident.id)
    is_over = rows.exists() and not rows.exclude(state__in=REVERSAL_OVER).exists()
    if is_over != (incident.reversed_at is not None):
        incident.reversed_at = at if is_over else None
        incident.save(update_fields=["reversed_at"])
