"""Kill switches: on at once, off with a reason, and for the whole product off only by a second person.

Nothing is told to anybody: each verb of the guard reads the switches in its own transaction, so what is committed here
holds for the next step everywhere.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime

from django.db import connection, transaction

from agentops.common import scope
from agentops.common.errors import InputProblem, InvalidInput, NotFound
from agentops.runtime.errors import LiftNotAsked, SecondPersonNeeded, SwitchLifted
from agentops.runtime.models import KillSwitch, ProductSwitch
from agentops.runtime.types import SwitchMode, SwitchScope
from audit import services as audit
from audit.types import Actor, Outcome, Target

log = logging.getLogger(__name__)

MOST_REASON = 1_000
MOST_ID = 200


def set_switch(
    *, tenant: uuid.UUID, scope_kind: SwitchScope, scope_id: str, mode: SwitchMode, reason: str, by: Actor, at: datetime
) -> tuple[KillSwitch, bool]:
    """Stop an organisation, one of its agents (by name) or one of its users (by id); answers the switch, and if it is new.

    Asked again while it is on, it is the same switch: two people may press at once. Raises InvalidInput.
    """
    scope.require_tenant(tenant)
    scope_id = _checked(scope_kind, scope_id, reason)
    switch, is_new = KillSwitch.objects.get_or_create(
        tenant_id=tenant,
        scope=scope_kind,
        scope_id=scope_id,
        mode=mode,
        lifted_at=None,
        defaults={"reason": reason.strip(), "set_at": at, "set_by": by.label},
    )
    if is_new:
        _record(switch, "kill_switch.set", by, at, reason.strip())
    return switch, is_new


def lift_switch(*, tenant: uuid.UUID, switch_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> KillSwitch:
    """Let go again; the reason is kept. Raises NotFound, SwitchLifted, InvalidInput."""
    scope.require_tenant(tenant)
    _require_reason(reason)
    switch = KillSwitch.objects.select_for_update().filter(tenant_id=tenant, id=switch_id).first()
    if switch is None:
        raise NotFound("There is no such kill switch.")
    if switch.lifted_at is not None:
        raise SwitchLifted(f"{switch.lifted_by} lifted it at {switch.lifted_at:%Y-%m-%d %H:%M} UTC.")
    switch.lifted_at, switch.lifted_by, switch.lift_reason = at, by.label, reason.strip()
    switch.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
    _record(switch, "kill_switch.lifted", by, at, reason.strip())
    return switch


# -- the whole product ------------------------------------------------------------------------------------------------
# No tenant owns this switch, and the audit log is per tenant: the switch's own row says who, when and why, it is never
# deleted, and every run it stops or refuses has its entry in its tenant's log.


def set_product_switch(*, mode: SwitchMode, reason: str, by: Actor, at: datetime) -> tuple[ProductSwitch, bool]:
    """Stop every agent of every organisation. Opens its own transaction. Raises InvalidInput."""
    _require_reason(reason)
    with transaction.atomic(durable=True):
        switch, is_new = ProductSwitch.objects.get_or_create(
            mode=mode, lifted_at=None, defaults={"reason": reason.strip(), "set_at": at, "set_by": by.label}
        )
    if is_new:
        log.warning("%s stopped all agents (%s): %s", by.label, mode, reason)
    return switch, is_new


def ask_product_lift(*, switch_id: uuid.UUID, reason: str, by: Actor, at: datetime) -> ProductSwitch:
    """Propose to let all agents go on; somebody else has to agree. Opens its own transaction.

    Raises NotFound, SwitchLifted, InvalidInput.
    """
    _require_reason(reason)
    with transaction.atomic(durable=True):
        switch = _product(switch_id)
        switch.lift_asked_at, switch.lift_asked_by, switch.lift_reason = at, by.label, reason.strip()
        switch.save(update_fields=["lift_asked_at", "lift_asked_by", "lift_reason"])
    log.warning("%s asks to let all agents go on: %s", by.label, reason)
    return switch


def lift_product_switch(*, switch_id: uuid.UUID, by: Actor, at: datetime) -> ProductSwitch:
    """Agree to what another person proposed. Opens its own transaction.

    Raises NotFound, SwitchLifted, LiftNotAsked and SecondPersonNeeded; the database's constraint says the same.
    """
    with transaction.atomic(durable=True):
        switch = _product(switch_id)
        if switch.lift_asked_at is None:
            raise LiftNotAsked("Nobody has asked to lift it; the first of two people does that, with a reason.")
        if switch.lift_asked_by == by.label:
            raise SecondPersonNeeded("You asked to lift it, so another person has to agree.")
        switch.lifted_at, switch.lifted_by = at, by.label
        switch.save(update_fields=["lifted_at", "lifted_by"])
    log.warning("%s let all agents go on, as %s asked", by.label, switch.lift_asked_by)
    return switch


def _product(switch_id: uuid.UUID) -> ProductSwitch:
    switch = ProductSwitch.objects.select_for_update().filter(id=switch_id).first()
    if switch is None:
        raise NotFound("There is no such kill switch.")
    if switch.lifted_at is not None:
        raise SwitchLifted(f"{switch.lifted_by} lifted it at {switch.lifted_at:%Y-%m-%d %H:%M} UTC.")
    return switch


def _checked(kind: SwitchScope, scope_id: str, reason: str) -> str:
    _require_reason(reason)
    if kind is SwitchScope.TENANT:
        if scope_id.strip():
            raise _invalid("id", "not_taken", "A switch for the whole organisation names nothing else.")
        return ""
    if not scope_id.strip() or len(scope_id) > MOST_ID or "\0" in scope_id:
        what = "agent by its name" if kind is SwitchScope.AGENT else "user by the id that runs carry"
        raise _invalid("id", "required", f"Name the {what}, in at most {MOST_ID} characters.")
    if kind is SwitchScope.USER:
        return scope_id  # to the letter: a user may be called as oddly as the runs say
    scope_id = scope_id.strip()
    if not _agent_exists(scope_id):
        raise _invalid(
            "id", "agent_unknown", f"There is no agent called {scope_id}; its name is the one in its manifest."
        )
    return scope_id


def _agent_exists(name: str) -> bool:
    """An agent of the catalog: a slip of the keyboard must not look like a stop. Row-level security picks the tenant."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM catalog_agent WHERE name = %s", [name])
        return cursor.fetchone() is not None


def _require_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > MOST_REASON or "\0" in reason:
        raise _invalid("reason", "required", f"Say why, in at most {MOST_REASON} characters; it is kept and shown.")


def _invalid(name: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput(detail, problems=(InputProblem(f"/{name}", code, detail),))


def _record(switch: KillSwitch, action: str, by: Actor, at: datetime, reason: str) -> None:
    audit.record(
        tenant=switch.tenant_id,
        action=action,
        actor=by,
        target=Target(type=f"{switch.scope}", id=switch.scope_id or str(switch.tenant_id)),
        outcome=Outcome.SUCCESS,
        data={"switch": str(switch.id), "scope": switch.scope, "id": switch.scope_id, "mode": switch.mode},
        at=at,
        reason=reason,
    )
