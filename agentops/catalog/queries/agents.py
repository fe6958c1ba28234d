"""Agents, their versions and grants, for pages and the API."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence

import orjson
from django.db.models import Prefetch

from agentops.catalog.errors import AgentUnknown
from agentops.catalog.models import Agent, AgentVersion, ToolGrant
from agentops.catalog.types import (
    AgentCaps,
    AgentDetail,
    AgentSummary,
    Effect,
    Gate,
    GrantDetail,
    OutputCache,
    Repetition,
    Review,
    Routing,
    VersionDetail,
)


def agents(*, tenant: uuid.UUID, after: str = "", most: int | None = None) -> list[AgentSummary]:
    """Agents by name, those behind a name, at most so many. Needs the tenant's scope, or staff's."""
    found = list(Agent.objects.filter(tenant_id=tenant, name__gt=after).order_by("name")[:most])
    versions: dict[uuid.UUID, list[AgentVersion]] = defaultdict(list)
    for version in _versions(tenant, [agent.id for agent in found]):
        versions[version.agent_id].append(version)
    return [_summary(agent, versions[agent.id]) for agent in found if versions[agent.id]]


def tenants_with_agent(*, name: str, among: Sequence[uuid.UUID]) -> set[uuid.UUID]:
    """The organisations that have registered an agent of this name. Needs staff's scope."""
    return set(Agent.objects.filter(tenant_id__in=list(among), name=name).values_list("tenant_id", flat=True))


def is_registered(*, tenant: uuid.UUID, name: str) -> bool:
    """Is there an agent of this name? Whoever sends traces may name any."""
    return "\0" not in name and Agent.objects.filter(tenant_id=tenant, name=name).exists()


def agent(*, tenant: uuid.UUID, name: str) -> AgentDetail:
    """One agent with all that its manifests said. Raises AgentUnknown."""
    found = None if "\0" in name else Agent.objects.filter(tenant_id=tenant, name=name).first()
    if found is None:
        raise AgentUnknown(f"There is no agent {name[:100]!r}.")
    return AgentDetail(
        id=found.id,
        name=found.name,
        policy_version=found.policy_version,
        created_at=found.created_at,
        created_by=found.created_by,
        is_gated=found.is_gated,
        versions=[_detail(version) for version in _versions(tenant, [found.id])],
    )


def _versions(tenant: uuid.UUID, agents_: Sequence[uuid.UUID]) -> Iterable[AgentVersion]:
    """With their grants, the last changed first."""
    grants = (
        ToolGrant.objects.filter(tenant_id=tenant)
        .select_related("tool", "tool_version")
        .order_by("position", "tool__name")
    )
    return (
        AgentVersion.objects.filter(tenant_id=tenant, agent_id__in=agents_)
        .order_by("-changed_at", "-id")
        .prefetch_related(Prefetch("grants", queryset=grants))
    )


def _summary(found: Agent, versions: Sequence[AgentVersion]) -> AgentSummary:
    latest = versions[0]
    grants = [grant for grant in latest.grants.all() if grant.revoked_at is None]
    return AgentSummary(
        id=found.id,
        name=found.name,
        policy_version=found.policy_version,
        versions=len(versions),
        approved=sum(version.approved_at is not None for version in versions),
        latest=latest.version,
        latest_is_approved=latest.approved_at is not None,
        latest_gate=Gate(latest.gate),
        is_gated=found.is_gated,
        tools=len(grants),
        tools_waiting=sum(grant.tool_version.review != Review.APPROVED for grant in grants),
        highest_tier=max((grant.tool_version.tier for grant in grants), default=0),
        floating=bool(latest.floating_models),
        changed_at=latest.changed_at,
    )


def _detail(version: AgentVersion) -> VersionDetail:
    return VersionDetail(
        id=version.id,
        version=version.version,
        content_digest=version.content_digest,
        prompt_hash=version.prompt_hash,
        tool_definitions_hash=version.tool_definitions_hash,
        models=version.allowed_models,
        floating_models=version.floating_models,
        caps=AgentCaps(**version.caps),
        repetition=Repetition(**version.repetition),
        routing=Routing(**version.routing),
        reads_when_offline=version.reads_when_offline,
        output_cache=OutputCache(**version.output_cache),
        created_at=version.created_at,
        created_by=version.created_by,
        changed_at=version.changed_at,
        changed_by=version.changed_by,
        approved_at=version.approved_at,
        approved_by=version.approved_by,
        gate=Gate(version.gate),
        gate_detail=version.gate_detail,
        gate_at=version.gate_at,
        grants=[_grant(grant) for grant in version.grants.all()],
    )


def _grant(grant: ToolGrant) -> GrantDetail:
    return GrantDetail(
        tool=grant.tool.name,
        tool_version_id=grant.tool_version_id,
        version=grant.tool_version.version,
        revision=grant.tool_version.revision,
        effect=Effect(grant.tool_version.effect),
        tier=grant.tool_version.tier,
        review=Review(grant.tool_version.review),
        definition=orjson.loads(grant.tool_version.definition),
        scope=grant.scope,
        granted_at=grant.granted_at,
        granted_by=grant.granted_by,
        revoked_at=grant.revoked_at,
        revoked_by=grant.revoked_by,
    )
