"""The permit of a call that may run now."""

from __future__ import annotations

from datetime import datetime, timedelta

from agentops.catalog.types import ToolPolicy
from agentops.runtime import permits
from agentops.runtime.rows import Facts
from agentops.runtime.services import entry


def permit(
    facts: Facts,
    tool: ToolPolicy,
    *,
    args: bytes,
    tier: int,
    action_digest: str,
    resource: str,
    resource_version: str,
) -> tuple[str, datetime]:
    """A signed permit for this call, and when it ends: in a minute, or with its run. Its `jti` is the run and the step, where its use is noted."""
    until = min(facts.now + timedelta(seconds=permits.LIFETIME_SECONDS), entry.last_moment(facts))
    issued = int(facts.now.timestamp())
    claims = {
        "iss": "agentops",
        "aud": f"tool:{tool.name}",
        "sub": facts.user_id,
        "tenant": str(facts.tenant_id),
        "run": facts.run_id.hex,
        "call": facts.call_id,
        "agent": facts.agent,
        "agent_version": facts.agent_version,
        "tool": tool.name,
        "tool_version": tool.version,
        "schema_digest": tool.schema_digest,
        "action_digest": action_digest or permits.digest(args),
        "args_digest": permits.digest(args),
        "resource": resource,
        "resource_version": resource_version,
        "policy_version": facts.policy_version,
        "tier": tier,
        "iat": issued,
        "exp": int(until.timestamp()),
        "jti": permit_id(facts),
    }
    return permits.sign(claims), until


def permit_id(facts: Facts) -> str:
    """The `jti` of the permit for the step that is being decided."""
    return f"{facts.run_id.hex}-{facts.root.steps}"
