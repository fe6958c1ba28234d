"""`bench spend`: a loop that would burn $50,000 in six hours, through the public interface, on a product of its own.

Three times the same loop: only observed (seconds to the finding, dollars by then), under the caps of a guarded run, and
guarded without caps that matter, beginning a new run whenever one is stopped, until its user's budget is used up.
"""

from __future__ import annotations

import json
import secrets
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson

from agentops.common import clock
from agentops.common.money import NANO, nano_usd, usd_text
from agentops.portal.bench import wire
from agentops.portal.bench.product import Product, whole_product

WOULD_BURN_USD, HOURS = 50_000, 6
CALLS_PER_SECOND = 10
MODEL = "gpt-4o-2024-08-06"
INPUT_TOKENS, OUTPUT_TOKENS = 40_000, 13_150  # at its list price: what such a loop burns in a tenth of a second
USER_BUDGET_USD = 20
PATIENCE_SECONDS = 60.0
RUNS_MOST = 200
_FOUND = (
    "SELECT found_at, detail FROM budgets_finding WHERE tenant_id = %s AND kind = 'minute_spike' AND fingerprint = %s"
)
_CHARGED = "SELECT coalesce(sum(amount_nano_usd), 0) FROM budgets_ledgerentry WHERE tenant_id = %s AND agent = %s"


def run(*, say: Callable[[str], object]) -> dict[str, Any]:
    """The three scenes; sound if the loop was found while it burned, and the guard let no more through than it may."""
    with whole_product() as product:
        say("observed only")
        observed = _observed(product)
        say("guarded, with the caps that a run has by default")
        capped = _guarded(product, "capped-loop", caps=False)
        say(f"guarded without such caps: new runs until the user's {USER_BUDGET_USD} dollars are used up")
        budgeted = _guarded(product, "budgeted-loop", caps=True)
    return {
        "loop_usd_per_minute": round(WOULD_BURN_USD / HOURS / 60, 2),
        "usd_per_call": observed.pop("usd_per_call"),
        "observed": observed,
        "guarded_by_caps": capped,
        "guarded_by_budget": budgeted,
        "sound": observed["seconds_to_the_finding"] is not None
        and nano_usd(budgeted["usd_before_the_stop"]) <= USER_BUDGET_USD * NANO
        and bool(capped["stopped_by"] and budgeted["stopped_by"]),
    }


# -- observed ---------------------------------------------------------------------------------------------------------


def _observed(product: Product) -> dict[str, Any]:
    """Spans of the loop, as an exporter sends them, until the finding is there."""
    agent = "observed-loop"
    begun, sent = time.monotonic(), 0
    found: tuple[Any, ...] | None = None
    with wire.Link(product.port) as link:
        while found is None and time.monotonic() - begun < PATIENCE_SECONDS:
            due = int((time.monotonic() - begun) * CALLS_PER_SECOND) + 1
            if due > sent:
                spans = [_span(agent) for _ in range(due - sent)]
                link.json(wire.request("POST", "/api/v1/traces", product.key, {"spans": spans}))
                sent = due
            time.sleep(0.2)
            found = _one(product, _FOUND, agent)
    seconds = time.monotonic() - begun
    charged = int(_one(product, _CHARGED, agent)[0])  # type: ignore[index]
    return {
        "usd_per_call": usd_text(charged // sent),
        "seconds_to_the_finding": round(seconds, 1) if found else None,
        "usd_by_then": usd_text(charged),
        "finding": found[1] if found else "",
    }


def _span(agent: str) -> dict[str, Any]:
    at = clock.now()
    return {
        "trace_id": uuid.uuid4().hex,
        "span_id": secrets.token_hex(8),
        "kind": "llm",
        "name": "chat",
        "started_at": (at - timedelta(milliseconds=90)).isoformat(),
        "ended_at": at.isoformat(),
        "agent": agent,
        "user_id": "looper",
        "provider": "openai",
        "model": MODEL,
        "input_tokens": INPUT_TOKENS,
        "output_tokens": OUTPUT_TOKENS,
    }


def _one(product: Product, statement: str, agent: str) -> tuple[Any, ...] | None:
    with product.connection() as link:
        return link.execute(statement, [product.tenant, agent]).fetchone()


# -- guarded ----------------------------------------------------------------------------------------------------------


def _guarded(product: Product, agent: str, *, caps: bool) -> dict[str, Any]:
    """The loop asks before each call. With wide `caps` it begins anew whenever a run is stopped."""
    _register(product, agent, wide=caps)
    if caps:
        budget = {"scope": "user", "period": "day", "limit_usd": str(USER_BUDGET_USD), "action": "block"}
        _ask(product, "PUT", "/api/v1/budgets", budget)
    begun, calls, spent, runs, why = time.monotonic(), 0, 0, 0, ""
    with wire.Link(product.port) as link:
        for _ in range(RUNS_MOST if caps else 1):
            run_id = _start(link, product, agent, user=f"user-of-{agent}")
            if run_id is None:
                break
            runs += 1
            made, cost, why = _loop(link, product, run_id)
            calls, spent = calls + made, spent + cost
            if made == 0:
                break
    return {
        "usd_before_the_stop": usd_text(spent),
        "calls": calls,
        "runs": runs,
        "seconds": round(time.monotonic() - begun, 1),
        "stopped_by": why,
    }


def _loop(link: wire.Link, product: Product, run_id: str) -> tuple[int, int, str]:
    """Calls at the loop's pace until one is not let through: how many, what they cost, and the code of the refusal."""
    path, spent, begun = f"/api/v1/guard/runs/{run_id}/model-calls", 0, time.monotonic()
    for place in range(1_000_000):
        wait = begun + place / CALLS_PER_SECOND - time.monotonic()
        time.sleep(max(0.0, wait))
        body = {
            "call_id": f"m{place}",
            "model": MODEL,
            "input_tokens": INPUT_TOKENS,
            "max_output_tokens": OUTPUT_TOKENS,
        }
        status, raw = link.ask(wire.request("POST", path, product.key, body))
        answer = orjson.loads(raw)
        if status >= 300 or answer.get("decision") != "allow":
            return place, spent, _why(answer)
        usage = {"usage": {"input_tokens": INPUT_TOKENS, "output_tokens": OUTPUT_TOKENS}, "outcome": "ok"}
        settled = link.json(wire.request("POST", f"{path}/m{place}/settlement", product.key, usage))
        spent += nano_usd(str(settled["cost_usd"]))
    raise AssertionError("the loop was never stopped")


def _why(answer: dict[str, Any]) -> str:
    errors = answer.get("errors") or [{}]
    return str(answer.get("code") or errors[0].get("code") or answer.get("decision"))


def _start(link: wire.Link, product: Product, agent: str, *, user: str) -> str | None:
    body = {"call_id": uuid.uuid4().hex, "agent": agent, "agent_version": "1", "user": user}
    status, raw = link.ask(wire.request("POST", "/api/v1/guard/runs", product.key, body))
    return str(orjson.loads(raw)["run_id"]) if status == 201 else None


def _ask(product: Product, method: str, path: str, body: dict[str, Any]) -> None:
    with wire.Link(product.port) as link:
        link.json(wire.request(method, path, product.key, body))


def _register(product: Product, agent: str, *, wide: bool) -> None:
    """The agent, by the command that an operator uses; with caps that never stop it, or the default ones."""
    caps = {
        "llm_calls": 2_000, "tokens": 200_000_000, "cost_usd": "10000.00", "runs_per_user": 1_000,
        "runs_per_minute": 1_000, "runs_per_tenant": 1_000, "tenant_runs_per_minute": 10_000,
    }  # fmt: skip
    manifest = {
        "agent": {
            "name": agent,
            "version": "1",
            "model": MODEL,
            "models": [MODEL],
            "prompt_hash": "sha256:" + "0" * 64,
            **({"caps": caps} if wide else {}),
        },
        "tools": [],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "agent.yaml"
        path.write_text(json.dumps(manifest))  # JSON is YAML
        product.manage("apply_manifest", str(path), "--tenant", "faults", "--approve-tools", "--json")
