"""Writes of gates: what they ask for, what they say, and how two people go past one."""

from evals.services.gates.deciding import decide_gate, finding_json
from evals.services.gates.overrides import agree_override, ask_override, refuse_override
from evals.services.gates.requirements import LEAST_RATE, MARGIN, Requirement, remove_gate, set_gate
from evals.services.gates.reruns import plan_reruns, run_gate_suites
from evals.services.gates.starter import add_starter_pack

__all__ = [
    "LEAST_RATE",
    "MARGIN",
    "Requirement",
    "add_starter_pack",
    "agree_override",
    "ask_override",
    "decide_gate",
    "finding_json",
    "plan_reruns",
    "refuse_override",
    "remove_gate",
    "run_gate_suites",
    "set_gate",
]
