"""Values that the services and queries of this app answer with."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.models import ApiKey, ApproverGroup, Membership, StaffToken, Tenant, User
from tenants.roles import APPROVER_ROLES

# These rows are also names for other apps: they get them from the doors and queries, and never ask for them.
__all__ = ["AddedMember", "ApproverGroup", "GroupSummary", "NewKey", "NewStaffToken", "Tenant", "TenantSummary", "User"]


@dataclass(frozen=True, slots=True)
class AddedMember:
    """A new membership. `is_new_account` is True where the account was made with it, so nobody has signed in to it yet."""

    membership: Membership
    user: User
    is_new_account: bool


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made. `text` exists here and in the caller's hands only; a digest is kept."""

    key: ApiKey
    text: str


@dataclass(frozen=True, slots=True)
class NewStaffToken:
    """The same of a token of our own machines."""

    token: StaffToken
    text: str


@dataclass(frozen=True, slots=True)
class TenantSummary:
    """One organisation in staff's list."""

    tenant: Tenant
    members: int
    keys: int  # not revoked


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """An approver group with its people, by name."""

    group: ApproverGroup
    members: list[Membership]

    @property
    def approvers(self) -> list[Membership]:
        """Those whose agreement counts now."""
        return [each for each in self.members if each.role in APPROVER_ROLES and each.user.is_active]
