"""Runs and the health of ingest for people; ingest and reading for machines."""

from django.urls import path

from agentops.traces import api
from agentops.traces.views import ingest, run, runs, searches, staff
from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_RUN = "runs/<slug:run_id>"

urlpatterns = [
    tenant_page("runs/", runs.runs, name="runs", needs=Permission.RUNS_READ),
    tenant_page("runs/count/", runs.run_count, name="run-count", needs=Permission.RUNS_READ),
    tenant_page(f"{_RUN}/", run.run, name="run", needs=Permission.RUNS_READ),
    tenant_page(f"{_RUN}/children/", run.run_children, name="run-children", needs=Permission.RUNS_READ),
    tenant_page(f"{_RUN}/spans/<slug:span_id>/", run.span, name="span", needs=Permission.RUNS_READ),
    tenant_page("searches/", searches.saved_searches, name="saved-searches", needs=Permission.SEARCHES_SAVE),
    tenant_page(
        "searches/<uuid:search_id>/", searches.saved_search, name="saved-search", needs=Permission.SEARCHES_SAVE
    ),
    tenant_page("ingest/", ingest.ingest_health, name="ingest-health", needs=Permission.INGEST_READ),
    tenant_page("ingest/dead-letters/", ingest.dead_letters, name="dead-letters", needs=Permission.INGEST_REPLAY),
    staff_page("runs/", staff.runs, name="staff-runs", needs=Permission.STAFF_RUNS, across_tenants=True),
    staff_page("ingest/", staff.ingest, name="staff-ingest", needs=Permission.STAFF_INGEST, across_tenants=True),
    staff_tenant_page("runs/", runs.runs, name="staff-tenant-runs", needs=Permission.STAFF_RUNS),
    staff_tenant_page("runs/count/", runs.run_count, name="staff-tenant-run-count", needs=Permission.STAFF_RUNS),
    staff_tenant_page(f"{_RUN}/", run.run, name="staff-tenant-run", needs=Permission.STAFF_RUNS),
    staff_tenant_page(
        f"{_RUN}/children/", run.run_children, name="staff-tenant-run-children", needs=Permission.STAFF_RUNS
    ),
    staff_tenant_page(f"{_RUN}/spans/<slug:span_id>/", run.span, name="staff-tenant-span", needs=Permission.STAFF_RUNS),
    staff_tenant_page("ingest/", ingest.ingest_health, name="staff-tenant-ingest", needs=Permission.STAFF_INGEST),
    path("v1/traces", api.TracesView.as_view(), name="otlp-traces"),
    path("v1/logs", api.LogsView.as_view(), name="otlp-logs"),
    path("v1/metrics", api.MetricsView.as_view(), name="otlp-metrics"),
    path("api/v1/traces", api.NativeTracesView.as_view(), name="api-traces"),
    path("api/v1/runs", api.RunsView.as_view(), name="api-runs"),
    path("api/v1/runs/<str:run_id>", api.RunView.as_view(), name="api-run"),
    path("api/v1/runs/<str:run_id>/spans", api.SpansView.as_view(), name="api-spans"),
]
