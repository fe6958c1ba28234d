"""Which alerts are one incident: the same agent version, tool or model route within half an hour. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

WITHIN = timedelta(minutes=30)
RULES = {
    "same_version": "the same agent version",
    "same_tool": "the same tool",
    "same_model": "the same model route",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What an alert is recognised by. Times: when it was seen first and last."""

    id: uuid.UUID
    tenant: uuid.UUID | None
    agent: str
    agent_version: str
    tool: str
    model_route: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Alike:
    """Two alerts that belong together: by which rule, and what was compared."""

    id: uuid.UUID
    rule: str
    inputs: dict[str, str]


def rule_of(one: Marks, other: Marks) -> Alike | None:
    """Why `other` belongs to `one`; None where it does not. A tool or version is one organisation's, a model is everybody's."""
    apart = max(one.since, other.since) - min(one.until, other.until)
    if one.id == other.id or apart > WITHIN:
        return None
    is_theirs = one.tenant is not None and one.tenant == other.tenant
    if (
        is_theirs
        and one.agent
        and one.agent_version
        and (one.agent, one.agent_version) == (other.agent, other.agent_version)
    ):
        return Alike(other.id, "same_version", {"agent": one.agent, "agent_version": one.agent_version})
    if is_theirs and one.tool and one.tool == other.tool:
        return Alike(other.id, "same_tool", {"tool": one.tool})
    if one.model_route and one.model_route == other.model_route:
        return Alike(other.id, "same_model", {"model_route": one.model_route})
    return None


def suggested(of: Iterable[Marks], among: Iterable[Marks]) -> list[Alike]:
    """The alerts that belong to any of some others, in the order given; each once, by its first rule."""
    chosen = list(of)
    taken = {each.id for each in chosen}
    found = []
    for other in among:
        alike = next((rule for one in chosen if (rule := rule_of(one, other))), None) if other.id not in taken else None
        if alike:
            found.append(alike)
    return found
