"""Reads of the guard: decisions, runs, and what a kill switch has done."""

from agentops.runtime.queries.decisions import DecisionFilter, decisions, decisions_of_run, last_use
from agentops.runtime.queries.enforcement import Enforcement, enforcement, of_agent
from agentops.runtime.queries.runs import GuardedRunView, guarded_run, organisation_caps
from agentops.runtime.queries.switches import Proof, product_proof, product_switches, proof, switch, switches

__all__ = [
    "DecisionFilter",
    "Enforcement",
    "GuardedRunView",
    "Proof",
    "decisions",
    "decisions_of_run",
    "enforcement",
    "guarded_run",
    "last_use",
    "of_agent",
    "organisation_caps",
    "product_proof",
    "product_switches",
    "proof",
    "switch",
    "switches",
]
