from django.urls import URLPattern, URLResolver, path

from audit import api

_API = "api/v1/audit/"

urlpatterns: list[URLPattern | URLResolver] = [
    path(f"{_API}checkpoint", api.CheckpointView.as_view(), name="api-audit-checkpoint"),
    path(f"{_API}checkpoints", api.CheckpointsView.as_view(), name="api-audit-checkpoints"),
    path(f"{_API}consistency", api.ConsistencyView.as_view(), name="api-audit-consistency"),
    path(f"{_API}entries/<uuid:entry_id>/proof", api.ProofView.as_view(), name="api-audit-proof"),
    path(".well-known/agentops-audit-keys.json", api.key_set, name="audit-keys"),
]
