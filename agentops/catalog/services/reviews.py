"""The review of tool versions: of one exact definition, by its digest."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.catalog.errors import ReviewMissing, ToolUnknown, invalid
from agentops.catalog.models import ToolGrant, ToolVersion
from agentops.catalog.policies import HIGHEST_TIER, needs_reason
from agentops.catalog.services import changes
from agentops.catalog.types import Effect, Review
from audit.types import Actor

REASON_MOST = 2_000


def review_tool_version(
    *,
    tenant: uuid.UUID,
    tool_version: uuid.UUID,
    verdict: Review,
    reason: str,
    by: Actor,
    at: datetime,
    tier: int | None = None,
) -> ToolVersion:
    """Approve or reject a definition, and say why; with `tier`, set another tier than the definition's.

    The same verdict again changes nothing. A later verdict replaces an earlier one. For tier 1 of a tool that does more
    than read, the reason stands for it. Raises ToolUnknown, InvalidInput, ApproversMissing.
    """
    changes.begin(tenant)
    found = ToolVersion.objects.filter(tenant_id=tenant, id=tool_version).select_related("tool").first()
    if found is None:
        raise ToolUnknown("There is no such version of a tool.")
    reason = reason.strip()
    if verdict not in (Review.APPROVED, Review.REJECTED):
        raise invalid("/verdict", "a review approves or rejects", "choice")
    if not 1 <= len(reason) <= REASON_MOST or "\0" in reason:
        raise invalid("/reason", f"say why, in 1 to {REASON_MOST} characters", "required")
    if tier is not None and not 1 <= tier <= HIGHEST_TIER:
        raise invalid("/tier", f"a tier from 1 to {HIGHEST_TIER} is expected", "range")
    return decide(found, verdict=verdict, tier=tier or found.tier, reason=reason, by=by, at=at)


def keep_tool_version(
    *, tenant: uuid.UUID, tool_version: uuid.UUID, reason: str, by: Actor, at: datetime
) -> ToolVersion:
    """Look at an approved definition again and keep it: the periodic audit. Nothing that decides changes.

    Raises ToolUnknown, InvalidInput, and ReviewMissing for what is not approved.
    """
    changes.begin(tenant)
    found = ToolVersion.objects.filter(tenant_id=tenant, id=tool_version).select_related("tool").first()
    if found is None:
        raise ToolUnknown("There is no such version of a tool.")
    if found.review != Review.APPROVED:
        raise ReviewMissing("Only what is approved can be kept; review it instead.")
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_MOST or "\0" in reason:
        raise invalid("/reason", f"say why, in 1 to {REASON_MOST} characters", "required")
    found.reviewed_at, found.reviewed_by, found.review_reason = at, by.label[:200], reason
    found.save(update_fields=["reviewed_at", "reviewed_by", "review_reason"])
    _record(found, by, at, reason)
    return found


def decide(
    found: ToolVersion, *, verdict: Review, tier: int, reason: str, by: Actor, at: datetime, is_declared: bool = False
) -> ToolVersion:
    """Write a verdict down. `is_declared`: the tier and its reason are the manifest's own."""
    if found.review == verdict and found.tier == tier:
        return found
    if verdict == Review.APPROVED:
        grants = ToolGrant.objects.filter(tenant_id=found.tenant_id, tool_version=found, revoked_at__isnull=True)
        agents = grants.values_list("agent_version__agent__name", flat=True)
        changes.require_approvers(found.tenant_id, tier, tool=found.tool.name, agents=agents)
    if tier != found.tier and needs_reason(Effect(found.effect), tier) and not is_declared:
        found.tier_because = reason
    found.review, found.tier = verdict, tier
    found.reviewed_at, found.reviewed_by, found.review_reason = at, by.label[:200], reason
    found.save(update_fields=["review", "tier", "tier_because", "reviewed_at", "reviewed_by", "review_reason"])
    _record(found, by, at, reason)
    changes.bump_users_of(found)
    return found


def _record(found: ToolVersion, by: Actor, at: datetime, reason: str) -> None:
    changes.record(
        found.tenant_id,
        "tool_version.reviewed",
        changes.tool_target(found.tool.name, found),
        {
            "tool": found.tool.name,
            "version": found.version,
            "revision": found.revision,
            "digest": found.digest,
            "verdict": str(found.review),
            "effect": found.effect,
            "tier": found.tier,
            "tier_because": found.tier_because,
        },
        by,
        at,
        reason,
    )
