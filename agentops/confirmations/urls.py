from django.urls import path

from agentops.confirmations.api import ConfirmationView, PresentationsView
from agentops.confirmations.views import presented
from tenants.access import open_page

_API = "api/v1/confirmations/<uuid:confirmation>"

urlpatterns = [
    path(_API, ConfirmationView.as_view(), name="api-confirmation"),
    path(f"{_API}/presentations", PresentationsView.as_view(), name="api-presentations"),
    open_page("presented/<slug:link>/", presented.presentation, name="presentation"),
]
