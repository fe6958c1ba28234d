"""Writes of alerts, incidents and on-call, by part."""

# lifecycle
from incidents.services.causes import add_factor, set_cause
from incidents.services.containing import decide_not_to_stop, note_switch
from incidents.services.fixes import check_fix, propose_fix
from incidents.services.joining import join_alert, merge, remove_alert, set_parent
from incidents.services.lifecycle import declare, move
from incidents.services.notes import add_note
from incidents.services.roles import assume_role, renounce_role
from incidents.services.severities import acknowledge_incident, set_severity
from incidents.services.sweeping import follow_clocks
from incidents.services.timeline import note
from incidents.services.times import correct_times
from incidents.services.watches import close_watch, look_at_watch

__all__ = [
    # lifecycle
    "acknowledge_incident",
    "add_factor",
    "add_note",
    "assume_role",
    "check_fix",
    "close_watch",
    "correct_times",
    "decide_not_to_stop",
    "declare",
    "follow_clocks",
    "join_alert",
    "look_at_watch",
    "merge",
    "move",
    "note",
    "note_switch",
    "propose_fix",
    "remove_alert",
    "renounce_role",
    "set_cause",
    "set_parent",
    "set_severity",
]
