"""Eval sets, suites and replays."""

from typing import Any

from django.urls import URLPattern, path

from evals.api import suites as api
from evals.views import replays, sets, suites
from tenants.access import staff_tenant_page, tenant_page
from tenants.roles import Permission

_READ, _MANAGE = Permission.QUALITY_READ, Permission.QUALITY_MANAGE
_STAFF, _STAFF_MANAGE = Permission.STAFF_QUALITY, Permission.STAFF_QUALITY_MANAGE
_SET = "eval-sets/<str:eval_set>/"
_CASE = f"{_SET}cases/<str:case_key>/"
_SUITE = "suite-runs/<uuid:suite_run>/"
# What is looked at, and what changes something: (route, view, name).
_PAGES: list[tuple[str, Any, str]] = [
    (f"{_CASE}difference/", sets.case_difference, "eval-case-difference"),
    (f"{_SUITE}<uuid:case_run>/", suites.suite_case, "suite-case"),
    ("replays/<uuid:replay>/", replays.replay, "replay"),
]
_CHANGES: list[tuple[str, Any, str]] = [
    ("eval-cases/new/", sets.eval_case_new, "eval-case-new"),
    (f"{_CASE}removal/", sets.eval_case_removal, "eval-case-removal"),
    ("suite-endpoints/", suites.suite_endpoints, "suite-endpoints"),
    ("runs/<slug:run_id>/replays/", replays.replay_new, "replay-new"),
]
# Pages that everybody reads and some change: the view asks who may.
_BOTH: list[tuple[str, Any, str]] = [
    ("eval-sets/", sets.eval_sets, "eval-sets"),
    (_SET, sets.eval_set, "eval-set"),
    (_CASE, sets.eval_case, "eval-case"),
    ("suite-runs/", suites.suite_runs, "suite-runs"),
    (_SUITE, suites.suite_run, "suite-run"),
]

urlpatterns: list[URLPattern] = [
    *(tenant_page(route, view, name=name, needs=_READ) for route, view, name in [*_PAGES, *_BOTH]),
    *(tenant_page(route, view, name=name, needs=_MANAGE) for route, view, name in _CHANGES),
    *(staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=_STAFF) for route, view, name in _PAGES),
    *(
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=_STAFF, writes=True)
        for route, view, name in _BOTH
    ),
    *(
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=_STAFF_MANAGE, writes=True)
        for route, view, name in _CHANGES
    ),
    path("api/v1/suite-runs", api.SuiteRunsView.as_view(), name="api-suite-runs"),
    path("api/v1/suite-runs/<uuid:suite_run>", api.SuiteRunView.as_view(), name="api-suite-run"),
    path("api/v1/suite-runs/<uuid:suite_run>/claims", api.ClaimsView.as_view(), name="api-suite-claims"),
    path("api/v1/suite-runs/<uuid:suite_run>/results", api.ResultsView.as_view(), name="api-suite-results"),
    path("api/v1/runs/<str:run_id>/tape", api.TapeView.as_view(), name="api-tape"),
    path("api/v1/replays", api.ReplaysView.as_view(), name="api-replays"),
    path("api/v1/replays/<uuid:replay>", api.ReplayView.as_view(), name="api-replay"),
    path("api/v1/replays/<uuid:replay>/result", api.ReplayResultView.as_view(), name="api-replay-result"),
]
