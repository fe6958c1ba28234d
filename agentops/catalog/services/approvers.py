"""Who is named to approve what an agent asks for, or the calls of a tool. With nobody named, every approver may."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.catalog.errors import invalid
from agentops.catalog.models import Agent, Tool
from agentops.catalog.queries.approvers import APPROVE, target_of
from agentops.catalog.services import changes
from agentops.catalog.types import ApprovedKind
from agentops.common.errors import NotFound
from audit.types import Actor, Target
from tenants import access
from tenants import queries as tenants
from tenants.types import ApproverGroup, User


def name_approver(
    *,
    tenant: uuid.UUID,
    kind: ApprovedKind,
    name: str,
    user: int | None = None,
    group: uuid.UUID | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Name a member, or a group, as one who may approve. From the first name on, nobody else may.

    Who is named already stays so, without another entry. Raises AgentUnknown, ToolUnknown, NotFound, and InvalidInput
    for a member whose role approves nothing.
    """
    changes.begin(tenant)
    target, who = target_of(tenant, kind, name), _who(tenant, user, group)
    if who not in access.named_on(permission=APPROVE, target=target):
        access.grant(to=who, permission=APPROVE, target=target)
        _record(tenant, "approvers.granted", kind, target, who, by, at)


def unname_approver(
    *,
    tenant: uuid.UUID,
    kind: ApprovedKind,
    name: str,
    user: int | None = None,
    group: uuid.UUID | None = None,
    by: Actor,
    at: datetime,
) -> None:
    """Take a name back. With the last one gone, every approver of the organisation may approve again.

    Who is not named stays so. Raises AgentUnknown, ToolUnknown, NotFound.
    """
    changes.begin(tenant)
    target = target_of(tenant, kind, name)
    named = access.named_on(permission=APPROVE, target=target)
    who = next(
        (each for each in named if each.pk == (group or user) and isinstance(each, ApproverGroup) == bool(group)), None
    )
    if who is None:
        raise NotFound("They are not named there (any more).")
    access.revoke(to=who, permission=APPROVE, target=target)
    _record(tenant, "approvers.revoked", kind, target, who, by, at)


def _who(tenant: uuid.UUID, user: int | None, group: uuid.UUID | None) -> User | ApproverGroup:
    if group is not None:
        return tenants.approver_group(tenant, group).group
    found = access.members_by_id(tenant, [user or 0]).get(user or 0)
    if found is None:
        raise NotFound("There is no such member.")
    if found.pk not in access.approvers(tenant):
        raise invalid("/who", f"{found.email} has no role that approves. Make them an approver first.", "role")
    return found


def _record(
    tenant: uuid.UUID,
    action: str,
    kind: ApprovedKind,
    target: Agent | Tool,
    who: User | ApproverGroup,
    by: Actor,
    at: datetime,
) -> None:
    label = who.name if isinstance(who, ApproverGroup) else who.email
    changes.record(
        tenant,
        action,
        Target(type=kind.value, id=target.name[:200]),
        {"who": label, "kind": kind.value, "name": target.name[:200]},
        by,
        at,
    )
