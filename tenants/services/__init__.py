"""Every write of this app. Each asserts its tenant's scope and leaves its audit entry in the same transaction."""

from tenants.services.end_users import link_end_user, unlink_end_user
from tenants.services.groups import change_group, create_group, remove_group
from tenants.services.keys import create_key, revoke_key
from tenants.services.members import add_member, change_role, remove_member
from tenants.services.organisations import change_settings, create_tenant
from tenants.services.sign_ins import SignIn, tell_sign_in
from tenants.services.staff import create_staff
from tenants.services.staff_tokens import create_staff_token, revoke_staff_token
from tenants.services.success import assign_success_manager

__all__ = [
    "SignIn",
    "add_member",
    "assign_success_manager",
    "change_group",
    "change_role",
    "change_settings",
    "create_group",
    "create_key",
    "create_staff",
    "create_staff_token",
    "create_tenant",
    "link_end_user",
    "remove_group",
    "remove_member",
    "revoke_key",
    "revoke_staff_token",
    "tell_sign_in",
    "unlink_end_user",
]
