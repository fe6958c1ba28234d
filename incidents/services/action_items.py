"""What is done so that it does not happen again: done by its owner, verified by somebody else."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from agentops.common import scope
from agentops.common.errors import NotFound
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals.errors import SecondPersonMissing
from incidents import inputs
from incidents.errors import AlreadyDone, invalid
from incidents.models import ActionItem, Incident, Postmortem
from incidents.services import timeline
from incidents.services.postmortem_text import keep_text
from incidents.types import ActionKind, ActionState, TimelineKind
from tenants import queries as tenants

TITLE_MOST, URL_MOST, REASON_MOST = 300, 1_000, 1_000
_LATEST = timedelta(days=2 * 366)


def add_action(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    title: str,
    kind: str,
    owner: int | None,
    due_on: date | None,
    tracker_url: str,
    by: Actor,
    at: datetime,
) -> ActionItem:
    """Owner and date may follow, before the postmortem is submitted. Raises NotFound, InvalidInput."""
    scope.require_tenant(tenant)
    incident = Incident.objects.filter(tenant_id=tenant, id=incident_id).first()
    if incident is None:
        raise NotFound("There is no such incident.")
    values = _checked(title, kind, owner, due_on, tracker_url, at)
    action = ActionItem.objects.create(tenant_id=tenant, incident=incident, **values, made_at=at, made_by=by.label)
    _record(action, "action_item.added", f"Action item: {action.title}.", by, at)
    return action


def change_action(
    *,
    tenant: uuid.UUID,
    action_id: uuid.UUID,
    title: str,
    kind: str,
    owner: int | None,
    due_on: date | None,
    tracker_url: str,
    by: Actor,
    at: datetime,
) -> ActionItem:
    """While it is open. A date that has passed may stay, not be newly set. Raises NotFound, AlreadyDone, InvalidInput."""
    scope.require_tenant(tenant)
    action = _locked(tenant, action_id, ActionState.OPEN)
    for name, value in _checked(title, kind, owner, due_on, tracker_url, at, kept=action.due_on).items():
        setattr(action, name, value)
    action.save()
    _record(action, "action_item.changed", "", by, at)
    return action


def finish_action(*, tenant: uuid.UUID, action_id: uuid.UUID, by: Actor, at: datetime) -> ActionItem:
    """Its owner says that it is done. Raises NotFound, AlreadyDone, SecondPersonMissing for anybody else."""
    scope.require_tenant(tenant)
    action = _locked(tenant, action_id, ActionState.OPEN)
    if action.owner_id is None or action.owner_id != by.user_id:
        whose = action.owner.email if action.owner else "nobody yet; give it an owner"
        raise SecondPersonMissing(f"Its owner says that it is done: {whose}.")
    action.state, action.done_at, action.done_by = ActionState.DONE, at, by.label
    action.save(update_fields=["state", "done_at", "done_by"])
    _record(action, "action_item.done", f"Done, says its owner: {action.title}.", by, at)
    return action


def verify_action(*, tenant: uuid.UUID, action_id: uuid.UUID, by: Actor, at: datetime) -> ActionItem:
    """Somebody other than who did it has seen it. Raises NotFound, AlreadyDone, SecondPersonMissing."""
    scope.require_tenant(tenant)
    action = _locked(tenant, action_id, ActionState.DONE)
    if action.done_by == by.label:
        raise SecondPersonMissing("Whoever did it does not verify it. Ask somebody else to look.")
    action.state, action.verified_at, action.verified_by = ActionState.VERIFIED, at, by.label
    action.save(update_fields=["state", "verified_at", "verified_by"])
    _record(action, "action_item.verified", f"Verified: {action.title}.", by, at)
    return action


def reopen_action(*, tenant: uuid.UUID, action_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> ActionItem:
    """It is not done after all, or is to be done after all. Raises NotFound, AlreadyDone, InvalidInput."""
    scope.require_tenant(tenant)
    action = _locked(tenant, action_id, ActionState.DONE, ActionState.VERIFIED, ActionState.DROPPED)
    why = inputs.text("/reason", reason, REASON_MOST)
    action.state, action.drop_reason = ActionState.OPEN, ""
    action.done_at, action.done_by, action.verified_at, action.verified_by = None, "", None, ""
    action.save()
    _record(action, "action_item.reopened", f"Open again: {action.title}. {why}", by, at, reason=why)
    return action


def drop_action(*, tenant: uuid.UUID, action_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> ActionItem:
    """It will not be done, and why. Raises NotFound, AlreadyDone, InvalidInput."""
    scope.require_tenant(tenant)
    action = _locked(tenant, action_id, ActionState.OPEN)
    action.drop_reason = inputs.text("/reason", reason, REASON_MOST)
    action.state = ActionState.DROPPED
    action.save(update_fields=["state", "drop_reason"])
    words = f"Dropped: {action.title}. {action.drop_reason}"
    _record(action, "action_item.dropped", words, by, at, reason=action.drop_reason)
    return action


# -- parts ------------------------------------------------------------------------------------------------------------


def _locked(tenant: uuid.UUID, action_id: uuid.UUID, *states: ActionState) -> ActionItem:
    rows = ActionItem.objects.select_for_update(of=("self",)).select_related("incident", "owner")
    found = rows.filter(tenant_id=tenant, id=action_id).first()
    if found is None:
        raise NotFound("There is no such action item.")
    if found.state not in states:
        expected = " or ".join(state.label.lower() for state in states)
        raise AlreadyDone(f"It is {found.get_state_display().lower()}; this is for one that is {expected}.")
    return found


def _checked(
    title: str,
    kind: str,
    owner: int | None,
    due_on: date | None,
    tracker_url: str,
    at: datetime,
    *,
    kept: date | None = None,
) -> dict[str, Any]:
    if kind not in ActionKind.values:
        raise invalid("/kind", f"one of {', '.join(ActionKind.values)} is expected")
    if owner is not None and owner not in {one.pk for one in tenants.staff_people()}:
        raise invalid("/owner", "one of our own people is expected")
    if due_on is not None and due_on != kept and not at.date() <= due_on <= at.date() + _LATEST:
        raise invalid("/due_on", "a day from today on, within two years, is expected")
    return {
        "title": inputs.line("/title", title, TITLE_MOST),
        "kind": kind,
        "owner_id": owner,
        "due_on": due_on,
        "tracker_url": _address(tracker_url),
    }


def _address(value: str) -> str:
    """Of another tracker: http or https with a host, or nothing. It is shown as a link, so it may hold no script."""
    address = inputs.line("/tracker_url", value, URL_MOST, is_needed=False)
    try:
        parts = urlsplit(address)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname) and " " not in address
    except ValueError:
        is_web = False
    if address and not is_web:
        raise invalid("/tracker_url", "an address such as https://tracker.example.com/OPS-42 is expected")
    return address


def _record(action: ActionItem, name: str, words: str, by: Actor, at: datetime, *, reason: str = "") -> None:
    """The audit entry, the line of the timeline, and the text by which the postmortem is found."""
    postmortem = Postmortem.objects.filter(tenant_id=action.tenant_id, incident_id=action.incident_id).first()
    if postmortem is not None:
        keep_text(postmortem)
    if words:
        timeline.note(
            tenant=action.tenant_id,
            incident_id=action.incident_id,
            kind=TimelineKind.POSTMORTEM,
            text=words,
            by=by,
            at=at,
            data={"action": str(action.id)},
        )
    audit.record(
        tenant=action.tenant_id,
        action=name,
        actor=by,
        target=Target(type="action_item", id=str(action.id)),
        outcome=Outcome.SUCCESS,
        data={
            "ref": action.incident.ref,
            "title": action.title,
            "kind": str(action.kind),
            "owner": action.owner.email if action.owner else "",
            "due": action.due_on.isoformat() if action.due_on else "",
        },
        at=at,
        reason=reason,
    )
