"""Writes of alerts, incidents and on-call, by part."""

# learning
from incidents.services.action_items import (
    add_action,
    change_action,
    drop_action,
    finish_action,
    reopen_action,
    verify_action,
)
from incidents.services.comm_sending import note_told, send_comm, send_comm_again, settle_comms
from incidents.services.comms import approve_comm, change_comm, draft_comm, note_contact, note_look, waive_comm
from incidents.services.learning import begin_postmortem, note_recurrence
from incidents.services.postmortems import (
    note_due,
    publish_postmortem,
    return_postmortem,
    review_postmortem,
    save_postmortem,
    submit_postmortem,
)

# lifecycle
from incidents.services.timeline import note

__all__ = [
    # learning
    "add_action",
    "approve_comm",
    "begin_postmortem",
    "change_action",
    "change_comm",
    "draft_comm",
    "drop_action",
    "finish_action",
    # lifecycle
    "note",
    # learning
    "note_contact",
    "note_due",
    "note_look",
    "note_recurrence",
    "note_told",
    "publish_postmortem",
    "reopen_action",
    "return_postmortem",
    "review_postmortem",
    "save_postmortem",
    "send_comm",
    "send_comm_again",
    "settle_comms",
    "submit_postmortem",
    "verify_action",
    "waive_comm",
]
