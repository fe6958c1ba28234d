"""Money over all organisations: pages of our own people, and the interface of our own machines."""

from django.urls import path

from agentops.budgets import staff_api
from agentops.budgets.views import product, staff
from tenants.access import staff_page, staff_tenant_page
from tenants.roles import Permission

READ, MANAGE = Permission.STAFF_SPEND, Permission.STAFF_SPEND_MANAGE

urlpatterns = [
    staff_page("spend/", staff.spend, name="staff-spend", needs=READ, across_tenants=True),
    staff_page("spend/agents/", staff.agents, name="staff-spend-agents", needs=READ, across_tenants=True),
    staff_page("spend/revenue/", staff.revenue, name="staff-spend-revenue", needs=READ, across_tenants=True),
    staff_page("spend/revenue/new/", product.revenue_new, name="staff-revenue-new", needs=MANAGE),
    staff_page("spend/plan/", product.week_plan, name="staff-spend-plan", needs=READ),
    staff_page("spend/findings/", staff.findings, name="staff-spend-findings", needs=READ, across_tenants=True),
    staff_page("spend/spend.csv", staff.file, name="staff-spend-file", needs=READ, across_tenants=True),
    staff_tenant_page("spend/", staff.tenant_spend, name="staff-tenant-spend", needs=READ),
    path("api/v1/revenue", staff_api.RevenueView.as_view(), name="api-revenue"),
]
