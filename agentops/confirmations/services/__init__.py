"""Writes of confirmations: asking, and what an organisation's people decide beforehand and afterwards."""

from agentops.confirmations.services.asking import close, invalidate, lapse, redeem, request
from agentops.confirmations.services.presenting import note_refused_link, open_link, present, presented
from agentops.confirmations.services.rules import remove_rule, set_rule
from agentops.confirmations.services.telling import tell_asked

__all__ = [
    "close",
    "invalidate",
    "lapse",
    "note_refused_link",
    "open_link",
    "present",
    "presented",
    "redeem",
    "remove_rule",
    "request",
    "set_rule",
    "tell_asked",
]
