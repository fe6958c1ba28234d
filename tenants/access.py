"""The door for people: from a signed-in user to a tenant, a permission and an object. guardian is imported only here.

Every page stands in a `urls.py` as `tenant_page`, `staff_page`, `own_page` or `open_page` with the permission it
needs; the door checks, opens the scope, calls the view, renders inside the scope and closes it. A stranger gets 404,
a member without the power 403.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, TypeVar, cast

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from guardian.models import GroupObjectPermission, UserObjectPermission
from guardian.shortcuts import assign_perm, get_objects_for_user, remove_perm

from agentops.common import clock
from agentops.common.errors import Forbidden, NotFound
from agentops.common.scope import person_scope, staff_scope, tenant_scope
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants.house import house_scope
from tenants.models import ApproverGroup, Membership, StaffAssignment, Tenant, User
from tenants.roles import (
    APPROVER_ROLES,
    ROLE_PERMISSIONS,
    STAFF_PERMISSIONS,
    STAFF_READS,
    Permission,
    Role,
    StaffRole,
)

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True, slots=True)
class Access:
    """What a person may do in one tenant."""

    user: User
    tenant: Tenant
    role: Role
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        if permission not in self.permissions:
            raise Forbidden(
                f"Your role ({self.role.label.lower()}) does not include this. An owner or admin can change it."
            )

    @property
    def actor(self) -> Actor:
        return actor_of(self.user)


@dataclass(frozen=True, slots=True)
class StaffAccess:
    """What one of our own people may do over all tenants."""

    user: User
    roles: frozenset[StaffRole]
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def actor(self) -> Actor:
        return Actor(type="staff", id=f"staff:{self.user.pk}", label=self.user.email)


class PersonRequest(HttpRequest):
    """A signed-in person's request."""

    user: User
    htmx: Any


class TenantRequest(PersonRequest):
    """A request inside one tenant's scope. `memberships` are the person's organisations, for the tenant switch."""

    access: Access
    memberships: list[tuple[Tenant, Role]]


class StaffRequest(PersonRequest):
    """A request of our own people."""

    staff: StaffAccess


View = Callable[Concatenate[Any, ...], HttpResponseBase]


def actor_of(user: User) -> Actor:
    return Actor(type="user", id=f"user:{user.pk}", label=user.email)


def memberships_of(user: User) -> list[tuple[Tenant, Role]]:
    """The organisations of a person, by name. Opens its own scope."""
    with person_scope(user.pk):
        roles = dict(Membership.objects.filter(user_id=user.pk).values_list("tenant_id", "role"))
        tenants = Tenant.objects.filter(id__in=roles, is_active=True).order_by("name", "id")
        return [(tenant, Role(roles[tenant.id])) for tenant in tenants]


def access_to(user: User, slug: str) -> Access:
    """A person's access to the tenant of a slug. Raises NotFound where they are no member, as where there is none."""
    return _chosen(user, memberships_of(user), slug)


def _chosen(user: User, memberships: list[tuple[Tenant, Role]], slug: str) -> Access:
    for tenant, role in memberships:
        if tenant.slug == slug:
            return Access(user=user, tenant=tenant, role=role, permissions=ROLE_PERMISSIONS[role])
    raise NotFound("There is no such organisation, or you are not a member of it.")


def is_staff(user: User) -> bool:
    """Is this one of our own people?"""
    return StaffAssignment.objects.filter(user=user).exists()


def staff_access(user: User) -> StaffAccess:
    """A person's access as staff. Raises NotFound for everybody else: the pages do not exist for them."""
    roles = frozenset(StaffRole(r) for r in StaffAssignment.objects.filter(user=user).values_list("role", flat=True))
    if not roles:
        raise NotFound("There is no such page.")
    permissions = frozenset().union(*(STAFF_PERMISSIONS[role] for role in roles))
    return StaffAccess(user=user, roles=roles, permissions=permissions)


# -- doors: how a page stands in a urls.py ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Door:
    """Which kind of people a URL is for, and the permission it needs. The tests walk these."""

    kind: str  # tenant | staff | own | open
    needs: Permission | None


def tenant_page(
    route: str, view: View, *, name: str, needs: Permission, notes: Callable[..., None] | None = None
) -> URLPattern:
    """A page below `/t/<slug>/`: the view gets a TenantRequest inside the tenant's scope.

    `notes(request=, user=, slug=, **places)` is called where this person finds nothing, be it that they are a stranger or that
    the thing is not for them: after the scope, so that what it writes stays.
    """

    @functools.wraps(view)
    def door(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        try:
            return opened(request, slug, **kwargs)
        except NotFound:
            if notes is not None:
                notes(request=request, user=cast(User, request.user), slug=slug, **kwargs)
            raise

    def opened(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        user = cast(User, request.user)
        memberships = memberships_of(user)
        access = _chosen(user, memberships, slug)
        access.require(needs)
        request.access, request.memberships = access, memberships  # type: ignore[attr-defined]
        with tenant_scope(access.tenant.id, user_id=user.pk):
            return _rendered(view(request, **kwargs))

    return _path(f"t/<slug:slug>/{route}", door, name, Door("tenant", needs))


def staff_page(route: str, view: View, *, name: str, needs: Permission, across_tenants: bool = False) -> URLPattern:
    """A page below `/staff/`. With `across_tenants` the view runs in the read-only scope over all tenants."""

    @functools.wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        staff = staff_access(cast(User, request.user))
        if not staff.may(needs):
            raise Forbidden("Your staff roles do not include this.")
        request.staff = staff  # type: ignore[attr-defined]
        if not across_tenants:
            return view(request, **kwargs)
        with staff_scope():
            return _rendered(view(request, **kwargs))

    return _path(f"staff/{route}", door, name, Door("staff", needs))


def house_page(route: str, view: View, *, name: str, needs: Permission) -> URLPattern:
    """A page of staff in the scope of our own organisation (house.py), to read and to write; rendered inside it."""

    @functools.wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        staff = staff_access(cast(User, request.user))
        if not staff.may(needs):
            raise Forbidden("Your staff roles do not include this.")
        request.staff = staff  # type: ignore[attr-defined]
        with house_scope():
            return _rendered(view(request, **kwargs))

    return _path(f"staff/{route}", door, name, Door("staff", needs))


def staff_tenant_page(route: str, view: View, *, name: str, needs: Permission, writes: bool = False) -> URLPattern:
    """A page of staff about one tenant, below `/staff/t/<slug>/`.

    The read is an entry in that tenant's audit log, committed before anything is read; the view then runs in the
    read-only scope, with a TenantRequest whose access may read and nothing else. With `writes` it runs in the tenant's
    own scope: the service it calls leaves the audit entry of what staff did, by `request.staff.actor`.
    """

    @functools.wraps(view)
    def door(request: HttpRequest, slug: str, **kwargs: Any) -> HttpResponseBase:
        staff = staff_access(cast(User, request.user))
        if not staff.may(needs):
            raise Forbidden("Your staff roles do not include this.")
        tenant = Tenant.objects.filter(slug=slug).first()
        if tenant is None:
            raise NotFound("There is no such organisation.")
        with tenant_scope(tenant.id):
            audit.record(
                tenant=tenant.id,
                action="staff.read",
                actor=staff.actor,
                target=Target(type="page", id=request.path),
                outcome=Outcome.SUCCESS,
                data={"what": request.get_full_path()[:500]},
                at=clock.now(),
            )
        request.staff = staff  # type: ignore[attr-defined]
        request.access = Access(user=staff.user, tenant=tenant, role=Role.AUDITOR, permissions=STAFF_READS)  # type: ignore[attr-defined]
        with tenant_scope(tenant.id) if writes else staff_scope():
            return _rendered(view(request, **kwargs))

    return _path(f"staff/t/<slug:slug>/{route}", door, name, Door("staff", needs))


def own_page(route: str, view: View, *, name: str) -> URLPattern:
    """A page for anybody who is signed in. It opens what it needs itself."""

    @functools.wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return view(request, **kwargs)

    return _path(route, door, name, Door("own", None))


def open_page(route: str, view: View, *, name: str) -> URLPattern:
    """A page for everybody."""

    @functools.wraps(view)
    def door(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return view(request, **kwargs)

    return _path(route, login_not_required(door), name, Door("open", None))


def _path(route: str, door: View, name: str, marker: Door) -> URLPattern:
    door.door = marker  # type: ignore[attr-defined]
    return path(route, door, name=name)


def _rendered(response: HttpResponseBase) -> HttpResponseBase:
    """Render while the scope is open: a lazy template would read nothing afterwards, and say so to nobody."""
    if hasattr(response, "render") and callable(response.render):
        response = cast(HttpResponse, response.render())
    if response.status_code >= 400:
        transaction.set_rollback(True)
    return response


# -- objects: guardian's permissions, inside a tenant's scope --------------------------------------------------------


def grant(*, to: User | ApproverGroup, permission: str, target: models.Model) -> None:
    """Give a person, or a group of people, a permission on one object."""
    assign_perm(permission, _holder(to), target)


def revoke(*, to: User | ApproverGroup, permission: str, target: models.Model) -> None:
    remove_perm(permission, _holder(to), target)


def _holder(to: User | ApproverGroup) -> User | Group:
    return to.group if isinstance(to, ApproverGroup) else to


def named_on(*, permission: str, target: models.Model) -> list[User | ApproverGroup]:
    """The groups of the target's tenant and the people that were given a permission on it, by name; in its scope.

    A person stays named after leaving the organisation: with the last name gone, everybody could approve, unasked.
    """
    groups, people = _groups_on(permission, target), _people_on(permission, target)
    return [
        *ApproverGroup.objects.filter(tenant_id=_tenant_of(target), group__in=groups).order_by("name", "id"),
        *User.objects.filter(pk__in=people).order_by("name", "email"),
    ]


def named_among(*, permission: str, targets: Sequence[models.Model]) -> dict[str, list[User | ApproverGroup]]:
    """The same for many objects of one kind and tenant at once, by the text of their ids; nobody: not there."""
    if not targets:
        return {}
    where = {**_on(permission, targets[0]), "object_pk__in": [str(target.pk) for target in targets]}
    del where["object_pk"]
    groups = {
        group.group_id: group
        for group in ApproverGroup.objects.filter(tenant_id=_tenant_of(targets[0])).order_by("name")
    }
    found: dict[str, list[User | ApproverGroup]] = {}
    for pk, group_id in GroupObjectPermission.objects.filter(**where).values_list("object_pk", "group"):
        if group_id in groups:
            found.setdefault(pk, []).append(groups[group_id])
    for row in (
        UserObjectPermission.objects.filter(**where).select_related("user").order_by("user__name", "user__email")
    ):
        found.setdefault(row.object_pk, []).append(row.user)
    return found


def is_granted(*, permission: str, target: models.Model) -> bool:
    """Was the permission on this object given to anybody at all, still here or not?"""
    return _people_on(permission, target).exists() or _groups_on(permission, target).exists()


def holders(*, permission: str, target: models.Model) -> set[int]:
    """The user ids of those who hold a permission on an object now, by themselves or through a group; in its scope.

    Active members of the target's tenant whose role counts where people must agree, and nobody else: who has left, or
    reads only, holds nothing.
    """
    tenant = _tenant_of(target)
    groups = ApproverGroup.objects.filter(tenant_id=tenant, group__in=_groups_on(permission, target))
    held = Q(user__in=_people_on(permission, target)) | Q(user__groups__in=groups.values("group"))
    return set(_approvers(tenant).filter(held).values_list("user_id", flat=True))


def approvers(tenant_id: uuid.UUID) -> set[int]:
    """The user ids of all whose agreement counts where people must agree."""
    return set(_approvers(tenant_id).values_list("user_id", flat=True))


def grants_of(group: ApproverGroup) -> int:
    """On how many objects a group was given anything."""
    return GroupObjectPermission.objects.filter(group=group.group_id).count()


def _approvers(tenant_id: uuid.UUID) -> models.QuerySet[Membership]:
    return Membership.objects.filter(tenant_id=tenant_id, role__in=APPROVER_ROLES, user__is_active=True)


def _people_on(permission: str, target: models.Model) -> models.QuerySet[Any, int]:
    return UserObjectPermission.objects.filter(**_on(permission, target)).values_list("user", flat=True)


def _groups_on(permission: str, target: models.Model) -> models.QuerySet[Any, int]:
    return GroupObjectPermission.objects.filter(**_on(permission, target)).values_list("group", flat=True)


def _on(permission: str, target: models.Model) -> dict[str, Any]:
    kind = ContentType.objects.get_for_model(target)
    codename = permission.rpartition(".")[2]
    return {
        "permission__codename": codename,
        "permission__content_type": kind,
        "content_type": kind,
        "object_pk": str(target.pk),
    }


def _tenant_of(target: models.Model) -> uuid.UUID:
    found: uuid.UUID = target.tenant_id  # type: ignore[attr-defined]  # objects here are rows of a tenant
    return found


def visible_to(*, user: User, permission: str, rows: models.QuerySet[M]) -> models.QuerySet[M]:
    """The rows of a queryset on which this person has the object permission."""
    return cast("models.QuerySet[M]", get_objects_for_user(user, permission, rows, accept_global_perms=False))


def members_by_id(tenant_id: uuid.UUID, user_ids: Iterable[int]) -> dict[int, User]:
    """Members of the open tenant, by id; others are left out."""
    found = Membership.objects.filter(tenant_id=tenant_id, user_id__in=list(user_ids)).select_related("user")
    return {membership.user_id: membership.user for membership in found}
