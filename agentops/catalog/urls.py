"""Agents and tools: pages for an organisation's people and for staff; the API for machines."""

from django.urls import path

from agentops.catalog import api
from agentops.catalog.views import agents, staff, tools
from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_AGENT = "agents/<str:agent>/"
_VERSION = f"{_AGENT}versions/<str:version>/"
_APPROVAL, _GRANT = f"{_VERSION}approval/", f"{_VERSION}grants/<path:grant>"  # a tool's name may hold a slash
_TOOL = "tools/<uuid:tool_version>/"

urlpatterns = [
    tenant_page("agents/", agents.agents, name="agents", needs=Permission.AGENTS_READ),
    tenant_page(_AGENT, agents.agent, name="agent", needs=Permission.AGENTS_READ),
    tenant_page(_APPROVAL, agents.agent_approval, name="agent-approval", needs=Permission.TOOLS_REVIEW),
    tenant_page(_GRANT, agents.agent_grant, name="agent-grant", needs=Permission.TOOLS_REVIEW),
    tenant_page("tools/", tools.tools, name="tools", needs=Permission.AGENTS_READ),
    tenant_page("tools/audit/", tools.tools_audit, name="tools-audit", needs=Permission.AGENTS_READ),
    tenant_page(_TOOL, tools.tool, name="tool", needs=Permission.AGENTS_READ),
    tenant_page(f"{_TOOL}review/", tools.tool_review, name="tool-review", needs=Permission.TOOLS_REVIEW),
    tenant_page(f"{_TOOL}audit/", tools.tool_audit, name="tool-audit", needs=Permission.TOOLS_REVIEW),
    staff_page("tools/", staff.tools, name="staff-tools", needs=Permission.STAFF_TOOLS, across_tenants=True),
    staff_page(
        "tools/audit/", staff.tools_audit, name="staff-tools-audit", needs=Permission.STAFF_TOOLS, across_tenants=True
    ),
    staff_tenant_page("agents/", agents.agents, name="staff-tenant-agents", needs=Permission.STAFF_TOOLS),
    staff_tenant_page(_AGENT, agents.agent, name="staff-tenant-agent", needs=Permission.STAFF_TOOLS),
    staff_tenant_page(
        _APPROVAL,
        agents.agent_approval,
        name="staff-tenant-agent-approval",
        needs=Permission.STAFF_TOOLS_REVIEW,
        writes=True,
    ),
    staff_tenant_page(
        _GRANT,
        agents.agent_grant,
        name="staff-tenant-agent-grant",
        needs=Permission.STAFF_TOOLS_REVIEW,
        writes=True,
    ),
    staff_tenant_page("tools/", tools.tools, name="staff-tenant-tools", needs=Permission.STAFF_TOOLS),
    staff_tenant_page("tools/audit/", tools.tools_audit, name="staff-tenant-tools-audit", needs=Permission.STAFF_TOOLS),
    staff_tenant_page(_TOOL, tools.tool, name="staff-tenant-tool", needs=Permission.STAFF_TOOLS),
    staff_tenant_page(
        f"{_TOOL}review/",
        tools.tool_review,
        name="staff-tenant-tool-review",
        needs=Permission.STAFF_TOOLS_REVIEW,
        writes=True,
    ),
    staff_tenant_page(
        f"{_TOOL}audit/",
        tools.tool_audit,
        name="staff-tenant-tool-audit",
        needs=Permission.STAFF_TOOLS_REVIEW,
        writes=True,
    ),
    path("api/v1/agents", api.AgentsView.as_view(), name="api-agents"),
    path("api/v1/agents/<str:agent_name>", api.AgentView.as_view(), name="api-agent"),
    path("api/v1/contacts/<str:contact_set>", api.ContactsView.as_view(), name="api-contacts"),
]
