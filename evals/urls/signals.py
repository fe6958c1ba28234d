"""Feedback, outcomes and signals."""

from django.urls import URLPattern, path

from evals.api import signals as api

urlpatterns: list[URLPattern] = [
    path("api/v1/feedback", api.FeedbackView.as_view(), name="api-feedback"),
    path("api/v1/feedback/tokens", api.FeedbackTokensView.as_view(), name="api-feedback-tokens"),
    path("api/v1/feedback/widget", api.WidgetView.as_view(), name="api-feedback-widget"),
    path("api/v1/outcomes", api.OutcomesView.as_view(), name="api-outcomes"),
]
