"""What a person is asked to confirm."""

from agentops.confirmations.models.confirmation import Confirmation

__all__ = ["Confirmation"]
