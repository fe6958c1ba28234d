from django.urls import path

from agentops.runtime import api

_RUN = "api/v1/guard/runs/<str:run_id>"

urlpatterns = [
    path("api/v1/guard/runs", api.RunsView.as_view(), name="api-guard-runs"),
    path(f"{_RUN}/model-calls", api.ModelCallsView.as_view(), name="api-guard-model-calls"),
    path(f"{_RUN}/model-calls/<str:call_id>/settlement", api.SettlementView.as_view(), name="api-guard-settlement"),
    path(f"{_RUN}/tool-calls", api.ToolCallsView.as_view(), name="api-guard-tool-calls"),
    path(f"{_RUN}/tool-calls/<str:call_id>/redemption", api.RedemptionView.as_view(), name="api-guard-redemption"),
    path(f"{_RUN}/tool-calls/<str:call_id>/result", api.ResultView.as_view(), name="api-guard-result"),
    path(f"{_RUN}/finish", api.FinishView.as_view(), name="api-guard-finish"),
    path("api/v1/permits/<str:jti>/consumption", api.ConsumptionView.as_view(), name="api-permit-consumption"),
    path(".well-known/jwks.json", api.key_set, name="jwks"),
]
