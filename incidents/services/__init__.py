"""Writes of alerts, incidents and on-call, by part."""

# alerts
from incidents.services.alerts import acknowledge_alert, calm_alerts, give_verdict, raise_alert, resolve_alert

# lifecycle
from incidents.services.containing import decide_not_to_stop, note_switch
from incidents.services.joining import join_alert, merge, remove_alert, set_parent
from incidents.services.lifecycle import declare, move
from incidents.services.notes import add_note
from incidents.services.roles import assume_role, renounce_role
from incidents.services.severities import acknowledge_incident, set_severity
from incidents.services.timeline import note
from incidents.services.times import correct_times

__all__ = [  # noqa: RUF022  by part
    # alerts
    "acknowledge_alert",
    "calm_alerts",
    "give_verdict",
    "raise_alert",
    "resolve_alert",
    # lifecycle
    "acknowledge_incident",
    "add_note",
    "assume_role",
    "correct_times",
    "decide_not_to_stop",
    "declare",
    "join_alert",
    "merge",
    "move",
    "note",
    "note_switch",
    "remove_alert",
    "renounce_role",
    "set_parent",
    "set_severity",
]
