"""Eval sets, suites and replays."""

from django.urls import URLPattern, path

from evals.api import suites as api

urlpatterns: list[URLPattern] = [
    path("api/v1/suite-runs", api.SuiteRunsView.as_view(), name="api-suite-runs"),
    path("api/v1/suite-runs/<uuid:suite_run>", api.SuiteRunView.as_view(), name="api-suite-run"),
    path("api/v1/suite-runs/<uuid:suite_run>/claims", api.ClaimsView.as_view(), name="api-suite-claims"),
    path("api/v1/suite-runs/<uuid:suite_run>/results", api.ResultsView.as_view(), name="api-suite-results"),
    path("api/v1/runs/<str:run_id>/tape", api.TapeView.as_view(), name="api-tape"),
    path("api/v1/replays", api.ReplaysView.as_view(), name="api-replays"),
    path("api/v1/replays/<uuid:replay>", api.ReplayView.as_view(), name="api-replay"),
    path("api/v1/replays/<uuid:replay>/result", api.ReplayResultView.as_view(), name="api-replay-result"),
]
