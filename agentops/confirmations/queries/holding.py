"""What holds for each tool of each agent: the tier its calls take, who may approve them, and what raises or slows them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from agentops.catalog import queries as catalog
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.types import AgentPolicy, ApprovedKind, ApproverBook, Named, ToolPolicy
from agentops.confirmations.models import Rule
from agentops.confirmations.policies.rules import Rules
from agentops.confirmations.queries.rules import terms
from agentops.confirmations.types import Tier

AGENTS_MOST = 100
PEOPLE_FOR_HIGHEST_TIER = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolHolding:
    """One tool of an agent whose calls ask people."""

    name: str
    version: str
    tool_version_id: uuid.UUID
    is_reviewed: bool
    own_tier: int
    tier: int  # with the floors of the rules
    named: Sequence[Named]  # on the tool, else on the agent; nobody: every approver
    named_on: ApprovedKind | None
    people: int  # how many could approve now
    threshold: Decimal | None  # where the tool says who is paid and how much
    delay_seconds: int
    may_stand: bool

    @property
    def is_raised(self) -> bool:
        return self.tier > self.own_tier

    @property
    def is_stuck(self) -> bool:
        """Are its calls refused, whatever anybody says?"""
        return self.tier == Tier.TWO_PEOPLE and self.people < PEOPLE_FOR_HIGHEST_TIER


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentHolding:
    """An agent, by its newest approved version."""

    name: str
    version: str  # "" where none is approved
    named: Sequence[Named]
    tools: Sequence[ToolHolding]
    silent: int  # how many of its tools ask nobody


def holdings(*, tenant: uuid.UUID) -> list[AgentHolding]:
    """The first agents by name, as many as a page shows."""
    book = catalog.approver_book(tenant=tenant)
    rules = [terms(rule) for rule in Rule.objects.filter(tenant_id=tenant)]
    found = []
    for agent in catalog.agents(tenant=tenant, most=AGENTS_MOST):
        named = book.on_agents.get(agent.name, ())
        try:
            policy = catalog.current_policy(tenant=tenant, agent=agent.name)
        except AgentUnknown:
            found.append(AgentHolding(name=agent.name, version="", named=named, tools=(), silent=0))
            continue
        mine = Rules([rule for rule in rules if rule.agent in ("", agent.name)])
        tools = [_tool(policy, tool, mine, book) for tool in policy.tools.values()]
        asking = [tool for tool in tools if tool.tier > 1]
        found.append(
            AgentHolding(
                name=agent.name,
                version=policy.version,
                named=named,
                tools=asking,
                silent=len(tools) - len(asking),
            )
        )
    return found


def _tool(policy: AgentPolicy, tool: ToolPolicy, rules: Rules, book: ApproverBook) -> ToolHolding:
    may = book.of(agent=policy.agent, tool=tool.name)
    tier = max(tool.tier, rules.floor(tool.name))
    named = book.on_tools.get(tool.name) or book.on_agents.get(policy.agent) or ()
    return ToolHolding(
        name=tool.name,
        version=tool.version,
        tool_version_id=tool.tool_version_id,
        is_reviewed=tool.is_reviewed,
        own_tier=tool.tier,
        tier=tier,
        named=named,
        named_on=may.named_on,
        people=len(may.user_ids),
        threshold=rules.threshold(tool.name) if tool.payee and tool.amount else None,
        delay_seconds=rules.delay_seconds(tool.name),
        may_stand=tier == Tier.ONE_LOOK or (tier == Tier.FULL_DISCLOSURE and rules.may_stand_at_tier_3(tool.name)),
    )
