"""The receipt: what was seen, approved, permitted and executed, side by side, so that anybody can check it without us."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from agentops.common import clock
from agentops.confirmations import rendering
from agentops.confirmations.digests import ACTION_DOMAIN, arguments_digest, is_bound
from agentops.confirmations.queries.detail import detail, view_of
from agentops.confirmations.types import Choice, Detail, Said

HOW = (
    "action_digest is SHA-256 over the bytes of action_domain, a zero byte, and the bytes of binding (RFC 8785, UTF-8). "
    "args_digest is SHA-256 over the bytes of the member arguments of binding, as they stand in it. view_digest is SHA-256 "
    "over the bytes of view_domain, a zero byte, and the bytes of view. The permit is a JWS (RFC 7515) whose claims "
    "action_digest and args_digest are these."
)


def receipt(*, tenant: uuid.UUID, confirmation: uuid.UUID) -> dict[str, Any]:
    """JSON. Each part has digests and `matches`: do they equal those of the stored bytes; null where nobody told any.

    `holds` is whether nothing that was told differs. Raises NotEligible (404).
    """
    found = detail(tenant=tenant, confirmation=confirmation)
    view = view_of(found)
    parts = {
        "seen": [_seen(said, found, view) for said in found.said],
        "approved": _approved(found),
        "permitted": _permitted(found),
        "executed": _executed(found),
    }
    return {
        "v": 1,
        "confirmation": str(found.id),
        "tenant": str(tenant),
        "state": found.state.value,
        "tier": found.tier,
        "agent": found.agent,
        "agent_version": found.agent_version,
        "acting_user": found.acting_user,
        "tool": found.tool,
        "tool_version": found.tool_version,
        "run_id": found.run_id.hex,
        "call_id": found.call_id,
        "raised_because": list(found.raised_because),
        "requested_at": clock.rfc3339(found.requested_at),
        "action_domain": ACTION_DOMAIN[:-1].decode(),
        "action_digest": _named(found.action_digest),
        "args_digest": _named(arguments_digest(found.arguments)),
        "binding": found.binding.decode(),
        "view_domain": "agentops.view.v1",
        "view_digest": _named(view.digest),
        "view": view.canonical_text(),
        "renderer": view.version,
        **parts,
        "holds": all(flag is not False for flag in _flags(parts)),
        "how": HOW,
    }


def _seen(said: Said, found: Detail, view: rendering.View) -> dict[str, Any]:
    """What one person looked at. Of an earlier renderer, its view cannot be drawn again: then the action's digest counts."""
    is_same_renderer = said.renderer == view.version
    return {
        "by": said.voter,
        "label": said.label,
        "choice": said.choice.value,
        "stage": said.stage,
        "at": clock.rfc3339(said.at),
        "renderer": said.renderer,
        "action_digest": _named(said.action_digest),
        "view_digest": _named(said.view_digest),
        "matches": said.action_digest == found.action_digest
        and (not is_same_renderer or said.view_digest == view.digest),
    }


def _approved(found: Detail) -> dict[str, Any]:
    """What is kept as approved, and whether its digest is that of the bytes that are kept."""
    approvals = [said for said in found.said if said.choice is Choice.APPROVE]
    needed = 2 if found.tier == 4 else 1
    is_approved = found.standing_id is not None or len(approvals) >= needed
    return {
        "by": [said.voter for said in approvals],
        "standing_approval": str(found.standing_id) if found.standing_id else None,
        "at": _moment(found.decided_at) if is_approved else None,
        "action_digest": _named(found.action_digest),
        "matches": is_bound(found.binding, found.arguments, found.action_digest),
    }


def _permitted(found: Detail) -> dict[str, Any] | None:
    if found.redeemed_at is None:
        return None
    is_covered = found.decided_at is not None and found.decided_at <= found.redeemed_at
    return {
        "jti": found.permit_jti or None,
        "at": _moment(found.redeemed_at),
        "action_digest": _named(found.action_digest),
        "args_digest": _named(arguments_digest(found.arguments)),
        "matches": is_covered,
    }


def _executed(found: Detail) -> dict[str, Any] | None:
    if found.redeemed_at is None:
        return None
    told = found.executed_digest
    return {
        "state": found.state.value,
        "at": _moment(found.ended_at),
        "args_digest": _named(told) if told is not None else None,
        "matches": None if told is None else told == arguments_digest(found.arguments),
    }


def _flags(parts: dict[str, Any]) -> list[bool | None]:
    return [
        each["matches"]
        for part in parts.values()
        for each in (part if isinstance(part, list) else [part])
        if each is not None
    ]


def _named(digest: bytes) -> str:
    return f"sha256:{digest.hex()}"


def _moment(moment: datetime | None) -> str | None:
    return clock.rfc3339(moment) if moment else None
