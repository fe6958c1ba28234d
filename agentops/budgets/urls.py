"""Pages of money."""

from agentops.budgets import views
from tenants.access import tenant_page
from tenants.roles import Permission

urlpatterns = [
    tenant_page("prices/", views.prices, name="prices", needs=Permission.SETTINGS_READ),
    tenant_page("prices/new/", views.price_new, name="price-new", needs=Permission.SETTINGS_MANAGE),
    tenant_page(
        "prices/<uuid:price>/removal/", views.price_removal, name="price-removal", needs=Permission.SETTINGS_MANAGE
    ),
]
