"""What a person is asked to confirm, who said what, and what was agreed to beforehand."""

from agentops.confirmations.models.confirmation import Confirmation, Correctness, MailedCode, Vote
from agentops.confirmations.models.presentation import Presentation
from agentops.confirmations.models.rules import Payment, Rule
from agentops.confirmations.models.standing import StandingApproval

__all__ = [
    "Confirmation",
    "Correctness",
    "MailedCode",
    "Payment",
    "Presentation",
    "Rule",
    "StandingApproval",
    "Vote",
]
