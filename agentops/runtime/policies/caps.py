"""What holds for a run: the smallest of agent, organisation and plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from agentops.common.money import NANO
from agentops.runtime.types import EffectiveCaps
from tenants.roles import Plan

DEFAULTS = EffectiveCaps(
    llm_calls=20,
    tool_calls=60,
    depth=3,
    tokens=200_000,
    cost_nano_usd=2 * NANO,
    duration_seconds=15 * 60,
    runs_per_user=5,
    runs_per_tenant=100,
    runs_per_minute=30,
    tenant_runs_per_minute=300,
)
"""What holds where an agent says nothing."""

PLAN_CAPS: Mapping[str, EffectiveCaps] = {
    Plan.FREE: DEFAULTS,
    Plan.PRO: EffectiveCaps(
        llm_calls=200,
        tool_calls=600,
        depth=5,
        tokens=2_000_000,
        cost_nano_usd=20 * NANO,
        duration_seconds=2 * 3600,
        runs_per_user=20,
        runs_per_tenant=500,
        runs_per_minute=120,
        tenant_runs_per_minute=1_200,
    ),
    Plan.ENTERPRISE: EffectiveCaps(
        llm_calls=2_000,
        tool_calls=6_000,
        depth=10,
        tokens=20_000_000,
        cost_nano_usd=200 * NANO,
        duration_seconds=12 * 3600,
        runs_per_user=100,
        runs_per_tenant=5_000,
        runs_per_minute=1_200,
        tenant_runs_per_minute=12_000,
    ),
}
"""What no agent of a plan passes, whatever it says."""

NAMES = tuple(each.name for each in fields(EffectiveCaps))


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """What a family has used and holds when a child of it begins."""

    llm_calls: int
    tool_calls: int
    tokens: int
    cost_nano_usd: int


def within(own: EffectiveCaps, *, parent: EffectiveCaps, used: Used, depth: int) -> EffectiveCaps:
    """The caps of a child run at a depth: no more than its agent may use, and no more than its parent may.

    A family has one set of counters, so what the child may use lies on top of what was used before it began. What its
    relatives use meanwhile counts, too: it may get less than its own, never more.
    """
    return EffectiveCaps(
        llm_calls=min(parent.llm_calls, used.llm_calls + own.llm_calls),
        tool_calls=min(parent.tool_calls, used.tool_calls + own.tool_calls),
        depth=min(parent.depth, depth + own.depth),
        tokens=min(parent.tokens, used.tokens + own.tokens),
        cost_nano_usd=min(parent.cost_nano_usd, used.cost_nano_usd + own.cost_nano_usd),
        duration_seconds=min(parent.duration_seconds, own.duration_seconds),
        runs_per_user=min(parent.runs_per_user, own.runs_per_user),
        runs_per_tenant=min(parent.runs_per_tenant, own.runs_per_tenant),
        runs_per_minute=min(parent.runs_per_minute, own.runs_per_minute),
        tenant_runs_per_minute=min(parent.tenant_runs_per_minute, own.tenant_runs_per_minute),
    )


def effective(*, agent: Mapping[str, int | None], organisation: Mapping[str, int], plan: str) -> EffectiveCaps:
    """The smallest of what the agent says (else the default), the organisation and the plan."""
    defaults, outer = asdict(DEFAULTS), asdict(PLAN_CAPS[plan])
    found = {}
    for name in NAMES:
        said = agent.get(name)
        wanted = defaults[name] if said is None else said
        found[name] = min(wanted, organisation.get(name, wanted), outer[name])
    return EffectiveCaps(**found)
