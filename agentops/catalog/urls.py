from django.urls import path

from agentops.catalog import api

urlpatterns = [
    path("api/v1/agents", api.AgentsView.as_view(), name="api-agents"),
    path("api/v1/agents/<str:agent_name>", api.AgentView.as_view(), name="api-agent"),
    path("api/v1/contacts/<str:contact_set>", api.ContactsView.as_view(), name="api-contacts"),
]
