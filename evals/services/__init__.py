"""Writes of quality, by area."""

from evals.services.judging import write_facts

# sets
from evals.services.replays import open_replay, take_replay_result
from evals.services.sets import archive_set, create_set, put_case, remove_case, replace_cases
from evals.services.signals import Said, Told, give_feedback, match_outcomes, tell_outcome
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
    "Said",
    "Told",
    "archive_set",
    "begin_suite_run",
    "cancel_suite_run",
    "claim_cases",
    "create_set",
    "give_feedback",
    "give_up_claims",
    "match_outcomes",
    "open_replay",
    "put_case",
    "remove_agent_endpoint",
    "remove_case",
    "replace_cases",
    "set_agent_endpoint",
    "settle_judged_cases",
    "take_case_result",
    "take_replay_result",
    "tell_outcome",
    "write_facts",
]
