"""Alerts as rows: what detectors see of them, and what people answer."""

from incidents.services.alerts.answering import acknowledge_alert, give_verdict, resolve_alert
from incidents.services.alerts.looking import calm_alerts, raise_alert

__all__ = ["acknowledge_alert", "calm_alerts", "give_verdict", "raise_alert", "resolve_alert"]
