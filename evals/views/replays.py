"""Replays of production runs: asking for one, and how it differed, side by side."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from agentops.common import clock
from agentops.common.errors import NotFound
from agentops.common.ids import trace_uuid
from agentops.common.pages import place
from agentops.traces import queries as traces
from evals import queries, services
from evals.models import Replay
from evals.sets import replaying
from evals.views.shared import actor
from tenants.access import TenantRequest

_WORDS = {
    "step": "no counterpart",
    "result": "another result",
    "error": "another failure",
    "model": "another model",
    "output": "another answer",
    "tokens": "other tokens",
}


@require_http_methods(["GET", "POST"])
def replay_new(request: TenantRequest, run_id: str) -> HttpResponse:
    """The replays of a run; POST freezes its tape for one more."""
    tenant = request.access.tenant.id
    try:
        found = trace_uuid(run_id.lower())
    except ValueError as error:
        raise NotFound("There is no such run.") from error
    if not traces.run_exists(tenant=tenant, run_id=found):
        raise NotFound("There is no such run.")
    if request.method == "POST":
        made = services.open_replay(tenant=tenant, run_id=found, agent_version="", by=actor(request), at=clock.now())
        return redirect(place(request, "replay", replay=made.id))
    context = {
        "run_id": found.hex,
        "replays": queries.replays_of(tenant=tenant, run_id=found),
        "command": _command(found),
    }
    return TemplateResponse(request, "evals/replay_new.html", context)


@require_GET
def replay(request: TenantRequest, replay: uuid.UUID) -> HttpResponse:
    """One replay beside the run it repeats."""
    found = queries.replay(tenant=request.access.tenant.id, replay=replay)
    tape = json.loads(found.tape)
    result = json.loads(found.result) if found.result else None
    context: dict[str, Any] = {
        "replay": found,
        "tape": tape,
        "result": result,
        "rows": _rows(found, tape, result),
        "totals": _totals(found) if result else [],
        "state": "open" if found.is_same is None else "same" if found.is_same else "differs",
        "command": _command(found.run_id),
    }
    return TemplateResponse(request, "evals/replay.html", context)


def _rows(found: Replay, tape: dict[str, Any], result: dict[str, Any] | None) -> list[dict[str, Any]]:
    if result is None:
        return [{"number": place, "before": step, "words": []} for place, step in enumerate(tape["steps"], start=1)]
    return [
        {
            "number": place,
            "before": None if row["before"] is None else tape["steps"][row["before"]],
            "after": None if row["after"] is None else result["steps"][row["after"]],
            "words": [_WORDS[each] for each in row["differs"]],
            "is_first": place - 1 == found.diff["first"],
            "differs": bool(set(row["differs"]) - {"tokens"}),
        }
        for place, row in enumerate(found.diff["rows"], start=1)
    ]


def _totals(found: Replay) -> list[dict[str, Any]]:
    totals = found.diff["totals"]
    names = {"steps": "Steps", "input_tokens": "Input tokens", "output_tokens": "Output tokens"}
    rows = [
        {"label": label, "before": totals[name][0], "after": totals[name][1], "gap": totals[name][1] - totals[name][0]}
        for name, label in names.items()
    ]
    before, after = totals["cost_usd"]
    rows.append(
        {
            "label": "Cost, USD",
            "before": before,
            "after": after or "not told",
            "gap": replaying.usd_difference(before, after),
        }
    )
    return rows


def _command(run_id: uuid.UUID) -> str:
    return f"python -m agentops_client.evals replay {run_id.hex} --call my_agent:call"
