"""Writes of alerts, incidents and on-call, by part."""

from incidents.services.action_items import (
    add_action,
    change_action,
    drop_action,
    finish_action,
    reopen_action,
    verify_action,
)
from incidents.services.alerts import (
    acknowledge_alert,
    calm_alerts,
    forget_looks,
    give_verdict,
    raise_alert,
    remove_rule,
    resolve_alert,
    set_rule,
)
from incidents.services.answers import claim_polls, forget_back_events, take_back_event, take_poll
from incidents.services.blast import add_item, argue, note_scan_failure, note_scanned, plan_scans, take_found
from incidents.services.cadences import decide_tool, follow_item, open_review, sign_review
from incidents.services.calendar_feeds import make_feed, note_feed_read, revoke_feed
from incidents.services.causes import add_factor, set_cause
from incidents.services.comm_sending import note_told, send_comm, send_comm_again, settle_comms
from incidents.services.comms import approve_comm, change_comm, draft_comm, note_contact, note_look, waive_comm
from incidents.services.containing import decide_not_to_stop, note_switch
from incidents.services.covers import cancel_cover, take_over
from incidents.services.escalating import escalate
from incidents.services.evidence import (
    complete_snapshot,
    freeze_plan,
    keep_runs,
    keep_surroundings,
    note_failure,
    note_read,
    note_snapshot_told,
    note_taken,
    plan_snapshot,
    release_hold,
)
from incidents.services.fixes import check_fix, propose_fix
from incidents.services.handovers import sign_handover
from incidents.services.joining import join_alert, merge, remove_alert, set_parent
from incidents.services.learning import begin_postmortem, note_recurrence
from incidents.services.lifecycle import declare, move
from incidents.services.notes import add_note
from incidents.services.paging import note_deliveries, plan_pages
from incidents.services.postmortems import (
    note_due,
    publish_postmortem,
    return_postmortem,
    review_postmortem,
    save_postmortem,
    submit_postmortem,
)
from incidents.services.reversals import (
    approve_reversal,
    change_reversal,
    end_reversal,
    note_ended,
    note_reversals_told,
    plan_reversals,
    start_reversal,
)
from incidents.services.roles import assume_role, renounce_role
from incidents.services.rotations import set_rotation
from incidents.services.runbooks import set_runbook, store_shipped, tick_step, untick_step
from incidents.services.second_channels import use_second_channels
from incidents.services.severities import acknowledge_incident, set_severity
from incidents.services.sweeping import follow_clocks
from incidents.services.targets import set_target, test_target, turn_target
from incidents.services.timeline import note
from incidents.services.times import correct_times
from incidents.services.watches import close_watch, look_at_watch

__all__ = [
    "acknowledge_alert",
    "acknowledge_incident",
    "add_action",
    "add_factor",
    "add_item",
    "add_note",
    "approve_comm",
    "approve_reversal",
    "argue",
    "assume_role",
    "begin_postmortem",
    "calm_alerts",
    "cancel_cover",
    "change_action",
    "change_comm",
    "change_reversal",
    "check_fix",
    "claim_polls",
    "close_watch",
    "complete_snapshot",
    "correct_times",
    "decide_not_to_stop",
    "decide_tool",
    "declare",
    "draft_comm",
    "drop_action",
    "end_reversal",
    "escalate",
    "finish_action",
    "follow_clocks",
    "follow_item",
    "forget_back_events",
    "forget_looks",
    "freeze_plan",
    "give_verdict",
    "join_alert",
    "keep_runs",
    "keep_surroundings",
    "look_at_watch",
    "make_feed",
    "merge",
    "move",
    "note",
    "note_contact",
    "note_deliveries",
    "note_due",
    "note_ended",
    "note_failure",
    "note_feed_read",
    "note_look",
    "note_read",
    "note_recurrence",
    "note_reversals_told",
    "note_scan_failure",
    "note_scanned",
    "note_snapshot_told",
    "note_switch",
    "note_taken",
    "note_told",
    "open_review",
    "plan_pages",
    "plan_reversals",
    "plan_scans",
    "plan_snapshot",
    "propose_fix",
    "publish_postmortem",
    "raise_alert",
    "release_hold",
    "remove_alert",
    "remove_rule",
    "renounce_role",
    "reopen_action",
    "resolve_alert",
    "return_postmortem",
    "review_postmortem",
    "revoke_feed",
    "save_postmortem",
    "send_comm",
    "send_comm_again",
    "set_cause",
    "set_parent",
    "set_rotation",
    "set_rule",
    "set_runbook",
    "set_severity",
    "set_target",
    "settle_comms",
    "sign_handover",
    "sign_review",
    "start_reversal",
    "store_shipped",
    "submit_postmortem",
    "take_back_event",
    "take_found",
    "take_over",
    "take_poll",
    "test_target",
    "tick_step",
    "turn_target",
    "untick_step",
    "use_second_channels",
    "verify_action",
    "waive_comm",
]
