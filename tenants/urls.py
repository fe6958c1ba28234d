"""Pages of an organisation: members, keys, settings; and staff's list of organisations."""

from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission
from tenants.views import groups, keys, members, settings, staff, staff_tokens

_GROUPS = "approvals/groups/"
_GROUP = f"{_GROUPS}<uuid:group>/"

urlpatterns = [
    tenant_page("members/", members.members, name="members", needs=Permission.MEMBERS_READ),
    tenant_page("members/new/", members.member_new, name="member-new", needs=Permission.MEMBERS_MANAGE),
    tenant_page(
        "members/<uuid:member>/role/", members.member_role, name="member-role", needs=Permission.MEMBERS_MANAGE
    ),
    tenant_page(
        "members/<uuid:member>/removal/",
        members.member_removal,
        name="member-removal",
        needs=Permission.MEMBERS_MANAGE,
    ),
    tenant_page(
        "members/<uuid:member>/end-users/",
        members.member_end_users,
        name="member-end-users",
        needs=Permission.MEMBERS_MANAGE,
    ),
    tenant_page(_GROUPS, groups.groups, name="approver-groups", needs=Permission.CONFIRMATIONS_READ),
    tenant_page(f"{_GROUPS}new/", groups.group_new, name="approver-group-new", needs=Permission.CONFIRMATIONS_MANAGE),
    tenant_page(_GROUP, groups.group, name="approver-group", needs=Permission.CONFIRMATIONS_MANAGE),
    tenant_page(
        f"{_GROUP}removal/",
        groups.group_removal,
        name="approver-group-removal",
        needs=Permission.CONFIRMATIONS_MANAGE,
    ),
    tenant_page("keys/", keys.keys, name="keys", needs=Permission.KEYS_READ),
    tenant_page("keys/new/", keys.key_new, name="key-new", needs=Permission.KEYS_MANAGE),
    tenant_page(
        "keys/<uuid:key>/revocation/", keys.key_revocation, name="key-revocation", needs=Permission.KEYS_MANAGE
    ),
    tenant_page("settings/", settings.settings, name="tenant-settings", needs=Permission.SETTINGS_READ),
    tenant_page(
        "settings/changes/", settings.settings_change, name="tenant-settings-change", needs=Permission.SETTINGS_MANAGE
    ),
    staff_page("tenants/", staff.tenants, name="staff-tenants", needs=Permission.STAFF_TENANTS, across_tenants=True),
    staff_page("tokens/", staff_tokens.tokens, name="staff-tokens", needs=Permission.STAFF_SPEND_MANAGE),
    staff_page("tokens/new/", staff_tokens.token_new, name="staff-token-new", needs=Permission.STAFF_SPEND_MANAGE),
    staff_page(
        "tokens/<uuid:staff_token>/revocation/",
        staff_tokens.token_revocation,
        name="staff-token-revocation",
        needs=Permission.STAFF_SPEND_MANAGE,
    ),
    staff_tenant_page(
        "success-manager/",
        staff.success_manager,
        name="staff-tenant-success-manager",
        needs=Permission.STAFF_SPEND_MANAGE,
        writes=True,
    ),
    staff_tenant_page("", staff.tenant, name="staff-tenant", needs=Permission.STAFF_TENANTS),
]
