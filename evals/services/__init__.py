"""Writes of quality, by area."""

from evals.services import drift as drift
from evals.services.gates import (
    Requirement,
    agree_override,
    ask_override,
    decide_gate,
    refuse_override,
    remove_gate,
    set_gate,
)
from evals.services.judging import write_facts
from evals.services.queue import ask_review, fill_queue, note_led_to, review, set_sampling
from evals.services.replays import open_replay, take_replay_result
from evals.services.sets import archive_set, create_set, put_case, remove_case, replace_cases
from evals.services.signals import (
    Said,
    Told,
    find_signals,
    give_feedback,
    match_outcomes,
    take_confirmations,
    tell_outcome,
)
from evals.services.suites import (
    Asked,
    CaseOutcome,
    begin_suite_run,
    cancel_suite_run,
    claim_cases,
    give_up_claims,
    remove_agent_endpoint,
    set_agent_endpoint,
    settle_judged_cases,
    take_case_result,
)

__all__ = [
    "Asked",
    "CaseOutcome",
    "Requirement",
    "Said",
    "Told",
    "agree_override",
    "archive_set",
    "ask_override",
    "ask_review",
    "begin_suite_run",
    "cancel_suite_run",
    "claim_cases",
    "create_set",
    "decide_gate",
    "drift",
    "fill_queue",
    "find_signals",
    "give_feedback",
    "give_up_claims",
    "match_outcomes",
    "note_led_to",
    "open_replay",
    "put_case",
    "refuse_override",
    "remove_agent_endpoint",
    "remove_case",
    "remove_gate",
    "replace_cases",
    "review",
    "set_agent_endpoint",
    "set_gate",
    "set_sampling",
    "settle_judged_cases",
    "take_case_result",
    "take_confirmations",
    "take_replay_result",
    "tell_outcome",
    "write_facts",
]
