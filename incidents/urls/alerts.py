"""Alerts: the list, one of them and what people answer to it; rules; how often detectors were right."""

from django.urls import URLPattern

from incidents.views import alert_rules, alerts
from tenants.access import house_page, staff_page
from tenants.roles import Permission

_READ, _RESPOND, _MANAGE = Permission.STAFF_INCIDENTS, Permission.STAFF_RESPOND, Permission.STAFF_ON_CALL_MANAGE
_ALERT, _RULES = "alerts/<uuid:alert>/", "alerts/rules/"

urlpatterns: list[URLPattern] = [
    house_page("alerts/", alerts.alerts, name="staff-alerts", needs=_READ),
    house_page("alerts/precision/", alerts.precision, name="staff-alert-precision", needs=_READ),
    house_page(_RULES, alert_rules.alert_rules, name="staff-alert-rules", needs=_READ),
    house_page(f"{_RULES}<slug:alert_class>/", alert_rules.alert_rule, name="staff-alert-rule", needs=_MANAGE),
    house_page(
        f"{_RULES}<uuid:alert_rule>/removal/",
        alert_rules.alert_rule_removal,
        name="staff-alert-rule-removal",
        needs=_MANAGE,
    ),
    # Its samples are rows of customers, so it reads in staff's scope; what people answer is written in our own.
    staff_page(_ALERT, alerts.alert, name="staff-alert", needs=_READ, across_tenants=True),
    house_page(
        f"{_ALERT}acknowledgement/", alerts.alert_acknowledgement, name="staff-alert-acknowledgement", needs=_RESPOND
    ),
    house_page(f"{_ALERT}verdict/", alerts.alert_verdict, name="staff-alert-verdict", needs=_RESPOND),
    house_page(f"{_ALERT}resolution/", alerts.alert_resolution, name="staff-alert-resolution", needs=_RESPOND),
]
