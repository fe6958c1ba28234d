"""Every URL of the product. People's pages stand behind a door of tenants/access.py; machines bring a key."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from agentops.portal import health
from tenants.access import open_page

urlpatterns = [
    # Patterns are tried in their order: first those that are asked for hundreds of times a second.
    path("", include("agentops.runtime.urls")),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("", include("agentops.portal.urls")),
    path("", include("tenants.urls")),
    path("", include("agentops.outbox.urls")),
    path("", include("agentops.budgets.urls")),
    path("", include("agentops.catalog.urls")),
    path("", include("agentops.traces.urls")),
    path("", include("agentops.confirmations.urls")),
    path("", include("audit.urls")),
    path("", include("evals.urls")),
    path("", include("incidents.urls")),
    path("accounts/", include("tenants.sign_in_urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    open_page(
        "api/v1/docs/",
        SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="api_docs.html"),
        name="api-docs",
    ),
]
