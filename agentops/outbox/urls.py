"""What was sent to whom, for those who look after the organisation."""

from django.urls import URLPattern

from agentops.outbox import views
from tenants.access import tenant_page
from tenants.roles import Permission

_ONE = "deliveries/<uuid:message>"

urlpatterns: list[URLPattern] = [
    tenant_page("deliveries/", views.deliveries, name="deliveries", needs=Permission.SETTINGS_READ),
    tenant_page(f"{_ONE}/", views.delivery, name="delivery", needs=Permission.SETTINGS_READ),
    tenant_page(f"{_ONE}/repetition/", views.repetition, name="delivery-repetition", needs=Permission.SETTINGS_MANAGE),
    tenant_page(f"{_ONE}/secret/", views.secret, name="delivery-secret", needs=Permission.SETTINGS_MANAGE),
]
