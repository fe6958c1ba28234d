"""`bench guard`: how fast the guard decides, that it never admits too much, and how soon a kill switch holds.

Every figure comes with one of the same run for a route that only does SELECT 1 (wsgi.py): what HTTP, the key, the scope
and a round trip cost here before anything is decided. The load generator shares the cores with the server.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connection

from agentops.catalog import queries as catalog
from agentops.common.money import nano_usd, usd_text
from agentops.common.scope import tenant_scope
from agentops.portal.bench import fill, wire
from agentops.portal.bench.guard_calls import (
    AGENT,
    TOOLS,
    Tenant,
    make_tenant,
    model_call,
    model_calls,
    set_up,
    start,
    tool_call,
    tool_calls,
)
from agentops.portal.bench.load import CONNECTIONS, OPEN_RATE, closed, fixed_rate
from agentops.portal.bench.machine import percentile
from agentops.portal.bench.server import Web, web

SPREAD = 16  # tenants
PARALLEL, ROOM = 400, 100
IN_FLIGHT = 50


def run(*, seconds: int) -> dict[str, Any]:
    """Measure, and leave nothing behind."""
    made = [make_tenant() for _ in range(SPREAD + 2)]
    try:
        with web(application="agentops.portal.bench.wsgi:application") as server:
            return _measure(server, made[:SPREAD], made[SPREAD:], seconds)
    finally:
        fill.forget([(tenant.id, "bench") for tenant in made])


def _measure(server: Web, made: list[Tenant], fresh: list[Tenant], seconds: int) -> dict[str, Any]:
    hot = made[0]
    for tenant in (*made, *fresh):
        set_up(server, tenant)
    calls = seconds * 1_500
    closed(server, list(tool_calls(server, [hot], 200)))  # warm: connections, catalog, code
    bare_open = fixed_rate(
        server, [wire.request("POST", "/api/v1/bench/select-1", hot.key, {})] * (OPEN_RATE * seconds)
    )
    tool_open = fixed_rate(server, list(tool_calls(server, [hot], OPEN_RATE * seconds)))
    bare = closed(server, [wire.request("POST", "/api/v1/bench/select-1", hot.key, {})] * (calls * 2))
    tool_hot = closed(server, list(tool_calls(server, [hot], calls)))
    tool_spread = closed(server, list(tool_calls(server, made, calls)))
    model_hot = closed(server, list(model_calls(server, [hot], calls // 2)))
    model_spread = closed(server, list(model_calls(server, made, calls // 2)))
    figures: dict[str, Any] = {
        "connections": CONNECTIONS,
        "tool_call_open_loop": tool_open.figures() | {"offered_per_s": OPEN_RATE},
        "select_1_open_loop": bare_open.figures(),
        "tool_call_closed_loop": tool_hot.figures(),
        "select_1_closed_loop": bare.figures(),
        "ratio_to_select_1": round(tool_hot.rate / bare.rate, 3),
        "tool_call_spread_over_tenants": tool_spread.figures(),
        "tool_call_hot_to_spread": round(tool_hot.rate / tool_spread.rate, 3),
        "model_call_hot": model_hot.figures(),
        "model_call_spread_over_tenants": model_spread.figures(),
        "model_call_hot_to_spread": round(model_hot.rate / model_spread.rate, 3),
        "schema_and_five_rules_us": _checks_us(hot),
        "parallel_model_calls": _parallel(server, fresh[0]),
        "kill_switch": _kill(server, fresh[1]),
    }
    loads = (bare_open, tool_open, bare, tool_hot, tool_spread, model_hot, model_spread)
    figures["wrong"] = [each for load in loads for each in load.wrong][:3]
    parallel = figures["parallel_model_calls"]
    figures["sound"] = (
        not figures["wrong"] and parallel["admitted"] == ROOM and parallel["held_nano_usd_at_the_end"] == 0
    )
    return figures


# -- never too much, and soon enough ----------------------------------------------------------------------------------


def _parallel(server: Web, tenant: Tenant) -> dict[str, Any]:
    """400 model calls of 400 users at once against a budget with room for 100 of them."""
    with wire.Link(server.port) as link:
        first = start(link, tenant)
        one = link.json(model_call(tenant, first, 0))
        hold = nano_usd(str(one["reserved_usd"]))
        runs = [start(link, tenant) for _ in range(PARALLEL)]
        # The first call is held still, so the room is for it and 100 more.
        budget = {"scope": "tenant", "period": "month", "limit_usd": usd_text((ROOM + 1) * hold), "action": "block"}
        link.json(wire.request("PUT", "/api/v1/budgets", tenant.key, budget))
    answers: list[tuple[str, dict[str, Any]]] = []
    gate = threading.Barrier(PARALLEL)

    def caller(run_id: str) -> None:
        with wire.Link(server.port) as link:
            gate.wait()
            answers.append((run_id, link.json(model_call(tenant, run_id, 0))))

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


def _held(tenant: Tenant) -> int:
    with tenant_scope(tenant.id), connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(hold_nano_usd), 0) FROM budgets_reservation WHERE tenant_id = %s AND state = 'held'",
            [tenant.id],
        )
        return int(cursor.fetchone()[0])


def _kill(server: Web, tenant: Tenant) -> dict[str, Any]:
    """50 runs that ask as fast as they are answered; then the switch. Times by the database's clock, and by ours."""
    stop = threading.Event()
    last_allowed = [0.0] * IN_FLIGHT
    ended: list[str] = []
    with wire.Link(server.port) as link:
        runs = [start(link, tenant) for _ in range(IN_FLIGHT)]

    def caller(place: int) -> None:
        with wire.Link(server.port) as link:
            for call in range(5_000):
                answer = link.json(tool_call(tenant, runs[place], call))
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


def _checks_us(tenant: Tenant) -> float:
    """CPU of the compiled schema and the five rules for one call, in microseconds: the median of many rounds."""
    with tenant_scope(tenant.id):
        tool = catalog.policy(tenant=tenant.id, agent=AGENT, version="1").tools[TOOLS[0]]
    arguments = {"order_id": "ord_5", "amount_minor": 105, "currency": "USD", "note": "as asked"}
    run = {"id": "0" * 32, "agent": AGENT, "agent_version": "1", "session": "", "depth": 0, "llm_calls": 3}
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
