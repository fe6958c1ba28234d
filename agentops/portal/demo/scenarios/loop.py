"""Runaway loop: each tool's answer asks for the other one."""

from __future__ import annotations

from agentops.portal.demo.agents import concierge
from agentops.portal.demo.cast import NORTHWIND
from agentops.portal.demo.folk import PRODUCTS, somebody
from agentops.portal.demo.steps import Failure, Moment, Step
from agentops.portal.demo.talk import Talk

_ROUNDS = 20


def runaway(moment: Moment) -> Step:
    product, person = moment.rng.choice(PRODUCTS), somebody(NORTHWIND, moment.rng)
    talk = Talk(concierge.AGENT, moment, user=person.id)
    talk.hears(
        f"I want three of the {product.name}, but only if all three come from the same warehouse. Is that possible?"
    )
    for number in range(_ROUNDS):
        warehouse = ("BRE1", "RTM2")[number % 2]
        talk.calls(
            "find_warehouse",
            {"sku": product.sku},
            returns={"sku": product.sku, "warehouse": warehouse, "note": "stock not confirmed, ask check_stock"},
        )
        talk.calls(
            "check_stock",
            {"sku": product.sku, "warehouse": warehouse},
            returns={
                "sku": product.sku,
                "warehouse": warehouse,
                "available": None,
                "note": "article has moved, ask find_warehouse",
            },
        )
    limit = Failure("step_limit_exceeded", f"the run reached its limit of {2 * _ROUNDS} model calls without an answer")
    return talk.ends(limit, scenario="runaway_loop")
