"""Quality as rows: what is judged by whom, what people said, eval sets and their runs, gates, and drift."""

from evals.models.drift import CohortDay, CohortSweep, DriftFinding
from evals.models.fact import CheckRules, FactMark, RunFact
from evals.models.gate import GateOverride, GatePolicy, GateRequirement, GateVerdict
from evals.models.judge import Assignment, Calibration, Judge, JudgeEndpoint
from evals.models.judgement import HumanLabel, Judgement, Score
from evals.models.queue import ReviewItem, ReviewSampling
from evals.models.rubric import Rubric, RubricVersion
from evals.models.sets import CaseVersion, EvalSet, Revision, RevisionCase
from evals.models.signals import Feedback, Mark, Outcome, Signal
from evals.models.suite import AgentEndpoint, CaseRun, Replay, SuiteRun

__all__ = [
    "AgentEndpoint",
    "Assignment",
    "Calibration",
    "CaseRun",
    "CaseVersion",
    "CheckRules",
    "CohortDay",
    "CohortSweep",
    "DriftFinding",
    "EvalSet",
    "FactMark",
    "Feedback",
    "GateOverride",
    "GatePolicy",
    "GateRequirement",
    "GateVerdict",
    "HumanLabel",
    "Judge",
    "JudgeEndpoint",
    "Judgement",
    "Mark",
    "Outcome",
    "Replay",
    "ReviewItem",
    "ReviewSampling",
    "Revision",
    "RevisionCase",
    "Rubric",
    "RubricVersion",
    "RunFact",
    "Score",
    "Signal",
    "SuiteRun",
]
