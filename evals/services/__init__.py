"""Writes of quality, by area."""

# gates
from evals.services.gates import (
    Requirement,
    agree_override,
    ask_override,
    decide_gate,
    refuse_override,
    remove_gate,
    set_gate,
)

__all__ = [
    # gates
    "Requirement",
    "agree_override",
    "ask_override",
    "decide_gate",
    "refuse_override",
    "remove_gate",
    "set_gate",
]
