"""What the guard knows of an agent version. At most one statement; none where this process knows it already."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from django.db import connection

from agentops.catalog import cache, compiled
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.types import (
    AgentCaps,
    AgentPolicy,
    Effect,
    OutputCache,
    Repetition,
    Reversal,
    Review,
    Routing,
    ToolPolicy,
)
from agentops.common import scope
from agentops.common.scope import ScopeError

_POLICIES_MOST = 2_000
_VERSION = "SELECT id, policy_version FROM catalog_agent WHERE tenant_id = %s AND name = %s"
# One statement, so that the number and what it stands for are of one snapshot.
_LOAD = """
SELECT a.id, a.policy_version, v.id, v.approved_at IS NOT NULL, v.allowed_models, v.caps, v.repetition, v.routing,
    v.reads_when_offline, v.output_cache, t.name, tv.id, tv.version, tv.tier, tv.review, tv.schema_digest, g.scope, tv.definition
FROM catalog_agent a
JOIN catalog_agentversion v ON v.tenant_id = a.tenant_id AND v.agent_id = a.id AND v.version = %(version)s
LEFT JOIN (
    catalog_toolgrant g
    JOIN catalog_tool t ON t.tenant_id = g.tenant_id AND t.id = g.tool_id
    JOIN catalog_toolversion tv ON tv.tenant_id = g.tenant_id AND tv.id = g.tool_version_id
) ON g.tenant_id = v.tenant_id AND g.agent_version_id = v.id AND g.revoked_at IS NULL
WHERE a.tenant_id = %(tenant)s AND a.name = %(agent)s
ORDER BY g.position, t.name
"""
_policies: cache.Bounded[tuple[uuid.UUID, str, str], AgentPolicy] = cache.Bounded(_POLICIES_MOST)


def policy(*, tenant: uuid.UUID, agent: str, version: str, policy_version: int | None = None) -> AgentPolicy:
    """All that is true of an agent version, at least as new as `policy_version`.

    `policy_version` is the agent's as the caller has read it in its own transaction; without it, it is read here.
    The answer is shared between threads: never change it. Raises AgentUnknown, and ScopeError outside the tenant's
    scope: what is known here already is not asked of the database, so row-level security does not look at it.
    """
    here = scope.current()
    if here is None or not (here.tenant_id == tenant or here.is_staff_read):
        raise ScopeError(f"a policy of tenant {tenant} is read in its scope")
    known = _policies.get((tenant, agent, version))
    if known is not None:
        if policy_version is None:
            is_present = _present(tenant, agent) == (known.agent_id, known.policy_version)
        else:
            is_present = policy_version == known.policy_version
        if is_present:
            return known
    found = _load(tenant, agent, version)
    if cache.may_keep(found.agent_id):
        _policies.put((tenant, agent, version), found)
    return found


def forget() -> None:
    """Empty this process's cache of policies: for tests and benchmarks."""
    _policies.clear()


def _present(tenant: uuid.UUID, agent: str) -> tuple[uuid.UUID, int] | None:
    with connection.cursor() as cursor:
        cursor.execute(_VERSION, [tenant, agent])
        row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def _load(tenant: uuid.UUID, agent: str, version: str) -> AgentPolicy:
    with connection.cursor() as cursor:
        cursor.execute(_LOAD, {"tenant": tenant, "agent": agent, "version": version})
        rows = cursor.fetchall()
    if not rows:
        raise AgentUnknown(f"There is no version {version[:100]!r} of an agent {agent[:100]!r}.")
    first = rows[0]
    tools = [_tool(row[10:]) for row in rows if row[10] is not None]
    return AgentPolicy(
        agent_id=first[0],
        agent=agent,
        version_id=first[2],
        version=version,
        policy_version=first[1],
        is_approved=first[3],
        models=tuple(first[4]),
        caps=AgentCaps(**_json(first[5])),
        repetition=Repetition(**_json(first[6])),
        routing=Routing(**_json(first[7])),
        reads_when_offline=first[8],
        output_cache=OutputCache(**_json(first[9])),
        tools={tool.name: tool for tool in tools},
    )


def _tool(row: tuple[Any, ...]) -> ToolPolicy:
    name, tool_version_id, version, tier, review, schema_digest, grant_scope, text = row
    checks = compiled.tool_version(tool_version_id, text)
    definition = checks.definition
    return ToolPolicy(
        name=name,
        version=version,
        tool_version_id=tool_version_id,
        effect=Effect(definition["effect"]),
        tier=tier,
        schema_digest=schema_digest,
        arguments_schema=definition["arguments"],
        cosmetic=tuple(definition["cosmetic"]),
        is_reviewed=review == Review.APPROVED,
        grant_scope=_json(grant_scope),
        schema=checks.schema,
        rules=checks.rules,
        description=definition["description"],
        reversal=Reversal(definition["reversal"]),
        recipe=definition["recipe"],
        reversible_seconds=definition["reversible_seconds"],
        resource=definition["resource"],
        payee=definition["payee"],
        amount=definition["amount"],
        phrase=definition["phrase"],
    )


def _json(value: Any) -> Mapping[str, Any]:
    """Django's psycopg connection hands JSON over as text."""
    found: Mapping[str, Any] = orjson.loads(value) if isinstance(value, str | bytes) else value
    return found
