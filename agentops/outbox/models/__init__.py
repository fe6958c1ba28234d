"""What leaves the house, each attempt to send it, and how fast one destination is written to."""

from agentops.outbox.models.message import Attempt, Message, Pace

__all__ = ["Attempt", "Message", "Pace"]
