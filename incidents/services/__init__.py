"""Writes of alerts, incidents and on-call, by part."""

# alerts
from incidents.services.alerts import acknowledge_alert, calm_alerts, give_verdict, raise_alert, resolve_alert

# paging
from incidents.services.answers import claim_polls, forget_back_events, take_back_event, take_poll
from incidents.services.escalating import escalate
from incidents.services.paging import note_deliveries, plan_pages
from incidents.services.second_channels import use_second_channels
from incidents.services.targets import set_target, test_target, turn_target

# lifecycle
from incidents.services.timeline import note

__all__ = [
    "acknowledge_alert",
    "calm_alerts",
    "claim_polls",
    "escalate",
    "forget_back_events",
    "give_verdict",
    "note",
    "note_deliveries",
    "plan_pages",
    "raise_alert",
    "resolve_alert",
    "set_target",
    "take_back_event",
    "take_poll",
    "test_target",
    "turn_target",
    "use_second_channels",
]
