"""Money, for people and for machines."""

from django.urls import path

from agentops.budgets import api, staff_api
from agentops.budgets.views import budgets, own, prices, product, repricing, spend, staff
from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

READ, MANAGE = Permission.BUDGETS_READ, Permission.BUDGETS_MANAGE
STAFF_READ, STAFF_MANAGE = Permission.STAFF_SPEND, Permission.STAFF_SPEND_MANAGE

urlpatterns = [
    tenant_page("budgets/", spend.spend, name="budgets", needs=READ),
    tenant_page("budgets/spend.csv", spend.spend_csv, name="spend-csv", needs=READ),
    tenant_page("budgets/limits/", budgets.budgets, name="budget-limits", needs=READ),
    tenant_page("budgets/limits/new/", budgets.budget_new, name="budget-new", needs=MANAGE),
    tenant_page("budgets/limits/<uuid:budget_id>/", budgets.budget_change, name="budget-change", needs=MANAGE),
    tenant_page(
        "budgets/limits/<uuid:budget_id>/removal/", budgets.budget_removal, name="budget-removal", needs=MANAGE
    ),
    tenant_page("budgets/notices/", budgets.notices, name="budget-notices", needs=READ),
    tenant_page("usage/", own.own_usage, name="usage-own", needs=Permission.OWN_USAGE),
    tenant_page("prices/", prices.prices, name="prices", needs=Permission.SETTINGS_READ),
    tenant_page("prices/new/", prices.price_new, name="price-new", needs=Permission.SETTINGS_MANAGE),
    tenant_page("prices/<uuid:price>/end/", prices.price_end, name="price-end", needs=Permission.SETTINGS_MANAGE),
    tenant_page(
        "prices/<uuid:price>/removal/", prices.price_removal, name="price-removal", needs=Permission.SETTINGS_MANAGE
    ),
    tenant_page("prices/discounts/new/", prices.discount_new, name="discount-new", needs=Permission.SETTINGS_MANAGE),
    tenant_page(
        "prices/discounts/<uuid:discount>/end/",
        prices.discount_end,
        name="discount-end",
        needs=Permission.SETTINGS_MANAGE,
    ),
    tenant_page(
        "prices/discounts/<uuid:discount>/removal/",
        prices.discount_removal,
        name="discount-removal",
        needs=Permission.SETTINGS_MANAGE,
    ),
    tenant_page("prices/anew/", repricing.repricings, name="repricings", needs=Permission.BUDGETS_READ),
    tenant_page("prices/anew/<uuid:repricing>/", repricing.repricing, name="repricing", needs=Permission.BUDGETS_READ),
    tenant_page(
        "prices/anew/<uuid:repricing>/stop/",
        repricing.repricing_stop,
        name="repricing-stop",
        needs=Permission.BUDGETS_MANAGE,
    ),
    path("api/v1/budgets", api.BudgetsView.as_view(), name="api-budgets"),
    path("api/v1/budgets/<uuid:budget_id>", api.BudgetView.as_view(), name="api-budget"),
    path("api/v1/usage", api.UsageView.as_view(), name="api-usage"),
    staff_page("spend/", staff.spend, name="staff-spend", needs=STAFF_READ, across_tenants=True),
    staff_page("spend/agents/", staff.agents, name="staff-spend-agents", needs=STAFF_READ, across_tenants=True),
    staff_page("spend/revenue/", staff.revenue, name="staff-spend-revenue", needs=STAFF_READ, across_tenants=True),
    staff_page("spend/revenue/new/", product.revenue_new, name="staff-revenue-new", needs=STAFF_MANAGE),
    staff_page("spend/plan/", product.week_plan, name="staff-spend-plan", needs=STAFF_READ),
    staff_page("spend/findings/", staff.findings, name="staff-spend-findings", needs=STAFF_READ, across_tenants=True),
    staff_page("spend/spend.csv", staff.file, name="staff-spend-file", needs=STAFF_READ, across_tenants=True),
    staff_tenant_page("spend/", staff.tenant_spend, name="staff-tenant-spend", needs=STAFF_READ),
    path("api/v1/revenue", staff_api.RevenueView.as_view(), name="api-revenue"),
]
