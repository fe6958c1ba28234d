"""`bench guard`: how fast the guard decides, that it never admits too much, and how soon a kill switch holds.

Every figure comes with one of the same run for a route that only does SELECT 1 (wsgi.py): what HTTP, the key, the scope
and a round trip cost here before anything is decided. The load generator shares the cores with the server.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from agentops.catalog import queries as catalog
from agentops.catalog import services as agents
from agentops.common import clock
from agentops.common.money import nano_usd, usd_text
from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill, wire
from agentops.portal.bench.machine import percentile
from agentops.portal.bench.server import Web, web
from audit.types import operator
from tenants import services as tenants
from tenants.roles import KeyScope, Plan

CONNECTIONS = 8
OPEN_RATE = 200  # decisions a second, whatever the answers take
CALLS_A_RUN = 48
SPREAD = 16  # tenants
PARALLEL, ROOM = 400, 100
IN_FLIGHT = 50
_AGENT = "bench-agent"
_MODEL = "gpt-4o-mini-2024-07-18"
_TOOLS = ("look_up_order", "look_up_customer", "list_returns")
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


@dataclass
class _Tenant:
    id: uuid.UUID
    key: str
    runs: list[str] = field(default_factory=list)


@dataclass
class _Load:
    """What the callers saw: latencies in seconds."""

    seconds: float
    latencies: list[float]
    wrong: list[str]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds


def run(*, seconds: int) -> dict[str, Any]:
    """Measure, and leave nothing behind."""
    made = [_tenant() for _ in range(SPREAD)]
    try:
        with web(application="agentops.portal.bench.wsgi:application") as server:
            return _measure(server, made, seconds)
    finally:
        fill.forget([(tenant.id, "bench") for tenant in made])


def _measure(server: Web, made: list[_Tenant], seconds: int) -> dict[str, Any]:
    hot = made[0]
    for tenant in made:
        _set_up(server, tenant)
    calls = seconds * 1_500
    _closed(server, list(_tool_calls(server, [hot], 200)))  # warm: connections, catalog, code
    bare_open = _open(server, [wire.request("POST", "/api/v1/bench/select-1", hot.key, {})] * (OPEN_RATE * seconds))
    tool_open = _open(server, list(_tool_calls(server, [hot], OPEN_RATE * seconds)))
    bare = _closed(server, [wire.request("POST", "/api/v1/bench/select-1", hot.key, {})] * (calls * 2))
    tool_hot = _closed(server, list(_tool_calls(server, [hot], calls)))
    tool_spread = _closed(server, list(_tool_calls(server, made, calls)))
    model_hot = _closed(server, list(_model_calls(server, [hot], calls // 2)))
    model_spread = _closed(server, list(_model_calls(server, made, calls // 2)))
    figures = {
        "connections": CONNECTIONS,
        "tool_call_open_loop": _latency(tool_open) | {"offered_per_s": OPEN_RATE},
        "select_1_open_loop": _latency(bare_open),
        "tool_call_closed_loop": _latency(tool_hot),
        "select_1_closed_loop": _latency(bare),
        "ratio_to_select_1": round(tool_hot.rate / bare.rate, 3),
        "tool_call_spread_over_tenants": _latency(tool_spread),
        "tool_call_hot_to_spread": round(tool_hot.rate / tool_spread.rate, 3),
        "model_call_hot": _latency(model_hot),
        "model_call_spread_over_tenants": _latency(model_spread),
        "model_call_hot_to_spread": round(model_hot.rate / model_spread.rate, 3),
        "schema_and_five_rules_us": _checks_us(hot),
        "parallel_model_calls": _parallel(server, made[1]),
        "kill_switch": _kill(server, made[2]),
    }
    loads = (bare_open, tool_open, bare, tool_hot, tool_spread, model_hot, model_spread)
    figures["wrong"] = [each for load in loads for each in load.wrong][:3]
    parallel: dict[str, Any] = figures["parallel_model_calls"]  # type: ignore[assignment]
    figures["sound"] = (
        not figures["wrong"] and parallel["admitted"] == ROOM and parallel["held_nano_usd_at_the_end"] == 0
    )
    return figures


def _latency(load: _Load) -> dict[str, Any]:
    return {
        "rate": round(load.rate),
        "p50_ms": round(percentile(load.latencies, 0.5) * 1000, 2),
        "p99_ms": round(percentile(load.latencies, 0.99) * 1000, 2),
    }


# -- load -------------------------------------------------------------------------------------------------------------


def _closed(server: Web, messages: Sequence[bytes], *, connections: int = CONNECTIONS) -> _Load:
    """So many connections, each as fast as it is answered."""
    waiting = iter(messages)
    lock = threading.Lock()

    def next_one() -> bytes | None:
        with lock:
            return next(waiting, None)

    return _played(server, connections, lambda: (next_one(), time.perf_counter()))


def _open(server: Web, messages: Sequence[bytes]) -> _Load:
    """A fixed rate: a request is due at its time whether or not earlier ones were answered, and waits count."""
    waiting = iter(enumerate(messages))
    lock = threading.Lock()
    began = time.perf_counter() + 0.1

    def next_one() -> tuple[bytes | None, float]:
        with lock:
            place, message = next(waiting, (0, None))
        due = began + place / OPEN_RATE
        if message is not None:
            time.sleep(max(0.0, due - time.perf_counter()))
        return message, due

    return _played(server, CONNECTIONS, next_one)


def _played(server: Web, connections: int, take: Callable[[], tuple[bytes | None, float]]) -> _Load:
    latencies: list[float] = []
    wrong: list[str] = []

    def caller() -> None:
        with wire.Link(server.port) as link:
            while True:
                message, due = take()
                if message is None:
                    return
                status, body = link.ask(message)
                latencies.append(time.perf_counter() - due)
                if status != 200 or not (b'"allow"' in body or b'"one"' in body or b'"cost_usd"' in body):
                    wrong.append(f"{status} {body[:300]!r}")

    threads = [threading.Thread(target=caller) for _ in range(connections)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return _Load(time.perf_counter() - begun, latencies, wrong)


# -- what is asked ----------------------------------------------------------------------------------------------------


def _tenant() -> _Tenant:
    at, by = clock.now(), operator("bench")
    slug = f"bench-{uuid.uuid4().hex[:8]}"
    tenant = tenants.create_tenant(
        slug=slug, name="Bench", plan=Plan.ENTERPRISE, owner_email=f"{slug}@bench.invalid", owner_name="Bench",
        password=uuid.uuid4().hex, by=by, at=at,
    )  # fmt: skip
    scopes = [KeyScope.GUARD, KeyScope.ADMIN, KeyScope.READ]
    with tenant_scope(tenant.id):
        made = tenants.create_key(tenant=tenant.id, name="bench", scopes=scopes, by=by, at=at)
    return _Tenant(tenant.id, made.text)


def _set_up(server: Web, tenant: _Tenant) -> None:
    """An agent of one version with three reading tools, reviewed; and a budget of the whole organisation."""
    manifest = {
        "agent": {
            "name": _AGENT,
            "version": "1",
            "model": _MODEL,
            "models": [_MODEL],
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
            for name in _TOOLS
        ],
    }  # fmt: skip
    with tenant_scope(tenant.id):
        agents.apply_manifest(
            tenant=tenant.id, manifest=manifest, by=operator("bench"), at=clock.now(), approve_tools=True
        )
    budget = {"scope": "tenant", "period": "month", "limit_usd": "1000000", "action": "block"}
    with wire.Link(server.port) as link:
        link.json(wire.request("PUT", "/api/v1/budgets", tenant.key, budget))


def _start(link: wire.Link, tenant: _Tenant) -> str:
    body = {"call_id": uuid.uuid4().hex, "agent": _AGENT, "agent_version": "1", "user": f"user-{uuid.uuid4().hex[:6]}"}
    return str(link.json(wire.request("POST", "/api/v1/guard/runs", tenant.key, body))["run_id"])


def _tool_calls(server: Web, made: Sequence[_Tenant], count: int) -> Iterator[bytes]:
    """Tool calls of many runs, interleaved: as many runs ask at once as there are connections, and more."""
    width = max(len(made), 2 * CONNECTIONS)
    with wire.Link(server.port) as link:
        for block in range(-(-count // (CALLS_A_RUN * width))):
            runs = [(made[place % len(made)], _start(link, made[place % len(made)])) for place in range(width)]
            for call in range(min(CALLS_A_RUN * width, count - block * CALLS_A_RUN * width)):
                tenant, run_id = runs[call % width]
                yield _tool_call(tenant, run_id, call // width)


def _tool_call(tenant: _Tenant, run_id: str, place: int) -> bytes:
    arguments = {"order_id": f"ord_{place}", "amount_minor": 100 + place, "currency": "USD", "note": "as asked"}
    body = {"call_id": f"t{place}", "tool": _TOOLS[place % len(_TOOLS)], "arguments": arguments}
    return wire.request("POST", f"/api/v1/guard/runs/{run_id}/tool-calls", tenant.key, body)


def _model_calls(server: Web, made: Sequence[_Tenant], count: int) -> Iterator[bytes]:
    """Reservations, each followed by its settlement some requests later."""
    width = max(len(made), 2 * CONNECTIONS)
    usage = {"usage": {"input_tokens": 900, "output_tokens": 100}, "outcome": "ok"}
    with wire.Link(server.port) as link:
        for _ in range(-(-count // (CALLS_A_RUN * width * 2))):
            runs = [(made[place % len(made)], _start(link, made[place % len(made)])) for place in range(width)]
            for call in range(CALLS_A_RUN):
                for tenant, run_id in runs:
                    yield _model_call(tenant, run_id, call)
                for tenant, run_id in runs:
                    path = f"/api/v1/guard/runs/{run_id}/model-calls/m{call}/settlement"
                    yield wire.request("POST", path, tenant.key, usage)


def _model_call(tenant: _Tenant, run_id: str, place: int) -> bytes:
    body = {"call_id": f"m{place}", "model": _MODEL, "input_tokens": 1_000, "max_output_tokens": 500}
    return wire.request("POST", f"/api/v1/guard/runs/{run_id}/model-calls", tenant.key, body)


# -- never too much, and soon enough ----------------------------------------------------------------------------------


def _parallel(server: Web, tenant: _Tenant) -> dict[str, Any]:
    """400 model calls of 400 users at once against a budget with room for 100 of them."""
    with wire.Link(server.port) as link:
        first = _start(link, tenant)
        one = link.json(_model_call(tenant, first, 0))
        hold = nano_usd(str(one["reserved_usd"]))
        runs = [_start(link, tenant) for _ in range(PARALLEL)]
        # The first call is held still, so the room is for it and 100 more.
        budget = {"scope": "tenant", "period": "month", "limit_usd": usd_text((ROOM + 1) * hold), "action": "block"}
        link.json(wire.request("PUT", "/api/v1/budgets", tenant.key, budget))
    answers: list[tuple[str, dict[str, Any]]] = []
    gate = threading.Barrier(PARALLEL)

    def caller(run_id: str) -> None:
        with wire.Link(server.port) as link:
            gate.wait()
            answers.append((run_id, link.json(_model_call(tenant, run_id, 0))))

    threads = [threading.Thread(target=caller, args=(run_id,)) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    admitted = [
        run_id for run_id, answer in answers if answer["decision"] == "allow" and answer["max_output_tokens"] == 500
    ]
    others = [run_id for run_id, answer in answers if answer["decision"] == "allow" and run_id not in admitted]
    usage = {"usage": {"input_tokens": 900, "output_tokens": 100}, "outcome": "ok"}
    with wire.Link(server.port) as link:
        for run_id in (first, *admitted, *others):
            path = f"/api/v1/guard/runs/{run_id}/model-calls/m0/settlement"
            link.json(wire.request("POST", path, tenant.key, usage))
        for run_id in (first, *runs):
            link.json(wire.request("POST", f"/api/v1/guard/runs/{run_id}/finish", tenant.key, {"status": "ok"}))
    return {
        "asked": PARALLEL,
        "room_for": ROOM,
        "admitted": len(admitted),
        "admitted_shorter": len(others),
        "held_nano_usd_at_the_end": _held(tenant),
    }


def _held(tenant: _Tenant) -> int:
    with tenant_scope(tenant.id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(hold_nano_usd), 0) FROM budgets_reservation WHERE tenant_id = %s AND state = 'held'",
            [tenant.id],
        )
        return int(cursor.fetchone()[0])


def _kill(server: Web, tenant: _Tenant) -> dict[str, Any]:
    """50 runs that ask as fast as they are answered; then the switch. Times by the database's clock, and by ours."""
    stop = threading.Event()
    last_allowed = [0.0] * IN_FLIGHT
    ended: list[str] = []
    with wire.Link(server.port) as link:
        runs = [_start(link, tenant) for _ in range(IN_FLIGHT)]

    def caller(place: int) -> None:
        with wire.Link(server.port) as link:
            for call in range(5_000):
                answer = link.json(_tool_call(tenant, runs[place], call))
                if answer["decision"] != "allow":
                    ended.append(str(answer.get("code")))
                    return
                last_allowed[place] = time.perf_counter()
                if stop.wait(0.02):
                    return

    threads = [threading.Thread(target=caller, args=(place,)) for place in range(IN_FLIGHT)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    with wire.Link(server.port) as link:
        pressed = time.perf_counter()
        body = {"scope": "tenant", "mode": "stop_next_step", "reason": "bench"}
        switch = link.json(wire.request("POST", "/api/v1/kill-switches", tenant.key, body))
        answered = time.perf_counter()
        time.sleep(1.5)
        stop.set()
        for thread in threads:
            thread.join()
        shown = link.json(wire.request("GET", f"/api/v1/kill-switches/{switch['id']}", tenant.key, {}))
    return {
        "runs_in_flight": IN_FLIGHT,
        "pressed_to_answer_ms": round((answered - pressed) * 1000, 1),
        "pressed_to_last_admitted_step_ms": round(max(0.0, max(last_allowed) - pressed) * 1000, 1),
        "runs_told_killed": ended.count("killed"),
        "proof": shown["proof"],
    }


def _checks_us(tenant: _Tenant) -> float:
    """CPU of the compiled schema and the five rules for one call, in microseconds: the median of many rounds."""
    with tenant_scope(tenant.id):
        tool = catalog.policy(tenant=tenant.id, agent=_AGENT, version="1").tools[_TOOLS[0]]
    arguments = {"order_id": "ord_5", "amount_minor": 105, "currency": "USD", "note": "as asked"}
    run = {"id": "0" * 32, "agent": _AGENT, "agent_version": "1", "session": "", "depth": 0, "llm_calls": 3}
    knowledge = {
        "args": arguments,
        "user": {"id": "user-1"},
        "run": {**run, "tool_calls": 5, "tainted": False},
        "tenant": {"id": str(tenant.id)},
        "contacts": {},
    }
    rounds = []
    for _ in range(21):
        begun = time.process_time()
        for _ in range(200):
            if tool.schema.check(arguments) or tool.rules.check(knowledge):
                raise RuntimeError("the bench's own call does not pass")
        rounds.append((time.process_time() - begun) / 200)
    return round(percentile(rounds, 0.5) * 1_000_000, 1)
