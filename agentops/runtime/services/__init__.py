"""Writes of the guard. Each verb opens its own scope: its transaction is the decision."""

from agentops.runtime.services.answers import forget_answers
from agentops.runtime.services.approvals import close_lost, edit, release_due
from agentops.runtime.services.baselines import compute as compute_baselines
from agentops.runtime.services.caps import set_organisation_caps
from agentops.runtime.services.consumption import consume
from agentops.runtime.services.finish import finish, sweep
from agentops.runtime.services.model_calls import reserve
from agentops.runtime.services.results import redeem, take_result
from agentops.runtime.services.settlements import settle
from agentops.runtime.services.spend_days import add_up_days
from agentops.runtime.services.start import start
from agentops.runtime.services.switches import (
    ask_product_lift,
    lift_product_switch,
    lift_switch,
    set_product_switch,
    set_switch,
)
from agentops.runtime.services.tool_calls import propose

__all__ = [
    "add_up_days",
    "ask_product_lift",
    "close_lost",
    "compute_baselines",
    "consume",
    "edit",
    "finish",
    "forget_answers",
    "lift_product_switch",
    "lift_switch",
    "propose",
    "redeem",
    "release_due",
    "reserve",
    "set_organisation_caps",
    "set_product_switch",
    "set_switch",
    "settle",
    "start",
    "sweep",
    "take_result",
]
