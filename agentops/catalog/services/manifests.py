"""A manifest becomes rows: all of it or nothing, and the same one again changes nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max

from agentops.catalog import digests
from agentops.catalog.manifest import Manifest, ToolForm
from agentops.catalog.models import Agent, AgentVersion, Tool, ToolGrant, ToolVersion
from agentops.catalog.policies import is_floating, may_be_approved
from agentops.catalog.services import changes, gates, reviews, versions
from agentops.catalog.types import Applied, AppliedTool, Gate, Review
from audit.types import Actor, Target


@dataclass(frozen=True, slots=True)
class _Defined:
    form: ToolForm
    row: ToolVersion
    is_new: bool


def apply_manifest(
    *, tenant: uuid.UUID, manifest: Manifest, by: Actor, at: datetime, approve_tools: bool = False
) -> Applied:
    """Make the catalog say what a manifest says.

    A definition that is not known is a new revision of its label, and unreviewed; a version whose content changes loses
    its approval. With `approve_tools`, who applies it also reviews its tools, and approves the version unless a gate
    stands before it. Raises ApproversMissing.
    """
    changes.begin(tenant)
    for tool in manifest.tools:
        changes.require_approvers(tenant, tool.tier, tool=tool.name, agents=[manifest.agent.name])
    defined = [_define(tenant, tool, by, at) for tool in manifest.tools]
    agent = _agent(tenant, manifest.agent.name, by, at)
    version, is_new, was_changed, lost = _version(agent, manifest, defined, by, at)
    if approve_tools:
        was_changed = _approve(version, defined, by, at) or was_changed
    agent.refresh_from_db(fields=["policy_version"])
    revoked = ToolGrant.objects.filter(tenant_id=tenant, agent_version=version, revoked_at__isnull=False)
    return Applied(
        agent=agent.name,
        version=version.version,
        agent_id=agent.id,
        version_id=version.id,
        policy_version=agent.policy_version,
        is_approved=version.approved_at is not None,
        is_new=is_new,
        was_changed=was_changed or any(each.is_new for each in defined),
        lost_approval=lost,
        tools=[
            AppliedTool(
                name=each.form.name,
                version=each.row.version,
                revision=each.row.revision,
                tool_version_id=each.row.id,
                digest=each.row.digest,
                tier=each.row.tier,
                review=Review(each.row.review),
                is_new=each.is_new,
            )
            for each in defined
        ],
        revoked=list(revoked.order_by("tool__name").values_list("tool__name", flat=True)),
        warnings=manifest.warnings,
    )


# -- tools ------------------------------------------------------------------------------------------------------------


def _define(tenant: uuid.UUID, form: ToolForm, by: Actor, at: datetime) -> _Defined:
    """The version of a definition: known by its digest, or a new revision of its label."""
    text = digests.canonical(form.definition)
    digest = digests.digest(text)
    tool, _ = Tool.objects.get_or_create(
        tenant_id=tenant, name=form.name, defaults={"created_at": at, "created_by": by.label[:200]}
    )
    of_label = ToolVersion.objects.filter(tenant_id=tenant, tool=tool, version=form.version)
    known = of_label.filter(digest=digest).select_related("tool").first()
    if known is not None:
        return _Defined(form, known, is_new=False)
    row = ToolVersion.objects.create(
        tenant_id=tenant,
        tool=tool,
        version=form.version,
        revision=(of_label.aggregate(last=Max("revision"))["last"] or 0) + 1,
        definition=text.decode(),
        digest=digest,
        schema_digest=digests.of(form.arguments),
        effect=form.effect,
        tier=form.tier,
        tier_because=form.tier_because,
        reversal=form.reversal,
        recipe=form.recipe,
        reversible_seconds=form.reversible_seconds,
        cosmetic=list(form.cosmetic),
        resource=form.resource,
        payee=form.payee,
        amount=form.amount,
        phrase=form.phrase,
        created_at=at,
        created_by=by.label[:200],
    )
    changes.record(
        tenant,
        "tool_version.defined",
        changes.tool_target(form.name, row),
        {
            "tool": form.name,
            "version": row.version,
            "revision": row.revision,
            "digest": digest,
            "effect": str(form.effect),
            "tier": form.tier,
            "tier_because": form.tier_because,
        },
        by,
        at,
    )
    return _Defined(form, row, is_new=True)


# -- the agent --------------------------------------------------------------------------------------------------------


def _agent(tenant: uuid.UUID, name: str, by: Actor, at: datetime) -> Agent:
    agent, is_new = Agent.objects.get_or_create(
        tenant_id=tenant, name=name, defaults={"created_at": at, "created_by": by.label[:200]}
    )
    if is_new:
        changes.record(tenant, "agent.created", Target(type="agent", id=name), {"agent": name}, by, at)
    return agent


def _version(
    agent: Agent, manifest: Manifest, defined: Sequence[_Defined], by: Actor, at: datetime
) -> tuple[AgentVersion, bool, bool, bool]:
    """The version as the manifest says it; whether it is new, was changed, and has lost its approval."""
    content = _content(manifest, defined)
    # What is not said is not part of what was approved, so that a version of before it could be said stays the same.
    said = {name: value for name, value in content.items() if name != "output_cache" or value}
    digest = digests.of({"fields": said, "tools": _granted(defined)})
    version = (
        AgentVersion.objects.filter(tenant_id=agent.tenant_id, agent=agent, version=manifest.agent.version)
        .select_related("agent")
        .first()
    )
    if version is None:
        return _new_version(agent, manifest, content, digest, defined, by, at), True, True, False
    if version.content_digest == digest:
        return version, False, False, False
    lost = versions.lose_approval(version, because="its content was changed", by=by, at=at)
    changed = sorted(name for name, value in content.items() if getattr(version, name) != value)
    old = version.content_digest
    added, removed = _sync_grants(version, defined, by, at)
    for name, value in content.items():
        setattr(version, name, value)
    version.content_digest, version.changed_at, version.changed_by = digest, at, by.label[:200]
    version.save(update_fields=[*content, "content_digest", "changed_at", "changed_by"])
    if agent.is_gated or version.gate != Gate.NONE:  # it was another content that was tried, if any was
        versions.set_gate(version, Gate.REQUIRED, "its content was changed", by, at)
    changes.record(
        agent.tenant_id,
        "agent_version.changed",
        changes.version_target(version),
        {
            "agent": agent.name,
            "version": version.version,
            "old_digest": old,
            "content_digest": digest,
            "changed": changed,
            "tools_added": changes.told(added),
            "tools_removed": changes.told(removed),
        },
        by,
        at,
    )
    changes.bump(agent.tenant_id, [agent.id])
    return version, False, True, lost


def _new_version(
    agent: Agent,
    manifest: Manifest,
    content: dict[str, Any],
    digest: str,
    defined: Sequence[_Defined],
    by: Actor,
    at: datetime,
) -> AgentVersion:
    version = AgentVersion.objects.create(
        tenant_id=agent.tenant_id,
        agent=agent,
        version=manifest.agent.version,
        content_digest=digest,
        created_at=at,
        created_by=by.label[:200],
        changed_at=at,
        changed_by=by.label[:200],
        **gates.at_birth(agent, by, at),
        **content,
    )
    _sync_grants(version, defined, by, at)
    changes.record(
        agent.tenant_id,
        "agent_version.created",
        changes.version_target(version),
        {
            "agent": agent.name,
            "version": version.version,
            "content_digest": digest,
            "models": list(manifest.agent.models),
            "tools": changes.told([_label(each.row, each.form.name) for each in defined]),
        },
        by,
        at,
    )
    if agent.is_gated:
        gates.note_gate(version, by, at)
    changes.bump(agent.tenant_id, [agent.id])
    return version


def _content(manifest: Manifest, defined: Sequence[_Defined]) -> dict[str, Any]:
    """The columns of a version that its manifest decides."""
    form = manifest.agent
    return {
        "prompt_hash": form.prompt_hash,
        "allowed_models": list(form.models),
        "floating_models": [model for model in form.models if is_floating(model)],
        "tool_definitions_hash": digests.tool_definitions(
            (each.form.name, each.form.description, each.form.arguments) for each in defined
        ),
        "caps": dict(form.caps),
        "repetition": dict(form.repetition),
        "routing": dict(form.routing),
        "reads_when_offline": form.reads_when_offline,
        "output_cache": dict(form.output_cache),
    }


def _granted(defined: Sequence[_Defined]) -> list[list[Any]]:
    return sorted([each.form.name, each.row.version, each.row.digest, dict(each.form.scope)] for each in defined)


def _sync_grants(
    version: AgentVersion, defined: Sequence[_Defined], by: Actor, at: datetime
) -> tuple[list[str], list[str]]:
    """Make the grants those of the manifest; answers what came and what went, as labels.

    A grant that a person took away stays away as long as the manifest names the same tool version.
    """
    present = {
        grant.tool_id: grant
        for grant in ToolGrant.objects.filter(tenant_id=version.tenant_id, agent_version=version).select_related(
            "tool", "tool_version"
        )
    }
    added, removed = [], []
    for position, each in enumerate(defined):
        grant = present.pop(each.row.tool_id, None)
        if grant is not None and grant.tool_version_id == each.row.id:
            if grant.scope != each.form.scope or grant.position != position:
                grant.scope, grant.position = dict(each.form.scope), position
                grant.save(update_fields=["scope", "position"])
            continue
        if grant is not None:
            removed.append(_label(grant.tool_version, grant.tool.name))
            grant.delete()
        ToolGrant.objects.create(
            tenant_id=version.tenant_id,
            agent_version=version,
            tool=each.row.tool,
            tool_version=each.row,
            scope=dict(each.form.scope),
            position=position,
            granted_at=at,
            granted_by=by.label[:200],
        )
        added.append(_label(each.row, each.form.name))
    for grant in present.values():
        removed.append(_label(grant.tool_version, grant.tool.name))
        grant.delete()
    return added, sorted(removed)


def _label(row: ToolVersion, name: str) -> str:
    return f"{name}@{row.version}#{row.revision}"


# -- approval by who applies it ---------------------------------------------------------------------------------------


def _approve(version: AgentVersion, defined: Sequence[_Defined], by: Actor, at: datetime) -> bool:
    """Review the tools that wait for it and approve the version; answers whether that changed anything.

    What a reviewer has rejected stays rejected: that is a word about this tool, not about all of a manifest.
    """
    was_changed = False
    for each in defined:
        if each.row.review == Review.PENDING:
            because = each.form.tier_because
            reason = f"approved with the manifest of {version.agent.name} {version.version}"
            reviews.decide(
                each.row,
                verdict=Review.APPROVED,
                tier=each.row.tier,
                reason=f"{reason}; tier {each.row.tier}: {because}" if because else reason,
                by=by,
                at=at,
                is_declared=True,
            )
            was_changed = True
    if version.approved_at is None and may_be_approved(Gate(version.gate), is_gated=version.agent.is_gated):
        versions.approve(version, by=by, at=at)
        was_changed = True
    return was_changed
