"""What tools do, and how their definitions say that it is taken back. In staff's scope."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from agentops.catalog.types import Effect


@dataclass(frozen=True, slots=True)
class Way:
    """What a tool does, and how its definition says that is taken back."""

    effect: Effect
    reversal: str
    recipe: str
    seconds: int | None


@dataclass(frozen=True, slots=True)
class Ways:
    """By (agent, version, tool) where it was granted, else by the tool's newest definition."""

    granted: Mapping[tuple[str, str, str], Way]
    newest: Mapping[str, Way]

    def of(self, *, agent: str, version: str, tool: str) -> Way | None:
        """None where the catalog does not know the tool."""
        return self.granted.get((agent, version, tool)) or self.newest.get(tool)

    @property
    def writers(self) -> list[str]:
        """Tools of which some definition does more than read."""
        by_tool = [(tool, way) for (_, _, tool), way in self.granted.items()] + list(self.newest.items())
        return sorted({tool for tool, way in by_tool if way.effect != Effect.READ})


def ways(*, tenant: uuid.UUID, agents: Sequence[str]) -> Ways:
    """All tools of an organisation, and what these agents' versions were granted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.name, v.version, t.name, tv.effect, tv.reversal, tv.recipe, tv.reversible_seconds FROM catalog_agent a "
            "JOIN catalog_agentversion v ON v.tenant_id = %(t)s AND v.agent_id = a.id "
            "JOIN catalog_toolgrant g ON g.tenant_id = %(t)s AND g.agent_version_id = v.id "
            "JOIN catalog_tool t ON t.tenant_id = %(t)s AND t.id = g.tool_id "
            "JOIN catalog_toolversion tv ON tv.tenant_id = %(t)s AND tv.id = g.tool_version_id "
            "WHERE a.tenant_id = %(t)s AND a.name = ANY(%(agents)s)",
            {"t": tenant, "agents": list(agents)},
        )
        granted = {(row[0], row[1], row[2]): _way(row[3:]) for row in cursor.fetchall()}
        cursor.execute(
            "SELECT DISTINCT ON (t.name) t.name, tv.effect, tv.reversal, tv.recipe, tv.reversible_seconds FROM catalog_tool t "
            "JOIN catalog_toolversion tv ON tv.tenant_id = %(t)s AND tv.tool_id = t.id WHERE t.tenant_id = %(t)s "
            "ORDER BY t.name, tv.created_at DESC, tv.id DESC",
            {"t": tenant},
        )
        newest = {row[0]: _way(row[1:]) for row in cursor.fetchall()}
    return Ways(granted, newest)


def _way(row: Sequence[Any]) -> Way:
    return Way(Effect(row[0]), row[1], row[2], row[3])
