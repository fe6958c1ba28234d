"""Reads of gates. Every function runs inside a scope and filters by tenant besides."""

from evals.queries.gates.ground import before_gate, current_version, still_running
from evals.queries.gates.standing import AgentGate, Standing, Word, agent_gates, agent_named, override, policy, standing
from evals.queries.gates.trend import Line, Point, trend

__all__ = [
    "AgentGate",
    "Line",
    "Point",
    "Standing",
    "Word",
    "agent_gates",
    "agent_named",
    "before_gate",
    "current_version",
    "override",
    "policy",
    "standing",
    "still_running",
    "trend",
]
