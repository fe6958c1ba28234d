"""Where drills are played: an organisation that is no customer, keys that live as long as the drill, and its agent."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agentops.budgets import services as budgets
from agentops.catalog import services as catalog
from agentops.catalog.manifest import read
from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.scope import tenant_scope
from agentops.portal.demo import models
from agentops.runtime import queries as guard
from agentops.runtime import services as switching
from audit.types import operator
from tenants import keys, queries, services
from tenants.roles import KeyScope, Plan
from tenants.types import Tenant

SWITCH_REASON = "A drill: is everything stopped?"
_KEYS = "Drill of "  # how keys of drills are called, before the time
SLUG, NAME = "drill-ground", "Drill ground (no customer)"
BY = operator("drill")
MODEL, VERSION = models.GPT_41_MINI.name, "drill"
CAP = 6  # model calls of a run
_SCOPES = (KeyScope.GUARD, KeyScope.INGEST, KeyScope.FEEDBACK, KeyScope.READ, KeyScope.ADMIN)


@dataclass(frozen=True, slots=True)
class Ground:
    """The organisation, and the texts of its keys by scope."""

    tenant: Tenant
    keys: dict[str, str]

    @property
    def id(self) -> uuid.UUID:
        return self.tenant.id


@contextlib.contextmanager
def opened() -> Iterator[Ground]:
    """The organisation is made where there is none; the keys are revoked at the end."""
    tenant, at = _tenant(), clock.now()
    with tenant_scope(tenant.id):
        made = services.create_key(tenant=tenant.id, name=f"{_KEYS}{at:%d %b, %H:%M}", scopes=_SCOPES, by=BY, at=at)
    try:
        yield Ground(tenant, {scope.value: made.text for scope in _SCOPES})
    finally:
        with tenant_scope(tenant.id):
            services.revoke_key(tenant=tenant.id, key=made.key.id, by=BY, at=clock.now())


def tidy_up(ground: Ground) -> None:
    """End what a drill that was killed could not: its keys, and its kill switches. One drill is played at a time."""
    mine = {keys.digest(text) for text in ground.keys.values()}
    with tenant_scope(ground.id):
        for key in queries.keys(ground.id):
            if key.revoked_at is None and key.name.startswith(_KEYS) and bytes(key.digest) not in mine:
                services.revoke_key(tenant=ground.id, key=key.id, by=BY, at=clock.now())
        for switch in guard.switches(tenant=ground.id, only_on=True):
            if switch.reason == SWITCH_REASON:
                said: dict[str, Any] = {"reason": "Left by an earlier drill.", "by": BY, "at": clock.now()}
                switching.lift_switch(tenant=ground.id, switch_id=switch.id, **said)


def _tenant() -> Tenant:
    with contextlib.suppress(NotFound):
        found = queries.tenant_called(SLUG)
        if not found.is_drill:
            raise NotAGround(f"{SLUG} is an organisation on which no drills may be played. Rename it.")
        return found
    at = clock.now()
    tenant = services.create_tenant(
        slug=SLUG,
        name=NAME,
        plan=Plan.PRO,
        owner_email="drills@agentops.example",
        owner_name="Drills",
        password=secrets.token_urlsafe(32),
        is_drill=True,
        by=BY,
        at=at,
    )
    with tenant_scope(tenant.id):
        budgets.adopt_calendar(tenant=tenant.id, time_zone="UTC", at=at)
        budgets.apply_plan(tenant=tenant.id, plan=Plan.PRO, at=at)
    return tenant


class NotAGround(RuntimeError):
    """The organisation of that name is a customer."""


def register(ground: Ground, agent: str) -> None:
    """An agent of this drill alone, with its tools, reviewed by the operator: an alert about it is no other drill's."""
    with tenant_scope(ground.id):
        catalog.apply_manifest(
            tenant=ground.id, manifest=read(_manifest(agent)), by=BY, at=clock.now(), approve_tools=True
        )


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _arguments(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


_TOOLS: list[dict[str, Any]] = [
    {"name": "find_shelf", "version": "1", "effect": "read", "tier": 1, "arguments": _arguments(sku=_text("Which"))},
    {"name": "count_stock", "version": "1", "effect": "read", "tier": 1, "arguments": _arguments(shelf=_text("Where"))},
    {
        "name": "get_account",
        "version": "1",
        "effect": "read",
        "tier": 1,
        "arguments": _arguments(account=_text("Whose")),
    },
    {
        "name": "delete_record",
        "version": "1",
        "effect": "delete",
        "tier": 3,
        "reversible": False,
        "arguments": _arguments(id=_text("The record")),
        "rules": [
            {
                "code": "one_record",
                "expression": "args.id.matches('^rec_[0-9]+$')",
                "pointer": "/id",
                "expected": "the id of one record, such as rec_17",
            }
        ],
    },
    {
        "name": "send_email",
        "version": "1",
        "effect": "send",
        "tier": 3,
        "description": "Send a letter to somebody outside",
        "reversible": False,
        "arguments": _arguments(to=_text("Where to", format="email"), subject=_text("About"), body=_text("The letter")),
    },
    {
        "name": "create_event",
        "version": "1",
        "effect": "write",
        "tier": 2,
        "description": "Put an event into the calendar and invite its guests",
        "reversible": {"how": "delete the event; the guests are told", "within_seconds": 86_400},
        "arguments": _arguments(title=_text("What"), starts_at=_text("When"), guest=_text("Whom", format="email")),
    },
]


def _manifest(agent: str) -> dict[str, Any]:
    return {
        "agent": {
            "name": agent,
            "version": VERSION,
            "model": MODEL,
            "models": [MODEL],
            "prompt_hash": f"sha256:{hashlib.sha256(agent.encode()).hexdigest()}",
            "caps": {"llm_calls": CAP, "tool_calls": 40, "cost_usd": "1.00"},
        },
        "tools": _TOOLS,
    }
