"""Organisations, people, and the keys of machines."""

from tenants.models.end_user import EndUser
from tenants.models.group import ApproverGroup
from tenants.models.key import ApiKey
from tenants.models.person import StaffAssignment, User
from tenants.models.staff_token import StaffToken
from tenants.models.tenant import Membership, Tenant, TenantSettings

__all__ = [
    "ApiKey",
    "ApproverGroup",
    "EndUser",
    "Membership",
    "StaffAssignment",
    "StaffToken",
    "Tenant",
    "TenantSettings",
    "User",
]
