"""What the catalog refuses."""

from __future__ import annotations

from agentops.common.errors import NotFound


class AgentUnknown(NotFound):
    code, title = "agent_unknown", "No such agent"
