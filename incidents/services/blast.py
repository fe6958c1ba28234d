"""Blast radius: looks that are planned here and done by a job (scanning.py), and what people say of what was found."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from celery import signature
from django.db import IntegrityError, connection, transaction

from agentops.common import clock, scope
from agentops.common.errors import Conflict, InputProblem, InvalidInput, NotFound
from agentops.common.ids import new_id
from agentops.common.queues import Queue, ring_on_commit
from audit import services as audit
from audit.types import SYSTEM, Actor, Outcome, Target
from incidents.models import BlastItem, BlastScan, Incident
from incidents.policies.reversing import undoing
from incidents.queries.touched import Done, Found
from incidents.queries.ways import Ways
from incidents.services import timeline
from incidents.types import BlastKind, BlastState, TimelineKind

SCAN = "incidents.tasks.evidence.scan"
MOST_ORGANISATIONS, MOST_DECIDED = 500, 10_000
_TEXT = 500

_ITEMS = """
INSERT INTO incidents_blastitem (tenant_id, id, incident_id, about_tenant, kind, identity, run_id, span_id, effects, is_lookalike,
    state, reason, found_at, decided_by)
SELECT %(tenant)s, n.id, %(incident)s, %(about)s, n.kind, n.identity, n.run_id, n.span_id, n.effects, n.is_lookalike, 'suspected',
    '', %(at)s, ''
FROM unnest(%(ids)s::uuid[], %(kinds)s::text[], %(identities)s::text[], %(runs)s::uuid[], %(spans)s::int8[], %(effects)s::int4[],
    %(alike)s::bool[]) AS n (id, kind, identity, run_id, span_id, effects, is_lookalike)
ON CONFLICT (tenant_id, incident_id, about_tenant, kind, identity) DO UPDATE SET
    effects = greatest(incidents_blastitem.effects, excluded.effects),
    is_lookalike = incidents_blastitem.is_lookalike AND excluded.is_lookalike
"""
_EFFECTS = """
INSERT INTO incidents_sideeffect (tenant_id, id, incident_id, about_tenant, run_id, span_id, step, tool, system, ref, request_digest,
    receipt, idempotency_key, reversibility, recipe, who_must_act, deadline_at, occurred_at)
SELECT %(tenant)s, n.id, %(incident)s, %(about)s, n.run_id, n.span_id, n.step, n.tool, n.system, n.ref, n.digest, n.receipt, n.key,
    n.reversibility, n.recipe, n.who, n.deadline_at, n.at
FROM unnest(%(ids)s::uuid[], %(runs)s::uuid[], %(spans)s::int8[], %(steps)s::int4[], %(tools)s::text[], %(systems)s::text[],
    %(refs)s::text[], %(digests)s::text[], %(receipts)s::text[], %(keys)s::text[], %(classes)s::text[], %(recipes)s::text[],
    %(who)s::text[], %(deadlines)s::timestamptz[], %(ats)s::timestamptz[])
    AS n (id, run_id, span_id, step, tool, system, ref, digest, receipt, key, reversibility, recipe, who, deadline_at, at)
ON CONFLICT (tenant_id, incident_id, about_tenant, run_id, span_id) DO UPDATE SET step = excluded.step, system = excluded.system,
    ref = excluded.ref, request_digest = excluded.request_digest, receipt = excluded.receipt,
    idempotency_key = excluded.idempotency_key
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """What is looked for: an agent (and version), a tool (all where empty), a time."""

    agent: str
    version: str
    tool: str
    since: datetime
    until: datetime

    def as_json(self) -> dict[str, str]:
        return {
            "agent": self.agent,
            "version": self.version,
            "tool": self.tool,
            "since": clock.rfc3339(self.since),
            "until": clock.rfc3339(self.until),
        }

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Criteria:
        times = {name: datetime.fromisoformat(stored[name]) for name in ("since", "until")}
        return cls(agent=stored["agent"], version=stored["version"], tool=stored["tool"], **times)


def plan_scans(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    criteria: Criteria,
    about: Sequence[uuid.UUID],
    by: Actor,
    at: datetime,
) -> list[BlastScan]:
    """Look for what was touched in these organisations; a job does it after the commit. Raises InvalidInput, NotFound."""
    scope.require_tenant(tenant)
    incident = _incident(tenant, incident_id)
    problems = []
    if criteria.since >= criteria.until:
        problems.append(InputProblem("/until", "invalid", "is after the beginning"))
    if len(about) > MOST_ORGANISATIONS:
        problems.append(InputProblem("/about", "invalid", f"at most {MOST_ORGANISATIONS} organisations at once"))
    if not about:
        problems.append(InputProblem("/about", "required", "name an organisation: the incident names none"))
    if problems:
        raise InvalidInput("The look cannot begin.", problems=tuple(problems))
    waiting = set(
        BlastScan.objects.filter(
            tenant_id=tenant, incident=incident, ended_at__isnull=True, criteria=criteria.as_json()
        ).values_list("about_tenant", flat=True)
    )
    scans = [
        BlastScan(
            tenant_id=tenant,
            incident=incident,
            about_tenant=each,
            criteria=criteria.as_json(),
            began_at=at,
            by=by.label,
            by_id=by.id,
        )
        for each in dict.fromkeys(about)
        if each not in waiting
    ]
    BlastScan.objects.bulk_create(scans)
    note_scanned(tenant=tenant, incident_ref=incident.ref, criteria=criteria, entry=new_id(), by=by, at=at)
    for scan in scans:
        ring_on_commit(signature(SCAN, queue=Queue.DEFAULT.value), scan_id=str(scan.id))
    return scans


def note_scanned(
    *, tenant: uuid.UUID, incident_ref: str, criteria: Criteria, entry: uuid.UUID, by: Actor, at: datetime
) -> None:
    """Somebody looks into an organisation's runs: an entry of that organisation, and of our own log."""
    scope.require_tenant(tenant)
    new = audit.NewEntry(
        id=entry,
        action="blast.scanned",
        actor=by,
        target=Target("incident", incident_ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident_ref, **criteria.as_json()},
        at=at,
    )
    audit.record_many(tenant=tenant, entries=[new])


def take_found(*, tenant: uuid.UUID, scan_id: uuid.UUID, found: Found, ways: Ways, at: datetime) -> bool:
    """Write what a look found; what people said of it before stays. False where another worker was first."""
    scope.require_tenant(tenant)
    scan = BlastScan.objects.select_for_update(of=("self",)).select_related("incident").filter(
        tenant_id=tenant, id=scan_id, ended_at__isnull=True
    ).first()  # fmt: skip
    if scan is None:
        return False
    items = [
        (one.kind.value, one.identity, one.run_id, one.span_id, one.effects, not one.is_own) for one in found.items
    ]
    if found.side_effects:
        own = any(not one[5] for one in items)
        first = found.effects[0]
        items.append(
            (BlastKind.TENANT.value, scan.about_tenant.hex, first.run_id, first.span_id, found.side_effects, not own)
        )
    shared: dict[str, Any] = {"tenant": tenant, "incident": scan.incident_id, "about": scan.about_tenant, "at": at}
    with connection.cursor() as cursor:
        if items:
            cursor.execute(_ITEMS, {**shared, **_item_columns(items)})
        if found.effects:
            cursor.execute(_EFFECTS, {**shared, **_effect_columns(found.effects, ways)})
    scan.ended_at, scan.runs, scan.side_effects, scan.is_cut, scan.error = (
        at,
        found.runs,
        found.side_effects,
        found.is_cut,
        "",
    )
    scan.save(update_fields=["ended_at", "runs", "side_effects", "is_cut", "error"])
    counts = {"items": len(items), "runs": found.runs, "side_effects": found.side_effects}
    audit.record(
        tenant=tenant,
        action="blast.found",
        actor=SYSTEM,
        target=Target("incident", scan.incident.ref),
        outcome=Outcome.SUCCESS,
        data={"incident": scan.incident.ref, **counts},
        at=at,
    )
    cut = "; there is more than is kept" if found.is_cut else ""
    text = f"{found.side_effects} side effects in {found.runs} runs: {len(items)} may be hit{cut}"
    timeline.note(
        tenant=tenant, incident_id=scan.incident_id, kind=TimelineKind.BLAST, text=text, by=SYSTEM, at=at,
        data={**counts, "about": scan.about_tenant.hex},
    )  # fmt: skip
    return True


def note_scan_failure(*, tenant: uuid.UUID, scan_id: uuid.UUID, error: str) -> None:
    """Why it has not ended. The sweep goes on with it."""
    scope.require_tenant(tenant)
    BlastScan.objects.filter(tenant_id=tenant, id=scan_id, ended_at__isnull=True).update(error=error[:_TEXT])


def argue(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    items: Sequence[uuid.UUID],
    state: BlastState,
    reason: str,
    by: Actor,
    at: datetime,
) -> int:
    """Confirm these, rule them out, or suspect them again, with a reason; answers how many changed."""
    scope.require_tenant(tenant)
    incident = _incident(tenant, incident_id)
    reason = reason.strip().replace("\0", "")
    problems = []
    if not reason or len(reason) > 2_000:
        problems.append(InputProblem("/reason", "required", "say why, in up to 2,000 characters: what was looked at"))
    if not items or len(items) > MOST_DECIDED:
        problems.append(InputProblem("/items", "required", f"choose 1 to {MOST_DECIDED:,}"))
    if problems:
        raise InvalidInput("Say of what, and why.", problems=tuple(problems))
    rows = BlastItem.objects.filter(tenant_id=tenant, incident=incident, id__in=items).exclude(state=state)
    is_open = state == BlastState.SUSPECTED
    decided: dict[str, Any] = (
        {"decided_at": None, "decided_by": ""} if is_open else {"decided_at": at, "decided_by": by.label}
    )
    count = rows.update(state=state, reason=reason, **decided)
    if not count:
        return 0
    word = BlastState(state).label.lower()
    audit.record(
        tenant=tenant,
        action="blast.argued",
        actor=by,
        target=Target("incident", incident.ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident.ref, "items": count, "state": word},
        at=at,
        reason=reason,
    )
    text = f"{count} of what may be hit: {word}. {reason}"
    timeline.note(tenant=tenant, incident_id=incident_id, kind=TimelineKind.BLAST, text=text, by=by, at=at)
    return count


def add_item(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    about: uuid.UUID,
    kind: BlastKind,
    identity: str,
    reason: str,
    by: Actor,
    at: datetime,
) -> BlastItem:
    """What people know and no span says. Raises InvalidInput, and Conflict where it stands there already."""
    scope.require_tenant(tenant)
    incident = _incident(tenant, incident_id)
    identity, reason = identity.strip().replace("\0", ""), reason.strip().replace("\0", "")
    problems = []
    if not identity or len(identity) > _TEXT:
        problems.append(
            InputProblem("/identity", "required", f"up to {_TEXT} characters that name it, as its system does")
        )
    if not reason:
        problems.append(InputProblem("/reason", "required", "say how it is known"))
    if problems:
        raise InvalidInput("It cannot be added.", problems=tuple(problems))
    try:
        with transaction.atomic():
            made = BlastItem.objects.create(
                tenant_id=tenant, incident=incident, about_tenant=about, kind=kind, identity=identity, effects=0,
                reason=reason, found_at=at,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("It stands there already.") from error
    audit.record(
        tenant=tenant,
        action="blast.added",
        actor=by,
        target=Target("incident", incident.ref),
        outcome=Outcome.SUCCESS,
        data={"incident": incident.ref, "kind": kind},
        at=at,
        reason=reason,
    )
    return made


def _incident(tenant: uuid.UUID, incident_id: uuid.UUID) -> Incident:
    found = Incident.objects.filter(tenant_id=tenant, id=incident_id).first()
    if found is None:
        raise NotFound("There is no such incident.")
    return found


def _item_columns(items: Sequence[tuple[Any, ...]]) -> dict[str, Any]:
    columns = [list(column) for column in zip(*items, strict=True)]
    names = ("kinds", "identities", "runs", "spans", "effects", "alike")
    return {"ids": [new_id() for _ in items], **dict(zip(names, columns, strict=True))}


def _effect_columns(effects: Sequence[Done], ways: Ways) -> dict[str, Any]:
    known = []
    for one in effects:
        way = ways.of(agent=one.agent, version=one.version, tool=one.tool)
        known.append(
            undoing(
                told=way.reversal if way else "", recipe=way.recipe if way else "", seconds=way.seconds if way else None,
                tool=one.tool, at=one.at,
            )
        )  # fmt: skip
    return {
        "ids": [new_id() for _ in effects],
        "runs": [one.run_id for one in effects],
        "spans": [one.span_id for one in effects],
        "steps": [one.step for one in effects],
        "tools": [one.tool[:_TEXT] for one in effects],
        "systems": [one.system[:_TEXT] for one in effects],
        "refs": [one.ref[:_TEXT] for one in effects],
        "digests": [one.request_digest[:64] for one in effects],
        "receipts": [
            one.ref[:_TEXT] if one.request_digest else "" for one in effects
        ],  # what the tool's server told the guard
        "keys": [one.key[:_TEXT] for one in effects],
        "classes": [one.reversibility.value for one in known],
        "recipes": [one.how for one in known],
        "who": [one.who for one in known],
        "deadlines": [one.deadline_at for one in known],
        "ats": [one.at for one in effects],
    }
