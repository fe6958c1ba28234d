"""Reads of this app. Those of members, keys and settings need a scope: the tenant's own, or staff's."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from datetime import datetime

from django.db.models import Count, F, Q

from agentops.common.errors import NotFound
from tenants.models import (
    ApiKey,
    ApproverGroup,
    EndUser,
    Membership,
    StaffAssignment,
    StaffToken,
    Tenant,
    TenantSettings,
    User,
)
from tenants.roles import APPROVER_ROLES, ROLE_PERMISSIONS, Permission, Plan, Role, StaffRole
from tenants.types import GroupSummary, TenantSummary

_RANK = {role: rank for rank, role in enumerate(Role.values)}


def tenant_called(slug: str) -> Tenant:
    """The organisation of a slug, whoever asks: for commands. Raises NotFound."""
    found = Tenant.objects.filter(slug=slug).first()
    if found is None:
        raise NotFound(f"There is no organisation called {slug!r}.")
    return found


def settings_of(tenant: uuid.UUID) -> TenantSettings:
    return TenantSettings.objects.get(tenant_id=tenant)


def members(tenant: uuid.UUID, *, text: str = "", role: str = "") -> list[Membership]:
    """Members with their accounts, owners first, then by name; those whose name or address contains a text."""
    found = Membership.objects.filter(tenant_id=tenant).select_related("user")
    if text:
        found = found.filter(Q(user__email__icontains=text) | Q(user__name__icontains=text))
    if role:
        found = found.filter(role=role)
    return sorted(found, key=lambda m: (_RANK[m.role], str(m.user).lower(), m.user_id))


def member(tenant: uuid.UUID, member_id: uuid.UUID) -> Membership:
    """Raises NotFound."""
    found = Membership.objects.filter(tenant_id=tenant, id=member_id).select_related("user").first()
    if found is None:
        raise NotFound("There is no such member.")
    return found


def approver_count(tenant: uuid.UUID) -> int:
    """How many people could agree to what an agent asks for."""
    return Membership.objects.filter(tenant_id=tenant, role__in=APPROVER_ROLES, user__is_active=True).count()


def approver_groups(tenant: uuid.UUID) -> list[GroupSummary]:
    """Approver groups by name, with their people."""
    found = ApproverGroup.objects.filter(tenant_id=tenant).select_related("group").order_by("name", "id")
    here = {m.user_id: m for m in members(tenant)}
    people = User.groups.through.objects.filter(group__in=[group.group_id for group in found])
    of_group: dict[int, list[Membership]] = {}
    for group_id, user_id in people.values_list("group_id", "user_id"):
        if user_id in here:
            of_group.setdefault(group_id, []).append(here[user_id])
    return [
        GroupSummary(group=group, members=sorted(of_group.get(group.group_id, []), key=lambda m: str(m.user).lower()))
        for group in found
    ]


def approver_group(tenant: uuid.UUID, group_id: uuid.UUID) -> GroupSummary:
    """Raises NotFound."""
    found = next((each for each in approver_groups(tenant) if each.group.id == group_id), None)
    if found is None:
        raise NotFound("There is no such group.")
    return found


def end_users_of(tenant: uuid.UUID, user_id: int) -> list[str]:
    """The ids by which agents know this person in the organisation."""
    found = EndUser.objects.filter(tenant_id=tenant, user_id=user_id)
    return list(found.order_by("external_id").values_list("external_id", flat=True))


def account_of(tenant: uuid.UUID, end_user: str) -> int | None:
    """The user id of the active member who is this end user, if anybody is."""
    found = EndUser.objects.filter(tenant_id=tenant, external_id=end_user, user__is_active=True)
    user_id = found.values_list("user_id", flat=True).first()
    is_member = user_id is not None and Membership.objects.filter(tenant_id=tenant, user_id=user_id).exists()
    return user_id if is_member else None


def addresses_named(tenant: uuid.UUID, end_users: Iterable[str]) -> dict[str, str]:
    """The e-mail addresses of those of these end users who have an account here, by the name agents know them by."""
    found = EndUser.objects.filter(tenant_id=tenant, external_id__in=list(end_users), user__is_active=True)
    return dict(found.values_list("external_id", "user__email"))


def accounts_named(tenant: uuid.UUID, end_users: Iterable[str]) -> set[int]:
    """Every account that one of these end users is, or that has its e-mail address as a name; for leaving them out."""
    names = [name for name in end_users if name]
    linked = EndUser.objects.filter(tenant_id=tenant, external_id__in=names, user__isnull=False)
    same = User.objects.filter(email__in=[name.strip().lower() for name in names])
    return {*linked.values_list("user_id", flat=True), *same.values_list("pk", flat=True)}


def member_ids(tenant: uuid.UUID, roles: Collection[Role]) -> set[int]:
    """The user ids of active members with one of these roles."""
    found = Membership.objects.filter(tenant_id=tenant, role__in=list(roles), user__is_active=True)
    return set(found.values_list("user_id", flat=True))


def members_able_to(tenant: uuid.UUID, permission: Permission) -> set[int]:
    """The user ids of active members whose role includes a permission."""
    return member_ids(tenant, [role for role, powers in ROLE_PERMISSIONS.items() if permission in powers])


def keys(tenant: uuid.UUID) -> list[ApiKey]:
    """Keys, those in use first, the newest first."""
    return list(
        ApiKey.objects.filter(tenant_id=tenant).order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-id")
    )


def key(tenant: uuid.UUID, key_id: uuid.UUID) -> ApiKey:
    """Raises NotFound."""
    found = ApiKey.objects.filter(tenant_id=tenant, id=key_id).first()
    if found is None:
        raise NotFound("There is no such key.")
    return found


def tenant_summaries() -> list[TenantSummary]:
    """Every organisation with its counts, the newest first. Needs staff's scope; without it the counts are zero."""
    members_of = dict(Membership.objects.values_list("tenant_id").annotate(Count("id")).order_by("tenant_id"))
    keys_of = dict(
        ApiKey.objects.filter(Q(revoked_at__isnull=True))
        .values_list("tenant_id")
        .annotate(Count("id"))
        .order_by("tenant_id")
    )
    return [
        TenantSummary(tenant=tenant, members=members_of.get(tenant.id, 0), keys=keys_of.get(tenant.id, 0))
        for tenant in Tenant.objects.filter(is_house=False).order_by("-created_at", "-id")
    ]


def plan_of(tenant: uuid.UUID) -> Plan:
    return Plan(Tenant.objects.values_list("plan", flat=True).get(id=tenant))


def active_tenant_ids() -> list[uuid.UUID]:
    """Every organisation in use, for periodic work that goes from one scope to the next."""
    return list(Tenant.objects.filter(is_active=True).order_by("id").values_list("id", flat=True))


def drill_tenant_ids() -> set[uuid.UUID]:
    """Organisations that drills are played on: no customers."""
    return set(Tenant.objects.filter(is_drill=True).values_list("id", flat=True))


def active_tenants() -> list[Tenant]:
    """Every customer in use, by name."""
    return list(Tenant.objects.filter(is_active=True, is_house=False).order_by("name", "id"))


def tenants_by_id(ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Tenant]:
    return Tenant.objects.in_bulk(list(set(ids)))


def all_tenants() -> list[Tenant]:
    """Every customer, in use or not, with its success manager, by name."""
    return list(Tenant.objects.filter(is_house=False).select_related("success_manager").order_by("name", "id"))


def customers() -> list[Tenant]:
    """Every customer, in use or not, by name; none on which drills are played: what is spent there is told, not spent."""
    return [tenant for tenant in all_tenants() if not tenant.is_drill]


def keys_made_before(before: datetime) -> list[ApiKey]:
    """Keys of all organisations that are in use since before a moment, the oldest first. In the staff scope."""
    return list(ApiKey.objects.filter(revoked_at=None, created_at__lt=before).order_by("created_at", "id"))


def staff_by_role() -> dict[StaffRole, list[User]]:
    """Our own people who are active, by role, each role's by name."""
    found: dict[StaffRole, list[User]] = {}
    rows = StaffAssignment.objects.filter(user__is_active=True).select_related("user")
    for row in rows.order_by("user__name", "user__email"):
        found.setdefault(StaffRole(row.role), []).append(row.user)
    return found


def staff_people() -> list[User]:
    """Our own people, by name."""
    found = User.objects.filter(staff_assignments__isnull=False, is_active=True).distinct()
    return list(found.order_by("name", "email"))


def success_managers() -> list[User]:
    """Our own people who look after organisations, by name."""
    found = User.objects.filter(staff_assignments__role=StaffRole.SUCCESS_MANAGER, is_active=True)
    return list(found.order_by("name", "email"))


def success_manager_of(tenant: uuid.UUID) -> User | None:
    """Who looks after an organisation, as long as they still do that work."""
    found = Tenant.objects.values_list("success_manager", flat=True).get(id=tenant)
    return next((each for each in success_managers() if each.pk == found), None)


def staff_with_roles(roles: Collection[StaffRole]) -> list[User]:
    """Our own people who hold any of some roles, by name."""
    found = User.objects.filter(staff_assignments__role__in=list(roles), is_active=True).distinct()
    return list(found.order_by("name", "email"))


def staff_roles_of(user_id: int) -> set[StaffRole]:
    """The roles of one of our own people; none of somebody who is none, or not any more."""
    found = StaffAssignment.objects.filter(user=user_id, user__is_active=True).values_list("role", flat=True)
    return {StaffRole(role) for role in found}


def staff_tokens() -> list[StaffToken]:
    """Tokens of our own machines, those in use first, the newest first."""
    return list(StaffToken.objects.order_by(F("revoked_at").desc(nulls_first=True), "-created_at", "-id"))


def staff_token(token_id: uuid.UUID) -> StaffToken:
    """Raises NotFound."""
    found = StaffToken.objects.filter(id=token_id).first()
    if found is None:
        raise NotFound("There is no such token.")
    return found
