"""Standing approvals, as people see them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from agentops.catalog import queries as catalog
from agentops.catalog.errors import ToolUnknown
from agentops.catalog.types import ToolPolicy
from agentops.common.errors import NotFound
from agentops.confirmations.models import StandingApproval
from agentops.confirmations.policies.standing import Constraint, Kind
from agentops.confirmations.queries.rules import rules_for
from tenants import access


class Standing(StrEnum):
    """Does it answer for its person still?"""

    ACTIVE = "active"
    USED_UP = "used_up"
    EXPIRED = "expired"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingDetail:
    """One standing approval at one time."""

    id: uuid.UUID
    owner: str  # as people know them
    user_id: int
    acting_user: str
    agent: str
    tool: str
    tool_version_id: uuid.UUID
    tier: int
    constraints: Sequence[Constraint]
    uses: int
    uses_most: int
    sum_used: Decimal
    sum_most: Decimal | None
    made_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    end_reason: str
    state: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Standable:
    """A tool of an agent, and whether its calls can be agreed to beforehand; `because` says why not."""

    tool: ToolPolicy
    tier: int
    because: str = ""


def standing_approvals(*, tenant: uuid.UUID, at: datetime, user_id: int | None = None) -> list[StandingDetail]:
    """Those of a person, or (without one) of the whole organisation; those in force first, then the newest."""
    found = StandingApproval.objects.filter(tenant_id=tenant)
    if user_id is not None:
        found = found.filter(user_id=user_id)
    details = _details(tenant, found.order_by("-made_at", "-id")[:500], at)
    return sorted(details, key=lambda each: each.state is not Standing.ACTIVE)


def standing_approval(*, tenant: uuid.UUID, standing: uuid.UUID, at: datetime) -> StandingDetail:
    """Raises NotFound."""
    found = _details(tenant, StandingApproval.objects.filter(tenant_id=tenant, id=standing), at)
    if not found:
        raise NotFound("There is no such standing approval.")
    return found[0]


def standable_tools(*, tenant: uuid.UUID, agent: str) -> list[Standable]:
    """The tools of the agent's newest approved version whose calls ask people. Raises AgentUnknown."""
    policy = catalog.current_policy(tenant=tenant, agent=agent)
    rules = rules_for(tenant=tenant, agent=agent, policy_version=policy.policy_version)
    found = []
    for tool in policy.tools.values():
        tier = max(tool.tier, rules.floor(tool.name))
        if tier > 1 and tool.is_reviewed:
            found.append(Standable(tool=tool, tier=tier, because=_why_not(tier, rules.may_stand_at_tier_3(tool.name))))
    return found


def standable_tool(*, tenant: uuid.UUID, agent: str, tool: str) -> Standable:
    """One of them. Raises AgentUnknown, ToolUnknown."""
    found = next((each for each in standable_tools(tenant=tenant, agent=agent) if each.tool.name == tool), None)
    if found is None:
        raise ToolUnknown(f"{agent[:100]} has no tool {tool[:100]!r} that asks people.")
    return found


def _why_not(tier: int, may_stand_at_tier_3: bool) -> str:
    if tier == 4:
        return "Tier 4 takes two people each time."
    if tier == 3 and not may_stand_at_tier_3:
        return "Your organisation does not allow this at tier 3."
    return ""


def _details(tenant: uuid.UUID, found: Iterable[StandingApproval], at: datetime) -> list[StandingDetail]:
    rows = list(found)
    people = access.members_by_id(tenant, {row.user_id for row in rows})
    return [_detail(row, str(people.get(row.user_id, "Somebody who left")), at) for row in rows]


def _detail(row: StandingApproval, owner: str, at: datetime) -> StandingDetail:
    return StandingDetail(
        id=row.id,
        owner=owner,
        user_id=row.user_id,
        acting_user=row.acting_user,
        agent=row.agent,
        tool=row.tool,
        tool_version_id=row.tool_version_id,
        tier=row.tier,
        constraints=constraints_of(row.constraints),
        uses=row.uses,
        uses_most=row.uses_most,
        sum_used=row.sum_used,
        sum_most=row.sum_most,
        made_at=row.made_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        end_reason=row.end_reason,
        state=_state(row, at),
    )


def constraints_of(kept: Sequence[dict[str, Any]]) -> list[Constraint]:
    return [Constraint(each["pointer"], Kind(each["kind"]), each.get("value")) for each in kept]


def _state(row: StandingApproval, at: datetime) -> Standing:
    if row.ended_at is not None:
        return Standing.ENDED
    if at >= row.expires_at:
        return Standing.EXPIRED
    return Standing.USED_UP if row.uses >= row.uses_most else Standing.ACTIVE
