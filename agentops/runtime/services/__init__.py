"""Writes of the guard. Each verb opens its own scope: its transaction is the decision."""

from agentops.runtime.services.baselines import compute as compute_baselines
from agentops.runtime.services.finish import finish, sweep
from agentops.runtime.services.model_calls import reserve, settle
from agentops.runtime.services.results import consume, redeem, take_result
from agentops.runtime.services.start import start
from agentops.runtime.services.tool_calls import propose

__all__ = [
    "compute_baselines",
    "consume",
    "finish",
    "propose",
    "redeem",
    "reserve",
    "settle",
    "start",
    "sweep",
    "take_result",
]
