"""Alerts as rows: what detectors see of them, what people answer, and the rules they set."""

from incidents.services.alerts.answering import acknowledge_alert, give_verdict, resolve_alert
from incidents.services.alerts.looking import calm_alerts, forget_looks, raise_alert, tell_cooled
from incidents.services.rules import remove_rule, set_rule

__all__ = [
    "acknowledge_alert",
    "calm_alerts",
    "forget_looks",
    "give_verdict",
    "raise_alert",
    "remove_rule",
    "resolve_alert",
    "set_rule",
    "tell_cooled",
]
