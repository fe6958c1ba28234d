"""The eight ways in which agents fail in production, each as a run that comes back every few minutes.

They are those of the brief, in its order. Most of them end well by every signal a service has: that is the point.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentops.portal.demo.agents import disputes, returns
from agentops.portal.demo.scenarios import (
    blowout,
    effects,
    escalation,
    hallucination,
    loop,
    wrong_recipient,
)
from agentops.portal.demo.steps import Story


@dataclass(frozen=True, slots=True)
class Scenario:
    """A failure. `look_for` are the filters of Runs that find it; its root also carries `demo.scenario`."""

    name: str
    sentence: str
    tenant: str
    look_for: Mapping[str, str]
    story: Story


SCENARIOS = (
    Scenario(
        "runaway_loop",
        "Two tools send the agent to and fro until its step limit ends it.",
        "northwind",
        {"agent": "order-concierge", "error_type": "step_limit_exceeded"},
        loop.runaway,
    ),
    Scenario(
        "hallucinated_arguments",
        'Arguments that fit the schema and mean something else: delete_record(id="all").',
        "kestrel",
        {"tool": "delete_record"},
        hallucination.delete_all,
    ),
    Scenario(
        "cost_blowout",
        "One sentence of a user makes the planner plan for every region there is.",
        "northwind",
        {"agent": "trip-planner", "min_cost_usd": "2"},
        blowout.every_region,
    ),
    Scenario(
        "drift_after_upgrade",
        "A new model and a new prompt: nothing fails, and hard cases are judged differently.",
        "kestrel",
        {"agent": "dispute-handler", "agent_version": "2026.11.0"},
        disputes.drift,
    ),
    Scenario(
        "privilege_escalation",
        "A payment reference tells the agent to make its reader an administrator, and it obeys.",
        "kestrel",
        {"agent": "account-assistant", "error_type": "scope_violation"},
        escalation.update_role,
    ),
    Scenario(
        "slow_degradation",
        "More and more easy cases are handed over to people; no single run is wrong.",
        "northwind",
        {"agent": "returns-desk", "tool": "escalate_to_human"},
        returns.slow_degradation,
    ),
    Scenario(
        "brand_damage",
        "An e-mail to somebody who has nothing to do with it, in a tone that nobody would choose.",
        "northwind",
        {"agent": "invoice-clerk", "tool": "find_contact"},
        wrong_recipient.reminder,
    ),
    Scenario(
        "external_side_effects",
        "Fourteen calendar events, seven of them twice.",
        "kestrel",
        {"agent": "meeting-scheduler", "error_type": "DuplicateEvents"},
        effects.fourteen_events,
    ),
)
