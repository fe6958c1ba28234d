"""Writes of suite runs: a frozen plan, claims of its cases, results, and the end."""

from evals.services.suites.claims import claim_cases, claim_for_endpoint, give_up_claims, put_back
from evals.services.suites.endpoints import remove_agent_endpoint, set_agent_endpoint
from evals.services.suites.judges import PAUSED_MOST, give_up_paused
from evals.services.suites.plans import Asked, begin_suite_run, cancel_suite_run
from evals.services.suites.results import CaseOutcome, settle_judged_cases, take_case_result

__all__ = [
    "PAUSED_MOST",
    "Asked",
    "CaseOutcome",
    "begin_suite_run",
    "cancel_suite_run",
    "claim_cases",
    "claim_for_endpoint",
    "give_up_claims",
    "give_up_paused",
    "put_back",
    "remove_agent_endpoint",
    "set_agent_endpoint",
    "settle_judged_cases",
    "take_case_result",
]
