"""What tools do to the world, as their definitions say: for whoever looks at runs afterwards."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection

from agentops.catalog.types import Effect


@dataclass(frozen=True, slots=True)
class Effects:
    """By (agent, version, tool) where it was granted, else by the tool's newest definition."""

    granted: Mapping[tuple[str, str, str], Effect]
    newest: Mapping[str, Effect]

    def of(self, *, agent: str, version: str, tool: str) -> Effect | None:
        """None where the catalog does not know the tool."""
        return self.granted.get((agent, version, tool)) or self.newest.get(tool)


def effects(*, tenant: uuid.UUID, agents: list[str]) -> Effects:
    """The effects of all of a tenant's tools, and of what these agents were granted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.name, v.version, t.name, tv.effect FROM catalog_agent a "
            "JOIN catalog_agentversion v ON v.tenant_id = %s AND v.agent_id = a.id "
            "JOIN catalog_toolgrant g ON g.tenant_id = %s AND g.agent_version_id = v.id "
            "JOIN catalog_tool t ON t.tenant_id = %s AND t.id = g.tool_id "
            "JOIN catalog_toolversion tv ON tv.tenant_id = %s AND tv.id = g.tool_version_id "
            "WHERE a.tenant_id = %s AND a.name = ANY(%s)",
            [tenant] * 5 + [agents],
        )
        granted = {(row[0], row[1], row[2]): Effect(row[3]) for row in cursor.fetchall()}
        cursor.execute(
            "SELECT DISTINCT ON (t.name) t.name, tv.effect FROM catalog_tool t "
            "JOIN catalog_toolversion tv ON tv.tenant_id = %s AND tv.tool_id = t.id WHERE t.tenant_id = %s "
            "ORDER BY t.name, tv.created_at DESC, tv.id DESC",
            [tenant, tenant],
        )
        newest = {row[0]: Effect(row[1]) for row in cursor.fetchall()}
    return Effects(granted=granted, newest=newest)
