"""Writes of alerts, incidents and on-call, by part."""

# learning
from incidents.services.comm_sending import note_told, send_comm, send_comm_again, settle_comms
from incidents.services.comms import approve_comm, change_comm, draft_comm, note_contact, waive_comm

# lifecycle
from incidents.services.timeline import note

__all__ = [
    # learning
    "approve_comm",
    "change_comm",
    "draft_comm",
    # lifecycle
    "note",
    # learning
    "note_contact",
    "note_told",
    "send_comm",
    "send_comm_again",
    "settle_comms",
    "waive_comm",
]
