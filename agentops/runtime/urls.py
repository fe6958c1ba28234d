from django.urls import path

from agentops.runtime.api import decisions, guard, switches
from agentops.runtime.views import answers as answer_pages
from agentops.runtime.views import caps as caps_pages
from agentops.runtime.views import decisions as decision_pages
from agentops.runtime.views import staff as staff_pages
from agentops.runtime.views import switches as switch_pages
from tenants.access import staff_page, staff_tenant_page, tenant_page
from tenants.roles import Permission

_RUN = "api/v1/guard/runs/<str:run_id>"

_SWITCHES = "kill-switches/"
_LIFT = f"{_SWITCHES}<uuid:switch>/lift/"

urlpatterns = [
    path("api/v1/guard/runs", guard.RunsView.as_view(), name="api-guard-runs"),
    path(f"{_RUN}/model-calls", guard.ModelCallsView.as_view(), name="api-guard-model-calls"),
    path(f"{_RUN}/model-calls/<path:call_id>/settlement", guard.SettlementView.as_view(), name="api-guard-settlement"),
    path(f"{_RUN}/tool-calls", guard.ToolCallsView.as_view(), name="api-guard-tool-calls"),
    path(f"{_RUN}/tool-calls/<path:call_id>/redemption", guard.RedemptionView.as_view(), name="api-guard-redemption"),
    path(f"{_RUN}/tool-calls/<path:call_id>/result", guard.ResultView.as_view(), name="api-guard-result"),
    path(f"{_RUN}/finish", guard.FinishView.as_view(), name="api-guard-finish"),
    path("api/v1/permits/<str:jti>/consumption", guard.ConsumptionView.as_view(), name="api-permit-consumption"),
    path("api/v1/kill-switches", switches.KillSwitchesView.as_view(), name="api-kill-switches"),
    path("api/v1/kill-switches/<uuid:switch_id>", switches.KillSwitchView.as_view(), name="api-kill-switch"),
    path("api/v1/kill-switches/<uuid:switch_id>/lift", switches.LiftView.as_view(), name="api-kill-switch-lift"),
    path("api/v1/decisions", decisions.DecisionsView.as_view(), name="api-decisions"),
    path(".well-known/jwks.json", guard.key_set, name="jwks"),
    tenant_page(_SWITCHES, switch_pages.kill_switches, name="kill-switches", needs=Permission.AGENTS_READ),
    tenant_page(f"{_SWITCHES}new/", switch_pages.kill_switch_new, name="kill-switch-new", needs=Permission.KILL_SWITCH),
    tenant_page(_LIFT, switch_pages.kill_switch_lift, name="kill-switch-lift", needs=Permission.KILL_SWITCH),
    tenant_page("decisions/", decision_pages.decisions, name="decisions", needs=Permission.RUNS_READ),
    tenant_page("decisions/<str:decision>/", decision_pages.decision, name="decision", needs=Permission.RUNS_READ),
    tenant_page("caps/", caps_pages.caps, name="caps", needs=Permission.AGENTS_READ),
    tenant_page("stored-answers/", answer_pages.stored_answers, name="stored-answers", needs=Permission.AGENTS_READ),
    tenant_page(
        "stored-answers/removal/",
        answer_pages.stored_answers_removal,
        name="stored-answers-removal",
        needs=Permission.AGENTS_MANAGE,
    ),
    tenant_page("caps/changes/", caps_pages.caps_change, name="caps-change", needs=Permission.AGENTS_MANAGE),
    staff_page(
        _SWITCHES,
        staff_pages.kill_switches,
        name="staff-kill-switches",
        needs=Permission.STAFF_KILL_READ,
        across_tenants=True,
    ),
    staff_page(
        f"{_SWITCHES}new/",
        staff_pages.product_switch_new,
        name="staff-kill-switch-new",
        needs=Permission.STAFF_KILL,
    ),
    staff_page(
        f"{_SWITCHES}<uuid:product_switch>/lift/",
        staff_pages.product_switch_lift,
        name="staff-kill-switch-lift",
        needs=Permission.STAFF_KILL,
    ),
    staff_tenant_page(
        _SWITCHES, switch_pages.kill_switches, name="staff-tenant-kill-switches", needs=Permission.STAFF_KILL_READ
    ),
    staff_tenant_page(
        f"{_SWITCHES}new/",
        switch_pages.kill_switch_new,
        name="staff-tenant-kill-switch-new",
        needs=Permission.STAFF_KILL,
        writes=True,
    ),
    staff_tenant_page(
        _LIFT,
        switch_pages.kill_switch_lift,
        name="staff-tenant-kill-switch-lift",
        needs=Permission.STAFF_KILL,
        writes=True,
    ),
    staff_tenant_page(
        "decisions/", decision_pages.decisions, name="staff-tenant-decisions", needs=Permission.STAFF_RUNS
    ),
    staff_tenant_page(
        "decisions/<str:decision>/",
        decision_pages.decision,
        name="staff-tenant-decision",
        needs=Permission.STAFF_RUNS,
    ),
]
