"""Writes of confirmations: asking, and what an organisation's people decide beforehand and afterwards."""

from agentops.confirmations.services.asking import close, invalidate, lapse, redeem, request

__all__ = [
    "close",
    "invalidate",
    "lapse",
    "redeem",
    "request",
]
