"""The guard's rows: runs, calls, decisions, counters, kill switches."""

from agentops.runtime.models.answers import StoredAnswer, WantedAnswer
from agentops.runtime.models.call import GuardCall
from agentops.runtime.models.counters import Baseline, ModelOutcome, UserMinute
from agentops.runtime.models.decision import Decision
from agentops.runtime.models.limits import OrganisationCaps
from agentops.runtime.models.run import GuardedRun, RunStart
from agentops.runtime.models.switch import KillSwitch, ProductSwitch

__all__ = [
    "Baseline",
    "Decision",
    "GuardCall",
    "GuardedRun",
    "KillSwitch",
    "ModelOutcome",
    "OrganisationCaps",
    "ProductSwitch",
    "RunStart",
    "StoredAnswer",
    "UserMinute",
    "WantedAnswer",
]
