"""Gates before agent versions."""

from django.urls import URLPattern, path

from evals.api import gates as api

urlpatterns: list[URLPattern] = [
    path("api/v1/gates", api.GatesView.as_view(), name="api-gates"),
    path("api/v1/gates/<str:agent_name>", api.GateOfAgentView.as_view(), name="api-gate-of-agent"),
    path(
        "api/v1/gates/<str:agent_name>/<str:agent_version>",
        api.GateOfVersionView.as_view(),
        name="api-gate-of-version",
    ),
]
