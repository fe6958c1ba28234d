"""Rubrics, judges, calibration, and what was judged."""

from django.urls import URLPattern

from evals.views import judging, judging_changes
from tenants.access import View, staff_tenant_page, tenant_page
from tenants.roles import Permission

_READS: list[tuple[str, View, str]] = [
    ("quality/judges/", judging.judges, "judges"),
    ("quality/judges/<uuid:judge_id>/", judging.judge, "judge"),
    ("quality/rubrics/<uuid:rubric_id>/", judging.rubric, "rubric"),
    ("quality/judgements/", judging.judgements, "judgements"),
]
_CHANGES: list[tuple[str, View, str]] = [
    ("quality/rubrics/new/", judging_changes.rubric_new, "rubric-new"),
    ("quality/judges/endpoints/new/", judging_changes.endpoint_new, "judge-endpoint-new"),
    ("quality/judges/new/", judging_changes.judge_new, "judge-new"),
    ("quality/judges/assignments/new/", judging_changes.assignment_new, "judge-assignment-new"),
    (
        "quality/judges/assignments/<uuid:assignment_id>/removal/",
        judging_changes.assignment_removal,
        "judge-assignment-removal",
    ),
    ("quality/judges/<uuid:judge_id>/pause/", judging_changes.judge_pause, "judge-pause"),
    ("quality/judges/<uuid:judge_id>/labelled/", judging_changes.judge_labelled, "judge-labelled"),
    ("quality/judges/checks/", judging_changes.check_rules, "check-rules"),
]

urlpatterns: list[URLPattern] = [
    *(tenant_page(route, view, name=name, needs=Permission.QUALITY_READ) for route, view, name in _READS),
    *(tenant_page(route, view, name=name, needs=Permission.QUALITY_MANAGE) for route, view, name in _CHANGES),
    *(
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=Permission.STAFF_QUALITY)
        for route, view, name in _READS
    ),
    *(
        staff_tenant_page(route, view, name=f"staff-tenant-{name}", needs=Permission.STAFF_QUALITY_MANAGE, writes=True)
        for route, view, name in _CHANGES
    ),
]
