"""Reads of the guard: decisions, runs, and what a kill switch has done."""

from agentops.runtime.queries.answers import AgentAnswers, answers_by_agent, newest_answers
from agentops.runtime.queries.decisions import (
    DecisionFilter,
    decision,
    decisions,
    decisions_of_run,
    decisions_since,
    last_use,
)
from agentops.runtime.queries.enforcement import Enforcement, enforcement, of_agent
from agentops.runtime.queries.runs import (
    GuardedRunView,
    PermitUse,
    confirmation_of_call,
    guarded_run,
    last_runs,
    organisation_caps,
    permit_uses,
    stopped_runs,
)
from agentops.runtime.queries.switches import (
    Proof,
    all_switches_on,
    product_proof,
    product_switch,
    product_switches,
    proof,
    switch,
    switches,
)

__all__ = [
    "AgentAnswers",
    "DecisionFilter",
    "Enforcement",
    "GuardedRunView",
    "PermitUse",
    "Proof",
    "all_switches_on",
    "answers_by_agent",
    "confirmation_of_call",
    "decision",
    "decisions",
    "decisions_of_run",
    "decisions_since",
    "enforcement",
    "guarded_run",
    "last_runs",
    "last_use",
    "newest_answers",
    "of_agent",
    "organisation_caps",
    "permit_uses",
    "product_proof",
    "product_switch",
    "product_switches",
    "proof",
    "stopped_runs",
    "switch",
    "switches",
]
