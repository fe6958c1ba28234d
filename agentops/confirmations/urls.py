from django.urls import path

from agentops.confirmations.api import ConfirmationView

urlpatterns = [
    path("api/v1/confirmations/<uuid:confirmation>", ConfirmationView.as_view(), name="api-confirmation"),
]
