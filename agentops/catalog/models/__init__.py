"""What exists: agents and their versions, tools and their versions, who may call what, whom users know."""

from agentops.catalog.models.agent import Agent, AgentVersion
from agentops.catalog.models.contacts import ContactSet
from agentops.catalog.models.grant import ToolGrant
from agentops.catalog.models.tool import Tool, ToolVersion

__all__ = ["Agent", "AgentVersion", "ContactSet", "Tool", "ToolGrant", "ToolVersion"]
