"""Writes of confirmations: asking, deciding, and what an organisation's people say beforehand and afterwards."""

from agentops.confirmations.services.aftermath import answer_correctness
from agentops.confirmations.services.asking import close, invalidate, lapse, note_executed, redeem, request, stand
from agentops.confirmations.services.codes import send_code
from agentops.confirmations.services.elapsing import expire, lose_outcome, purge, release
from agentops.confirmations.services.payments import note_paid, note_payment, weigh_payment
from agentops.confirmations.services.presenting import note_refused_link, open_link, present, presented
from agentops.confirmations.services.rules import remove_rule, set_rule
from agentops.confirmations.services.standing import answer_for as standing_answer_for
from agentops.confirmations.services.standing import end as end_standing
from agentops.confirmations.services.standing import make as make_standing
from agentops.confirmations.services.standing import void_after_refusal as void_standing
from agentops.confirmations.services.telling import tell_asked
from agentops.confirmations.services.voting import approve, cancel, note_opened_by_other, refuse, supersede

__all__ = [
    "answer_correctness",
    "approve",
    "cancel",
    "close",
    "end_standing",
    "expire",
    "invalidate",
    "lapse",
    "lose_outcome",
    "make_standing",
    "note_executed",
    "note_opened_by_other",
    "note_paid",
    "note_payment",
    "note_refused_link",
    "open_link",
    "present",
    "presented",
    "purge",
    "redeem",
    "refuse",
    "release",
    "remove_rule",
    "request",
    "send_code",
    "set_rule",
    "stand",
    "standing_answer_for",
    "supersede",
    "tell_asked",
    "void_standing",
    "weigh_payment",
]
