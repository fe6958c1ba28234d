"""Feedback, outcomes and signals."""

from django.urls import URLPattern, path

from evals.api import signals as api
from evals.views import signals
from tenants.access import staff_tenant_page, tenant_page
from tenants.roles import Permission

_READ, _STAFF = Permission.QUALITY_READ, Permission.STAFF_QUALITY
_FEEDBACK, _WIDGET = "quality/feedback/", "quality/feedback/widget/"

urlpatterns: list[URLPattern] = [
    path("api/v1/feedback", api.FeedbackView.as_view(), name="api-feedback"),
    path("api/v1/feedback/tokens", api.FeedbackTokensView.as_view(), name="api-feedback-tokens"),
    path("api/v1/feedback/widget", api.WidgetView.as_view(), name="api-feedback-widget"),
    path("api/v1/outcomes", api.OutcomesView.as_view(), name="api-outcomes"),
    tenant_page(_FEEDBACK, signals.quality_signals, name="quality-signals", needs=_READ),
    tenant_page(_WIDGET, signals.feedback_widget, name="feedback-widget", needs=_READ),
    staff_tenant_page(_FEEDBACK, signals.quality_signals, name="staff-tenant-quality-signals", needs=_STAFF),
    staff_tenant_page(_WIDGET, signals.feedback_widget, name="staff-tenant-feedback-widget", needs=_STAFF),
]
