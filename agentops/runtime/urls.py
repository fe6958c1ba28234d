from django.urls import path

from agentops.runtime.api import decisions, guard, switches

_RUN = "api/v1/guard/runs/<str:run_id>"

urlpatterns = [
    path("api/v1/guard/runs", guard.RunsView.as_view(), name="api-guard-runs"),
    path(f"{_RUN}/model-calls", guard.ModelCallsView.as_view(), name="api-guard-model-calls"),
    path(f"{_RUN}/model-calls/<str:call_id>/settlement", guard.SettlementView.as_view(), name="api-guard-settlement"),
    path(f"{_RUN}/tool-calls", guard.ToolCallsView.as_view(), name="api-guard-tool-calls"),
    path(f"{_RUN}/tool-calls/<str:call_id>/redemption", guard.RedemptionView.as_view(), name="api-guard-redemption"),
    path(f"{_RUN}/tool-calls/<str:call_id>/result", guard.ResultView.as_view(), name="api-guard-result"),
    path(f"{_RUN}/finish", guard.FinishView.as_view(), name="api-guard-finish"),
    path("api/v1/permits/<str:jti>/consumption", guard.ConsumptionView.as_view(), name="api-permit-consumption"),
    path("api/v1/kill-switches", switches.KillSwitchesView.as_view(), name="api-kill-switches"),
    path("api/v1/kill-switches/<uuid:switch_id>", switches.KillSwitchView.as_view(), name="api-kill-switch"),
    path("api/v1/kill-switches/<uuid:switch_id>/lift", switches.LiftView.as_view(), name="api-kill-switch-lift"),
    path("api/v1/decisions", decisions.DecisionsView.as_view(), name="api-decisions"),
    path(".well-known/jwks.json", guard.key_set, name="jwks"),
]
