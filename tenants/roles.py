"""Who may do what: one enum of permissions, one table of roles. Adding a power is a change of two lines."""

from __future__ import annotations

import enum

from django.db import models


class Permission(enum.StrEnum):
    """A power inside one tenant (or, for staff, over the product)."""

    HOME = "home"
    RUNS_READ = "runs.read"
    SEARCHES_SAVE = "searches.save"
    INGEST_READ = "ingest.read"
    INGEST_REPLAY = "ingest.replay"
    MEMBERS_READ = "members.read"
    MEMBERS_MANAGE = "members.manage"
    KEYS_READ = "keys.read"
    KEYS_MANAGE = "keys.manage"
    SETTINGS_READ = "settings.read"
    SETTINGS_MANAGE = "settings.manage"
    AGENTS_READ = "agents.read"
    AGENTS_MANAGE = "agents.manage"
    TOOLS_REVIEW = "tools.review"
    BUDGETS_READ = "budgets.read"
    BUDGETS_MANAGE = "budgets.manage"
    KILL_SWITCH = "kill_switch"
    QUALITY_READ = "quality.read"
    QUALITY_LABEL = "quality.label"
    QUALITY_MANAGE = "quality.manage"
    OWN_USAGE = "usage.own"
    CONFIRM = "confirmations.decide"
    CONFIRMATIONS_READ = "confirmations.read"
    CONFIRMATIONS_MANAGE = "confirmations.manage"
    AUDIT_READ = "audit.read"
    AUDIT_EXPORT = "audit.export"
    AUDIT_MANAGE = "audit.manage"
    STAFF_HOME = "staff.home"
    STAFF_TENANTS = "staff.tenants"
    STAFF_RUNS = "staff.runs"
    STAFF_INGEST = "staff.ingest"
    STAFF_TOOLS = "staff.tools"
    STAFF_TOOLS_REVIEW = "staff.tools.review"
    STAFF_AUDIT = "staff.audit"
    STAFF_SPEND = "staff.spend"
    STAFF_SPEND_MANAGE = "staff.spend.manage"
    STAFF_QUALITY = "staff.quality"
    STAFF_QUALITY_LABEL = "staff.quality.label"
    STAFF_QUALITY_MANAGE = "staff.quality.manage"
    STAFF_KILL_READ = "staff.kill.read"
    STAFF_KILL = "staff.kill"
    STAFF_INCIDENTS = "staff.incidents"
    STAFF_RESPOND = "staff.respond"
    STAFF_COMMAND = "staff.command"
    STAFF_COMMUNICATE = "staff.communicate"
    STAFF_ON_CALL_MANAGE = "staff.on_call.manage"


class Role(models.TextChoices):
    """A person's place in a tenant."""

    OWNER = "owner", "Owner"
    ADMIN = "admin", "Admin"
    AUDITOR = "auditor", "Auditor"
    APPROVER = "approver", "Approver"
    END_USER = "end_user", "End user"


ROLE_SENTENCES: dict[Role, str] = {
    Role.OWNER: "Everything an admin may, and makes other owners.",
    Role.ADMIN: "Runs, keys, members, budgets and settings of this organisation.",
    Role.AUDITOR: "Reads everything, changes nothing.",
    Role.APPROVER: "Confirms sensitive actions of agents; sees what waits for them.",
    Role.END_USER: "Confirms their own agents' actions and sees their own usage.",
}

_READS = {
    Permission.HOME,
    Permission.RUNS_READ,
    Permission.SEARCHES_SAVE,
    Permission.INGEST_READ,
    Permission.MEMBERS_READ,
    Permission.KEYS_READ,
    Permission.SETTINGS_READ,
    Permission.AGENTS_READ,
    Permission.BUDGETS_READ,
    Permission.CONFIRMATIONS_READ,
    Permission.AUDIT_READ,
    Permission.AUDIT_EXPORT,
    Permission.QUALITY_READ,
}
_MANAGES = {
    Permission.MEMBERS_MANAGE,
    Permission.KEYS_MANAGE,
    Permission.SETTINGS_MANAGE,
    Permission.INGEST_REPLAY,
    Permission.AGENTS_MANAGE,
    Permission.TOOLS_REVIEW,
    Permission.BUDGETS_MANAGE,
    Permission.KILL_SWITCH,
    Permission.CONFIRM,
    Permission.CONFIRMATIONS_MANAGE,
    Permission.AUDIT_MANAGE,
    Permission.QUALITY_LABEL,
    Permission.QUALITY_MANAGE,
}

ROLE_PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(_READS | _MANAGES),
    Role.ADMIN: frozenset(_READS | _MANAGES),
    Role.AUDITOR: frozenset(_READS),
    Role.APPROVER: frozenset({Permission.HOME, Permission.OWN_USAGE, Permission.CONFIRM}),
    Role.END_USER: frozenset({Permission.HOME, Permission.OWN_USAGE, Permission.CONFIRM}),
}


# Whose agreement counts where two people must agree.
APPROVER_ROLES = frozenset({Role.OWNER, Role.ADMIN, Role.APPROVER})


class StaffRole(models.TextChoices):
    """A role of our own people, over all tenants."""

    ON_CALL = "on_call", "On-call"
    EVAL_OWNER = "eval_owner", "Eval owner"
    COST_OWNER = "cost_owner", "Cost owner"
    QUALITY_OWNER = "quality_owner", "Quality owner"
    INCIDENT_COMMANDER = "incident_commander", "Incident commander"
    TOOL_REVIEWER = "tool_reviewer", "Tool reviewer"
    SUCCESS_MANAGER = "success_manager", "Success manager"


# Everybody of ours may see what is going on, and what was learnt from it.
_STAFF_ALL = {Permission.STAFF_HOME, Permission.STAFF_TENANTS, Permission.STAFF_INCIDENTS}
_STAFF_TRACES = _STAFF_ALL | {
    Permission.STAFF_RUNS,
    Permission.STAFF_INGEST,
    Permission.STAFF_TOOLS,
    Permission.STAFF_AUDIT,
    Permission.STAFF_SPEND,
    Permission.STAFF_QUALITY,
    Permission.STAFF_KILL_READ,
}
_STAFF_LABELS = _STAFF_TRACES | {Permission.STAFF_QUALITY_LABEL, Permission.STAFF_RESPOND}
_STAFF_JUDGES = _STAFF_LABELS | {Permission.STAFF_QUALITY_MANAGE}
_STAFF_ON_CALL = _STAFF_LABELS | {Permission.STAFF_KILL, Permission.STAFF_ON_CALL_MANAGE}

STAFF_PERMISSIONS: dict[StaffRole, frozenset[Permission]] = {
    StaffRole.ON_CALL: frozenset(_STAFF_ON_CALL),
    StaffRole.EVAL_OWNER: frozenset(_STAFF_JUDGES),
    StaffRole.COST_OWNER: frozenset(_STAFF_TRACES | {Permission.STAFF_SPEND_MANAGE, Permission.STAFF_RESPOND}),
    StaffRole.QUALITY_OWNER: frozenset(_STAFF_JUDGES),
    StaffRole.INCIDENT_COMMANDER: frozenset(_STAFF_ON_CALL | {Permission.STAFF_COMMAND, Permission.STAFF_COMMUNICATE}),
    StaffRole.TOOL_REVIEWER: frozenset(_STAFF_TRACES | {Permission.STAFF_TOOLS_REVIEW}),
    StaffRole.SUCCESS_MANAGER: frozenset(_STAFF_ALL | {Permission.STAFF_SPEND, Permission.STAFF_COMMUNICATE}),
}


# What staff may do inside a tenant's pages, whatever their roles: look.
STAFF_READS = frozenset(
    {
        Permission.RUNS_READ,
        Permission.INGEST_READ,
        Permission.AGENTS_READ,
        Permission.AUDIT_READ,
        Permission.QUALITY_READ,
    }
)


class KeyScope(models.TextChoices):
    """What an API key may do."""

    INGEST = "ingest", "Send traces, logs and outcomes"
    GUARD = "guard", "Ask the guard before acting"
    PRESENT = "present", "Open confirmations for signed-in end users"
    FEEDBACK = "feedback", "Send feedback"
    EVALS = "evals", "Run eval suites and replays"
    READ = "read", "Read runs, usage and the audit log"
    ADMIN = "admin", "Change agents, budgets and kill switches"


class StaffScope(models.TextChoices):
    """What a token of our own machines may do, over all organisations."""

    REVENUE = "revenue", "Book what organisations paid"


class Plan(models.TextChoices):
    FREE = "free", "Free"
    PRO = "pro", "Pro"
    ENTERPRISE = "enterprise", "Enterprise"


PLAN_RETENTION_DAYS: dict[str, int] = {Plan.FREE: 14, Plan.PRO: 90, Plan.ENTERPRISE: 400}
PLAN_AUDIT_DAYS: dict[str, int] = {Plan.FREE: 184, Plan.PRO: 396, Plan.ENTERPRISE: 7 * 366}
