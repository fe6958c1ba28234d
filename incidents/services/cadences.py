"""A period is opened (what must be looked at is frozen), each item is opened by its link, and then it is signed."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime

from agentops.common import scope
from agentops.common.errors import Conflict
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents import inputs
from incidents.cadence_item import ItemKind, NewItem
from incidents.errors import invalid
from incidents.models import CadenceItem, CadenceReview
from incidents.policies import cadences as policy
from incidents.queries import cadences as queries
from incidents.types import Cadence

DECISIONS = ("keep", "revoke")


def open_review(
    *,
    tenant: uuid.UUID,
    cadence: Cadence,
    first: date,
    items: Sequence[NewItem],
    by: Actor,
    at: datetime,
) -> CadenceReview:
    """Freeze what a period asks for; whoever is second gets what the first one froze. Raises InvalidInput."""
    scope.require_tenant(tenant)
    start, end = policy.period_containing(cadence, first)
    if start != first or end >= at.date():
        raise invalid("/first", "is the first day of a period that is over")
    found, is_new = CadenceReview.objects.get_or_create(
        tenant_id=tenant,
        cadence=cadence,
        period_start=start,
        defaults={"period_end": end, "opened_at": at, "opened_by": by.label[:200]},
    )
    if is_new:
        CadenceItem.objects.bulk_create(
            CadenceItem(
                tenant_id=tenant,
                review=found,
                kind=one.kind,
                subject=_short(one.subject),
                label=one.label.replace("\0", "")[:2_000],
                url=one.url,
                about_tenant=one.about_tenant,
                position=place,
                data=one.data,
            )
            for place, one in enumerate(items)
        )
        _record(found, "cadence.opened", {"items": len(items)}, by, at)
    return found


def _short(subject: str) -> str:
    """What an index holds: names of agents and tools can be of any length."""
    return subject if len(subject) <= 300 else hashlib.sha256(subject.encode()).hexdigest()


def follow_item(*, tenant: uuid.UUID, item: uuid.UUID, by: Actor, at: datetime) -> str:
    """Note that somebody opened it, who was first stays; answers its address."""
    scope.require_tenant(tenant)
    found = queries.item_of(item)
    if found.review.signed_at is None:
        rows = CadenceItem.objects.filter(tenant_id=tenant, id=item, opened_at=None)
        rows.update(opened_at=at, opened_by=by.label[:200])
    return found.url


def decide_tool(
    *, tenant: uuid.UUID, item: uuid.UUID, decision: str, note: str, by: Actor, at: datetime
) -> CadenceItem:
    """Note what was decided about a tool; the catalog has done it already. Raises Conflict, InvalidInput."""
    scope.require_tenant(tenant)
    found = queries.item_of(item)
    if CadenceReview.objects.select_for_update().get(tenant_id=tenant, id=found.review_id).signed_at is not None:
        raise Conflict("The look is signed and stays as it is. Decide on the page of the tool.")
    if decision not in DECISIONS:
        raise invalid("/decision", f"is one of {', '.join(DECISIONS)}", "choice")
    found.decision, found.note = decision, inputs.text("/note", note, most=2_000)
    if found.opened_at is None:
        found.opened_at, found.opened_by = at, by.label[:200]
    found.save(update_fields=["decision", "note", "opened_at", "opened_by"])
    _record(found.review, "cadence.tool_decided", {"tool": found.label[:300], "decision": decision}, by, at)
    return found


def sign_review(*, tenant: uuid.UUID, review: uuid.UUID, notes: str, by: Actor, at: datetime) -> CadenceReview:
    """Sign that all was looked at. Twice is once. Raises Conflict as long as something was not opened, or not decided."""
    scope.require_tenant(tenant)
    queries.review_of(review)
    found = CadenceReview.objects.select_for_update().get(tenant_id=tenant, id=review)
    if found.signed_at is not None:
        return found
    rows = CadenceItem.objects.filter(tenant_id=tenant, review=found)
    unopened = rows.filter(opened_at=None).count()
    if unopened:
        raise Conflict(
            f"{unopened} item{'s were' if unopened != 1 else ' was'} not opened yet. Open each one by its link."
        )
    undecided = rows.filter(kind=ItemKind.TOOL, decision="", about_tenant__isnull=False).count()
    if undecided:
        raise Conflict(f"{undecided} tool{'s are' if undecided != 1 else ' is'} not decided: keep or revoke each one.")
    found.notes, found.signed_at, found.signed_by = (
        inputs.text("/notes", notes, most=10_000, is_needed=False),
        at,
        by.label[:200],
    )
    found.save(update_fields=["notes", "signed_at", "signed_by"])
    _record(found, "cadence.signed", {"items": rows.count()}, by, at)
    return found


def _record(review: CadenceReview, action: str, data: dict[str, object], by: Actor, at: datetime) -> None:
    period = {"cadence": review.cadence, "period": policy.words(Cadence(review.cadence), review.period_start)}
    audit.record(
        tenant=review.tenant_id,
        action=action,
        actor=by,
        target=Target(type="cadence", id=str(review.id)),
        outcome=Outcome.SUCCESS,
        data={**period, **data},
        at=at,
    )
