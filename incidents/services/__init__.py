"""Writes of alerts, incidents and on-call, by part."""

# lifecycle
# on-call
from incidents.services.calendar_feeds import make_feed, note_feed_read, revoke_feed
from incidents.services.covers import cancel_cover, take_over
from incidents.services.handovers import sign_handover
from incidents.services.rotations import set_rotation
from incidents.services.runbooks import set_runbook, store_shipped, tick_step, untick_step
from incidents.services.timeline import note

__all__ = [
    # on-call
    "cancel_cover",
    "make_feed",
    # lifecycle
    "note",
    "note_feed_read",
    "revoke_feed",
    "set_rotation",
    "set_runbook",
    "sign_handover",
    "store_shipped",
    "take_over",
    "tick_step",
    "untick_step",
]
