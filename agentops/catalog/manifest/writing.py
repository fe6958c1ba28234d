"""A stored agent version in the manifest's form: what `read` takes, with a `status` that it passes over."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from agentops.catalog.types import AgentDetail, GrantDetail, Reversal, Routing, VersionDetail
from agentops.common.money import usd_text


def write(agent: AgentDetail, version: VersionDetail) -> dict[str, Any]:
    """The manifest of a version, and its standing in `status`."""
    return {
        "agent": _agent(agent, version),
        "tools": [_tool(grant) for grant in version.grants],
        "status": {
            "policy_version": agent.policy_version,
            "content_digest": version.content_digest,
            "tool_definitions_hash": version.tool_definitions_hash,
            "approved": version.is_approved,
            "approved_at": _time(version.approved_at),
            "approved_by": version.approved_by,
            "gate": str(version.gate),
            "floating_models": list(version.floating_models),
            "tools": [_standing(grant) for grant in version.grants],
            "versions": [
                {"version": each.version, "approved": each.is_approved, "changed_at": _time(each.changed_at)}
                for each in agent.versions
            ],
        },
    }


def _agent(agent: AgentDetail, version: VersionDetail) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": agent.name,
        "version": version.version,
        "model": version.models[0],
        "models": list(version.models),
    }
    if version.prompt_hash:
        found["prompt_hash"] = version.prompt_hash
    caps = {name: value for name, value in asdict(version.caps).items() if value is not None}
    if "cost_nano_usd" in caps:
        caps["cost_usd"] = usd_text(caps.pop("cost_nano_usd"))
    repetition = {name: value for name, value in asdict(version.repetition).items() if value is not None}
    parts = {"caps": caps, "repetition": repetition, "routing": _routing(version.routing)}
    found |= {name: part for name, part in parts.items() if part}
    if version.reads_when_offline:
        found["reads_when_offline"] = True
    if version.output_cache.seconds:
        who = "everybody" if version.output_cache.is_for_everybody else "user"
        found["output_cache"] = {"seconds": version.output_cache.seconds, "for": who}
    return found


def _routing(routing: Routing) -> dict[str, Any]:
    if not routing.is_on:
        return {}
    return {
        "cheap": routing.cheap,
        "premium": routing.premium,
        "cheap_tasks": list(routing.cheap_tasks),
        "premium_tasks": list(routing.premium_tasks),
        "max_failure_rate": routing.max_failure_rate,
    }


def _tool(grant: GrantDetail) -> dict[str, Any]:
    definition = grant.definition
    found: dict[str, Any] = {
        "name": grant.tool,
        "version": grant.version,
        "effect": definition["effect"],
        "tier": definition["tier"],
        "arguments": definition["arguments"],
    }
    for name in ("description", "tier_because", "cosmetic", "resource", "payee", "amount", "phrase", "raise_tier"):
        if definition[name]:
            found[name] = definition[name]
    if definition["rules"]:
        found["rules"] = [{name: text for name, text in rule.items() if text} for rule in definition["rules"]]
    if definition["reversal"] == Reversal.YES:
        found["reversible"] = {"how": definition["recipe"]}
        if definition["reversible_seconds"] is not None:
            found["reversible"]["within_seconds"] = definition["reversible_seconds"]
    elif definition["reversal"] == Reversal.NO:
        found["reversible"] = False
    if grant.scope:
        found["grant"] = {"scope": dict(grant.scope)}
    return found


def _standing(grant: GrantDetail) -> dict[str, Any]:
    return {
        "name": grant.tool,
        "version": grant.version,
        "revision": grant.revision,
        "tier": grant.tier,
        "review": str(grant.review),
        "revoked": grant.revoked_at is not None,
    }


def _time(moment: Any) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
