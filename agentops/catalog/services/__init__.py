"""Writes of the catalog. Each change that a decision could depend on raises the agent's `policy_version` with it."""

from agentops.catalog.services.approvers import name_approver, unname_approver
from agentops.catalog.services.contacts import remove_contacts, set_contacts
from agentops.catalog.services.gates import record_gate, require_gate
from agentops.catalog.services.grants import restore_grant, revoke_grant
from agentops.catalog.services.manifests import apply_manifest
from agentops.catalog.services.policies import renew_policies
from agentops.catalog.services.reviews import keep_tool_version, review_tool_version
from agentops.catalog.services.versions import approve_agent_version, withdraw_approval

__all__ = [
    "apply_manifest",
    "approve_agent_version",
    "keep_tool_version",
    "name_approver",
    "record_gate",
    "remove_contacts",
    "renew_policies",
    "require_gate",
    "restore_grant",
    "review_tool_version",
    "revoke_grant",
    "set_contacts",
    "unname_approver",
    "withdraw_approval",
]
