"""Everything once more, before what people agreed to may run: they agreed to exactly that."""

from __future__ import annotations

import orjson

from agentops.catalog import scopes
from agentops.catalog.types import AgentPolicy, Rejection, ToolPolicy
from agentops.confirmations import queries as confirming
from agentops.confirmations.types import Held
from agentops.runtime.rows import Facts
from agentops.runtime.services.tool_calls import knowledge_of
from agentops.runtime.types import ToolProposal


def why_not_any_more(
    facts: Facts, policy: AgentPolicy, tool: ToolPolicy | None, held: Held | None, *, resource_version: str = ""
) -> str:
    """What has changed since people were asked, if it matters; "" where nothing has.

    `resource_version` is what the agent sees of the resource now: another one than people agreed to is another action.
    """
    if held is None or tool is None:
        return "the tool is not granted any more"
    if not policy.is_approved:
        return f"version {facts.agent_version} of {facts.agent} is not approved any more"
    if not tool.is_reviewed or tool.tool_version_id != held.tool_version_id:
        return f"the definition of {tool.name} is another by now, or is not reviewed any more"
    rules = confirming.rules_for(tenant=facts.tenant_id, agent=facts.agent, policy_version=policy.policy_version)
    tier = max(tool.tier, rules.floor(tool.name))
    if tier > held.tier:
        return f"{tool.name} takes tier {tier} by now, and tier {held.tier} was approved"
    if resource_version and held.resource_version and resource_version != held.resource_version:
        return "the resource has changed"
    arguments = orjson.loads(held.arguments)
    knowledge = knowledge_of(facts, tool, arguments=arguments, is_tainted=held.is_tainted)
    wrong = scopes.check(tool.grant_scope, knowledge) or tool.schema.check(arguments) or tool.rules.check(knowledge)
    return f"{wrong[0].hint} (expected {wrong[0].expected})" if wrong else ""


def wrong_with(facts: Facts, tool: ToolPolicy, proposal: ToolProposal) -> list[Rejection]:
    """What is wrong with the arguments of a proposal, the first few; empty when they may run."""
    knowledge = knowledge_of(facts, tool, arguments=proposal.value, is_tainted=proposal.is_tainted)
    return scopes.check(tool.grant_scope, knowledge) or tool.schema.check(proposal.value) or tool.rules.check(knowledge)
