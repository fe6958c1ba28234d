"""Writes of alerts, incidents and on-call, by part."""

# lifecycle
# on-call
from incidents.services.cadences import decide_tool, follow_item, open_review, sign_review
from incidents.services.calendar_feeds import make_feed, note_feed_read, revoke_feed
from incidents.services.covers import cancel_cover, take_over
from incidents.services.handovers import sign_handover
from incidents.services.rotations import set_rotation
from incidents.services.runbooks import set_runbook, store_shipped, tick_step, untick_step
from incidents.services.timeline import note

__all__ = [
    # on-call
    "cancel_cover",
    "decide_tool",
    "follow_item",
    "make_feed",
    # lifecycle
    "note",
    "note_feed_read",
    "open_review",
    "revoke_feed",
    "set_rotation",
    "set_runbook",
    "sign_handover",
    "sign_review",
    "store_shipped",
    "take_over",
    "tick_step",
    "untick_step",
]
