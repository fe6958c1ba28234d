"""Approver groups: made, changed and removed under the same lock as members, so that who leaves is in none."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction

from agentops.common import scope
from agentops.common.errors import NotFound
from agentops.common.ids import new_id
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import access
from tenants.errors import GroupInUse, GroupNameTaken, invalid
from tenants.models import ApproverGroup, Membership, Tenant, User

NAME_MOST = 80
_NAMES_TOLD = 50


def create_group(
    *, tenant: uuid.UUID, name: str, members: Iterable[int] = (), by: Actor, at: datetime
) -> ApproverGroup:
    """Make a group of these members (user ids). Raises InvalidInput, GroupNameTaken."""
    _begin(tenant)
    name, people = _name(name), _people(tenant, members)
    found = ApproverGroup(id=new_id(), tenant_id=tenant, name=name, created_at=at, created_by=by.label[:200])
    found.group = Group.objects.create(name=f"approvers:{found.id}")  # unique over all tenants, and seen by nobody
    _save(found)
    found.group.user_set.set(people)
    _record(found, "approver_group.created", {"name": name, "members": _told(people)}, by, at)
    return found


def change_group(
    *, tenant: uuid.UUID, group: uuid.UUID, name: str, members: Iterable[int], by: Actor, at: datetime
) -> ApproverGroup:
    """Give a group another name, other members, or both. Raises NotFound, InvalidInput, GroupNameTaken."""
    _begin(tenant)
    found = _found(tenant, group)
    name, people = _name(name), _people(tenant, members)
    before = set(found.group.user_set.values_list("pk", flat=True))
    if name == found.name and before == {user.pk for user in people}:
        return found
    if name != found.name:
        found.name = name
        _save(found)
    found.group.user_set.set(people)
    _record(found, "approver_group.changed", {"name": name, "members": _told(people)}, by, at)
    return found


def remove_group(*, tenant: uuid.UUID, group: uuid.UUID, by: Actor, at: datetime) -> None:
    """Remove a group that approves nothing any more. Raises NotFound, and GroupInUse for one that does.

    Removing it then would take the last name off a tool, and so let everybody approve it, unasked.
    """
    _begin(tenant)
    found = _found(tenant, group)
    count = access.grants_of(found)
    if count:
        places = "one agent or tool" if count == 1 else f"{count} agents and tools"
        raise GroupInUse(f"{found.name} approves {places}. Take it off there first.")
    _record(found, "approver_group.removed", {"name": found.name}, by, at)
    found.group.delete()  # takes the row here with it


def leave_groups(*, tenant: uuid.UUID, user: User, by: Actor, at: datetime) -> None:
    """Take a person out of every group of the organisation; the caller holds the members' lock."""
    scope.require_tenant(tenant)
    mine = list(ApproverGroup.objects.filter(tenant_id=tenant, group__user=user).select_related("group"))
    for found in mine:
        found.group.user_set.remove(user)
        people = list(found.group.user_set.order_by("email"))
        _record(found, "approver_group.changed", {"name": found.name, "members": _told(people)}, by, at)


def _begin(tenant: uuid.UUID) -> None:
    scope.require_tenant(tenant)
    Tenant.objects.select_for_update(no_key=True).get(id=tenant)


def _found(tenant: uuid.UUID, group: uuid.UUID) -> ApproverGroup:
    found = ApproverGroup.objects.filter(tenant_id=tenant, id=group).select_related("group").first()
    if found is None:
        raise NotFound("There is no such group; perhaps somebody removed it a moment ago.")
    return found


def _name(text: str) -> str:
    name = " ".join(text.split())
    if not 1 <= len(name) <= NAME_MOST or not name.isprintable():
        raise invalid("/name", f"A group needs a name of 1 to {NAME_MOST} printable characters.")
    return name


def _people(tenant: uuid.UUID, wanted: Iterable[int]) -> list[User]:
    ids = set(wanted)
    found = Membership.objects.filter(tenant_id=tenant, user_id__in=ids).select_related("user").order_by("user__email")
    people = [membership.user for membership in found]
    if len(people) != len(ids):
        raise invalid("/members", "Somebody among them is no member of this organisation (any more).")
    return people


def _save(found: ApproverGroup) -> None:
    try:
        with transaction.atomic():
            found.save()
    except IntegrityError as error:
        raise GroupNameTaken(f"There is a group called {found.name!r} already.") from error


def _told(people: Iterable[User]) -> list[str]:
    """Addresses for an entry, which has a limit."""
    names = [user.email for user in people]
    return names if len(names) <= _NAMES_TOLD else [*names[:_NAMES_TOLD], f"and {len(names) - _NAMES_TOLD} more"]


def _record(found: ApproverGroup, action: str, data: dict[str, str | list[str]], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=found.tenant_id,
        action=action,
        actor=by,
        target=Target(type="approver_group", id=str(found.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
