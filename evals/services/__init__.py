"""Writes of quality, by area."""

# judging
from evals.services.judging import (
    ask_due,
    assign_judge,
    calibrate_judge,
    judge_labelled,
    pause_judge,
    plan_case,
    save_endpoint,
    save_judge,
    save_rubric,
    set_check_rules,
    unassign_judge,
    write_facts,
)

__all__ = [
    # judging
    "ask_due",
    "assign_judge",
    "calibrate_judge",
    "judge_labelled",
    "pause_judge",
    "plan_case",
    "save_endpoint",
    "save_judge",
    "save_rubric",
    "set_check_rules",
    "unassign_judge",
    "write_facts",
]
