"""Tools of all organisations, for our own reviewers. One opens per organisation, and is recorded there."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET

from agentops.catalog import queries
from agentops.catalog.types import ToolVersionSummary
from agentops.catalog.views.tools import ToolLine, audited
from agentops.common import clock
from tenants import queries as tenants
from tenants.access import StaffRequest
from tenants.roles import Permission
from tenants.types import Tenant


@dataclass(frozen=True, slots=True)
class Waiting:
    """A definition that waits, and whose it is."""

    tool: ToolVersionSummary
    tenant: Tenant


@dataclass(frozen=True, slots=True)
class Audit:
    """One organisation's part of the quarterly audit."""

    tenant: Tenant
    lines: list[ToolLine]

    @property
    def due(self) -> int:
        return sum(line.is_due for line in self.lines)


@require_GET
def tools(request: StaffRequest) -> HttpResponse:
    """What waits for a reviewer, the longest-waiting first."""
    organisations = {tenant.id: tenant for tenant in tenants.active_tenants()}
    waiting = [
        Waiting(each, organisations[each.tenant_id])
        for each in queries.tools_waiting(tenant=None)
        if each.tenant_id in organisations
    ]
    context = {"waiting": waiting, "may_review": request.staff.may(Permission.STAFF_TOOLS_REVIEW)}
    return TemplateResponse(request, "catalog/staff_tools.html", context)


@require_GET
def tools_audit(request: StaffRequest) -> HttpResponse:
    """Every approved definition that an agent may call, by organisation: last review, last use."""
    now = clock.now()
    audits = [Audit(tenant, audited(tenant.id, now)) for tenant in tenants.active_tenants()]
    context = {
        "audits": [audit for audit in audits if audit.lines],
        "may_review": request.staff.may(Permission.STAFF_TOOLS_REVIEW),
    }
    return TemplateResponse(request, "catalog/staff_tools_audit.html", context)
