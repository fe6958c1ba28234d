"""Writes of judging: facts of finished runs, who judges what, and the judgements."""

from evals.services.judging.calibrating import calibrate_judge, stale_judges
from evals.services.judging.cases import judge_labelled, plan_case
from evals.services.judging.claiming import claim
from evals.services.judging.ending import write_answer
from evals.services.judging.endpoints import save_endpoint
from evals.services.judging.facts import BATCH, OVERLAP, write_facts
from evals.services.judging.judges import assign_judge, pause_judge, save_judge, unassign_judge
from evals.services.judging.preparing import prepare
from evals.services.judging.reading import due_tenants
from evals.services.judging.rubrics import save_rubric
from evals.services.judging.rules import set_check_rules
from evals.services.judging.working import ask_due

__all__ = [
    "BATCH",
    "OVERLAP",
    "ask_due",
    "assign_judge",
    "calibrate_judge",
    "claim",
    "due_tenants",
    "judge_labelled",
    "pause_judge",
    "plan_case",
    "prepare",
    "save_endpoint",
    "save_judge",
    "save_rubric",
    "set_check_rules",
    "stale_judges",
    "unassign_judge",
    "write_answer",
    "write_facts",
]
