"""Writes of alerts, incidents and on-call, by part."""

# alerts
from incidents.services.alerts import acknowledge_alert, calm_alerts, give_verdict, raise_alert, resolve_alert

# paging
from incidents.services.answers import claim_polls, forget_back_events, take_back_event, take_poll

# lifecycle
from incidents.services.containing import decide_not_to_stop, note_switch
from incidents.services.escalating import escalate
from incidents.services.joining import join_alert, merge, remove_alert, set_parent
from incidents.services.lifecycle import declare, move
from incidents.services.notes import add_note
from incidents.services.paging import note_deliveries, plan_pages
from incidents.services.roles import assume_role, renounce_role
from incidents.services.second_channels import use_second_channels
from incidents.services.severities import acknowledge_incident, set_severity
from incidents.services.targets import set_target, test_target, turn_target
from incidents.services.timeline import note
from incidents.services.times import correct_times

__all__ = [
    "acknowledge_alert",
    "acknowledge_incident",
    "add_note",
    "assume_role",
    "calm_alerts",
    "claim_polls",
    "correct_times",
    "decide_not_to_stop",
    "declare",
    "escalate",
    "forget_back_events",
    "give_verdict",
    "join_alert",
    "merge",
    "move",
    "note",
    "note_deliveries",
    "note_switch",
    "plan_pages",
    "raise_alert",
    "remove_alert",
    "renounce_role",
    "resolve_alert",
    "set_parent",
    "set_severity",
    "set_target",
    "take_back_event",
    "take_poll",
    "test_target",
    "turn_target",
    "use_second_channels",
]
