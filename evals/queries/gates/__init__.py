"""Reads of gates. Every function runs inside a scope and filters by tenant besides."""

from evals.queries.gates.ground import before_gate, current_version
from evals.queries.gates.standing import AgentGate, Standing, Word, agent_gates, override, policy, standing

__all__ = [
    "AgentGate",
    "Standing",
    "Word",
    "agent_gates",
    "before_gate",
    "current_version",
    "override",
    "policy",
    "standing",
]
