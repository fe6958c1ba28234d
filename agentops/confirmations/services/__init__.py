"""Writes of confirmations: asking, and what an organisation's people decide beforehand and afterwards."""

from agentops.confirmations.services.aftermath import answer_correctness
from agentops.confirmations.services.asking import close, invalidate, lapse, redeem, request
from agentops.confirmations.services.presenting import note_refused_link, open_link, present, presented
from agentops.confirmations.services.rules import remove_rule, set_rule
from agentops.confirmations.services.standing import answer_for as standing_answer_for
from agentops.confirmations.services.standing import end as end_standing
from agentops.confirmations.services.standing import make as make_standing
from agentops.confirmations.services.standing import void_after_refusal as void_standing
from agentops.confirmations.services.telling import tell_asked

__all__ = [
    "answer_correctness",
    "close",
    "end_standing",
    "invalidate",
    "lapse",
    "make_standing",
    "note_refused_link",
    "open_link",
    "present",
    "presented",
    "redeem",
    "remove_rule",
    "request",
    "set_rule",
    "standing_answer_for",
    "tell_asked",
    "void_standing",
]
