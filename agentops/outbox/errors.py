"""What the outbox refuses."""

from __future__ import annotations

from agentops.common.errors import Conflict


class NotRepeatable(Conflict):
    code, title = "not_repeatable", "It cannot be sent again"
