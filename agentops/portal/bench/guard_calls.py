"""What `bench guard` asks for: organisations with a reviewed agent, its runs, and their calls as bytes made before."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentops.catalog import services as agents
from agentops.catalog.manifest import read
from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.portal.bench import wire
from agentops.portal.bench.server import Web
from audit.types import operator
from tenants import services as tenants
from tenants.roles import KeyScope, Plan

CALLS_A_RUN = 48
WIDTH = 16  # runs that ask at once, at least
AGENT = "bench-agent"
MODEL = "gpt-4o-mini-2024-07-18"
TOOLS = ("look_up_order", "look_up_customer", "list_returns")
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["order_id", "amount_minor", "currency"],
    "properties": {
        "order_id": {"type": "string", "pattern": "^ord_[0-9]+$"},
        "amount_minor": {"type": "integer", "minimum": 0},
        "currency": {"enum": ["USD", "EUR"]},
        "note": {"type": "string", "maxLength": 500},
    },
}
_RULES = [
    ("amount_in_range", "args.amount_minor > 0 && args.amount_minor <= 500000", "/amount_minor"),
    ("small_in_euros", "args.currency != 'EUR' || args.amount_minor <= 400000", "/amount_minor"),
    ("not_for_oneself", "args.order_id != user.id", "/order_id"),
    ("note_is_short", "!has(args.note) || size(args.note) < 200", "/note"),
    ("early_in_the_run", "run.tool_calls < 1000", ""),
]


@dataclass(frozen=True)
class Tenant:
    """An organisation, and a key for all it does here."""

    id: uuid.UUID
    key: str


def make_tenant() -> Tenant:
    at, by = clock.now(), operator("bench")
    slug = f"bench-{uuid.uuid4().hex[:8]}"
    tenant = tenants.create_tenant(
        slug=slug, name="Bench", plan=Plan.ENTERPRISE, owner_email=f"{slug}@bench.invalid", owner_name="Bench",
        password=uuid.uuid4().hex, by=by, at=at,
    )  # fmt: skip
    scopes = [KeyScope.GUARD, KeyScope.ADMIN, KeyScope.READ]
    with tenant_scope(tenant.id):
        made = tenants.create_key(tenant=tenant.id, name="bench", scopes=scopes, by=by, at=at)
    return Tenant(tenant.id, made.text)


def set_up(server: Web, tenant: Tenant) -> None:
    """An agent of one version with three reading tools, reviewed; and a budget of the whole organisation."""
    manifest = {
        "agent": {
            "name": AGENT,
            "version": "1",
            "model": MODEL,
            "models": [MODEL],
            "prompt_hash": "sha256:" + "0" * 64,
            "caps": {
                "llm_calls": 2_000, "tool_calls": 6_000, "tokens": 20_000_000, "cost_usd": "200.00",
                "runs_per_user": 100, "runs_per_tenant": 5_000, "runs_per_minute": 1_200, "tenant_runs_per_minute": 12_000,
            },
        },
        "tools": [
            {
                "name": name,
                "version": "1",
                "effect": "read",
                "tier": 1,
                "arguments": _SCHEMA,
                "rules": [
                    {"code": code, "expression": rule, "pointer": pointer, "expected": "something sensible"}
                    for code, rule, pointer in _RULES
                ],
            }
            for name in TOOLS
        ],
    }  # fmt: skip
    with tenant_scope(tenant.id):
        agents.apply_manifest(
            tenant=tenant.id, manifest=read(manifest), by=operator("bench"), at=clock.now(), approve_tools=True
        )
    budget = {"scope": "tenant", "period": "month", "limit_usd": "1000000", "action": "block"}
    with wire.Link(server.port) as link:
        link.json(wire.request("PUT", "/api/v1/budgets", tenant.key, budget))


def start(link: wire.Link, tenant: Tenant) -> str:
    body = {"call_id": uuid.uuid4().hex, "agent": AGENT, "agent_version": "1", "user": f"user-{uuid.uuid4().hex[:6]}"}
    return str(link.json(wire.request("POST", "/api/v1/guard/runs", tenant.key, body))["run_id"])


def tool_calls(server: Web, made: Sequence[Tenant], count: int) -> Iterator[bytes]:
    """Tool calls of many runs, interleaved: as many runs ask at once as there are connections, and more."""
    width = max(len(made), WIDTH)
    with wire.Link(server.port) as link:
        for block in range(-(-count // (CALLS_A_RUN * width))):
            runs = [(made[place % len(made)], start(link, made[place % len(made)])) for place in range(width)]
            for call in range(min(CALLS_A_RUN * width, count - block * CALLS_A_RUN * width)):
                tenant, run_id = runs[call % width]
                yield tool_call(tenant, run_id, call // width)


def tool_call(tenant: Tenant, run_id: str, place: int) -> bytes:
    arguments = {"order_id": f"ord_{place}", "amount_minor": 100 + place, "currency": "USD", "note": "as asked"}
    body = {"call_id": f"t{place}", "tool": TOOLS[place % len(TOOLS)], "arguments": arguments}
    return wire.request("POST", f"/api/v1/guard/runs/{run_id}/tool-calls", tenant.key, body)


def model_calls(server: Web, made: Sequence[Tenant], count: int) -> Iterator[bytes]:
    """Reservations, each followed by its settlement many requests later: it has been answered by then."""
    width = max(len(made), 4 * WIDTH)
    usage = {"usage": {"input_tokens": 900, "output_tokens": 100}, "outcome": "ok"}
    with wire.Link(server.port) as link:
        for _ in range(-(-count // (CALLS_A_RUN * width * 2))):
            runs = [(made[place % len(made)], start(link, made[place % len(made)])) for place in range(width)]
            for call in range(CALLS_A_RUN):
                for tenant, run_id in runs:
                    yield model_call(tenant, run_id, call)
                for tenant, run_id in runs:
                    path = f"/api/v1/guard/runs/{run_id}/model-calls/m{call}/settlement"
                    yield wire.request("POST", path, tenant.key, usage)


def model_call(tenant: Tenant, run_id: str, place: int) -> bytes:
    body = {"call_id": f"m{place}", "model": MODEL, "input_tokens": 1_000, "max_output_tokens": 500}
    return wire.request("POST", f"/api/v1/guard/runs/{run_id}/model-calls", tenant.key, body)
