"""What holds for a run: the smallest of agent, organisation and plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

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


def effective(*, agent: Mapping[str, int | None], organisation: Mapping[str, int], plan: str) -> EffectiveCaps:
    """The smallest of what the agent says (else the default), the organisation and the plan."""
    defaults, outer = asdict(DEFAULTS), asdict(PLAN_CAPS[plan])
    found = {}
    for name in NAMES:
        said = agent.get(name)
        wanted = defaults[name] if said is None else said
        found[name] = min(wanted, organisation.get(name, wanted), outer[name])
    return EffectiveCaps(**found)
