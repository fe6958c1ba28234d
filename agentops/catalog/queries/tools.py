"""Tool versions and their reviews, for the tenant's pages and for staff who review for many tenants."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

import orjson
from django.db.models import Prefetch, QuerySet

from agentops.catalog import differences
from agentops.catalog.errors import ToolUnknown
from agentops.catalog.models import ToolGrant, ToolVersion
from agentops.catalog.types import Effect, Reversal, Review, ToolVersionDetail, ToolVersionSummary


def tool_versions(
    *, tenant: uuid.UUID | None, review: Review | None = None, tool: str = ""
) -> list[ToolVersionSummary]:
    """Tool versions by tool and age, the newest first, of a tenant or (in staff's scope, with None) of all."""
    found = _rows(tenant)
    if review is not None:
        found = found.filter(review=review)
    if tool:
        found = found.filter(tool__name=tool)
    return _summaries(found.order_by("tool__name", "-created_at", "-id"))


def tools_waiting(*, tenant: uuid.UUID | None) -> list[ToolVersionSummary]:
    """What waits for a reviewer, the longest-waiting first: pending versions that an agent was granted."""
    found = _rows(tenant).filter(review=Review.PENDING, grants__revoked_at__isnull=True, grants__isnull=False)
    return _summaries(found.distinct().order_by("created_at", "id"))


def tool_version(*, tenant: uuid.UUID, tool_version_id: uuid.UUID) -> ToolVersionDetail:
    """One tool version, with what is different from the one defined before it. Raises ToolUnknown."""
    found = _rows(tenant).filter(id=tool_version_id).first()
    if found is None:
        raise ToolUnknown("There is no such version of a tool.")
    earlier = _rows(tenant).filter(tool_id=found.tool_id, id__lt=found.id).order_by("-id").first()
    definition = orjson.loads(found.definition)
    return ToolVersionDetail(
        summary=_summary(found),
        digest=found.digest,
        schema_digest=found.schema_digest,
        definition=definition,
        tier_because=found.tier_because,
        reversal=Reversal(found.reversal),
        recipe=found.recipe,
        reversible_seconds=found.reversible_seconds,
        review_reason=found.review_reason,
        previous=_summary(earlier) if earlier else None,
        differences=differences.between(orjson.loads(earlier.definition), definition) if earlier else [],
    )


def _rows(tenant: uuid.UUID | None) -> QuerySet[ToolVersion]:
    grants = (
        ToolGrant.objects.filter(revoked_at__isnull=True)
        .select_related("agent_version__agent")
        .order_by("agent_version__agent__name", "agent_version__version")
    )
    found = ToolVersion.objects.select_related("tool").prefetch_related(Prefetch("grants", queryset=grants))
    return found if tenant is None else found.filter(tenant_id=tenant)


def _summaries(found: Iterable[ToolVersion]) -> list[ToolVersionSummary]:
    return [_summary(version) for version in found]


def _summary(found: ToolVersion) -> ToolVersionSummary:
    return ToolVersionSummary(
        tenant_id=found.tenant_id,
        id=found.id,
        tool=found.tool.name,
        version=found.version,
        revision=found.revision,
        effect=Effect(found.effect),
        tier=found.tier,
        review=Review(found.review),
        created_at=found.created_at,
        created_by=found.created_by,
        reviewed_at=found.reviewed_at,
        reviewed_by=found.reviewed_by,
        agents=[f"{grant.agent_version.agent.name}@{grant.agent_version.version}" for grant in found.grants.all()],
    )
