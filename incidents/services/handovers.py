"""One turn hands over to the next: what is open is frozen and told by the one who leaves, and signed by both."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Literal

from agentops.common import scope
from agentops.common.errors import Conflict, Forbidden, NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from incidents import inputs
from incidents.models import Handover, Rotation
from incidents.queries.handovers import Change, items_to_hand_over, present_change
from incidents.queries.rotas import rota_of

NOTES_MOST = 10_000
Side = Literal["out", "in"]


def sign_handover(
    *,
    tenant: uuid.UUID,
    rotation: uuid.UUID,
    changes_at: datetime,
    side: Side,
    notes: str,
    user: int,
    by: Actor,
    at: datetime,
) -> Handover:
    """Sign one side of the present change; what was signed stays, and the same side again changes nothing.

    Whoever leaves signs first, and with that freezes what is open; where they cannot, anybody else may, but never the one
    who comes. Raises NotFound, Conflict where another change is the present one, Forbidden for the wrong person.
    """
    scope.require_tenant(tenant)
    locked = Rotation.objects.filter(tenant_id=tenant, id=rotation).select_for_update().first()
    if locked is None:
        raise NotFound("There is no such rotation.")
    change = present_change(rota_of(rotation, at=at), at=at)
    if change is None or change.at != changes_at:
        raise Conflict("The turns have changed meanwhile. Look at the page again; nothing was signed.")
    found = Handover.objects.filter(tenant_id=tenant, rotation=locked, at=changes_at).first()
    if found is None:
        found = Handover(tenant_id=tenant, rotation=locked, at=changes_at)
        found.outgoing, found.incoming = change.outgoing, change.incoming
    if (found.signed_out_at if side == "out" else found.signed_in_at) is not None:
        return found
    if side == "out":
        _sign_out(found, change, inputs.text("/notes", notes, most=NOTES_MOST, is_needed=False), user, at)
    else:
        _sign_in(found, user, at)
    found.save()
    audit.record(
        tenant=tenant,
        action="on_call.handed_over",
        actor=by,
        target=Target(type="handover", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data={
            "rotation": locked.name,
            "changes_at": changes_at.isoformat(),
            "side": "the one who leaves" if side == "out" else "the one who comes",
        },
        at=at,
    )
    return found


def _sign_out(found: Handover, change: Change, notes: str, user: int, at: datetime) -> None:
    if user == found.incoming_id:
        raise Forbidden("You are the one who comes: somebody else signs for the one who leaves.")
    found.items = items_to_hand_over(since=change.since)
    found.notes, found.signed_out_at, found.signed_out_by = notes, at, user


def _sign_in(found: Handover, user: int, at: datetime) -> None:
    if user != found.incoming_id:
        raise Forbidden("Only the one who comes signs that they took over.")
    if found.signed_out_at is None:
        raise Conflict("The one who leaves signs first, so that you read what they hand over.")
    found.signed_in_at, found.signed_in_by = at, user
