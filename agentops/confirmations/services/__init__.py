"""Writes of confirmations: asking, and what an organisation's people decide beforehand and afterwards."""

from agentops.confirmations.services.asking import close, invalidate, lapse, redeem, request
from agentops.confirmations.services.payments import note_paid, note_payment, weigh_payment
from agentops.confirmations.services.rules import remove_rule, set_rule

__all__ = [
    "close",
    "invalidate",
    "lapse",
    "note_paid",
    "note_payment",
    "redeem",
    "remove_rule",
    "request",
    "set_rule",
    "weigh_payment",
]
