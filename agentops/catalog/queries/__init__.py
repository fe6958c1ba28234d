"""Reads of the catalog: the guard's (raw SQL, cached), and those of pages and the API."""

from agentops.catalog.cache import is_writing
from agentops.catalog.places import Place, is_place, places
from agentops.catalog.queries.agents import agent, agents, is_registered, tenants_with_agent
from agentops.catalog.queries.approvers import approver_book, approvers, require_known
from agentops.catalog.queries.contacts import contact_set, contact_sets, contacts
from agentops.catalog.queries.effects import Effects, effects
from agentops.catalog.queries.granted import current_policy
from agentops.catalog.queries.policy import forget, policy
from agentops.catalog.queries.tools import tool_version, tool_versions, tools_waiting

__all__ = [
    "Effects",
    "Place",
    "agent",
    "agents",
    "approver_book",
    "approvers",
    "contact_set",
    "contact_sets",
    "contacts",
    "current_policy",
    "effects",
    "forget",
    "is_place",
    "is_registered",
    "is_writing",
    "places",
    "policy",
    "require_known",
    "tenants_with_agent",
    "tool_version",
    "tool_versions",
    "tools_waiting",
]
