"""Judging as tests set it up, through the services: a rubric, an endpoint, a judge, an assignment; and the sweep of facts."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

from agentops.common import clock
from agentops.common.scope import tenant_scope
from evals.models import Assignment, Judge, Judgement
from evals.services import judging
from tests.ingest import wire
from tests.traces.pages import send
from tests.world import OPERATOR, Organisation

GOAL = {
    "key": "goal",
    "title": "Goal reached",
    "instructions": "Did the user get what they asked for?",
    "scale": {"kind": "pass_fail"},
}
RUBRIC = {"criteria": [GOAL], "pass_at": 0.5}
MODEL = "claude-sonnet-4-5-20250929"
_numbers = itertools.count(1)


def judge(
    organisation: Organisation,
    *,
    name: str = "helpfulness",
    url: str = "https://judge.example/v1",
    rubric: Any = None,
    kind: str = "openai",
    provider: str = "anthropic",
    model: str = MODEL,
    family: str = "",
    max_in_flight: int = 32,
    requests_per_minute: int | None = None,
    **settings: Any,
) -> Judge:
    """A judge with an endpoint and a rubric of its own name."""
    at = clock.now()
    common: dict[str, Any] = {"tenant": organisation.id, "by": OPERATOR, "at": at}
    with tenant_scope(organisation.id):
        version = judging.save_rubric(name=name, content=rubric or RUBRIC, **common)
        endpoint = judging.save_endpoint(
            name=name,
            kind=kind,
            base_url=url,
            key="a key of tests",
            max_in_flight=max_in_flight,
            requests_per_minute=requests_per_minute,
            **common,
        )
        return judging.save_judge(
            name=name,
            rubric_version=version.id,
            endpoint=endpoint.id,
            provider=provider,
            model=model,
            family=family,
            settings=settings,
            **common,
        )


def assign(organisation: Organisation, judge_name: str, *, rate: float, agent: str = "") -> Assignment:
    with tenant_scope(organisation.id):
        return judging.assign_judge(
            tenant=organisation.id, agent=agent, judge_name=judge_name, rate=rate, by=OPERATOR, at=clock.now()
        )


def facts(organisation: Organisation, *, at: datetime | None = None) -> int:
    """Write the facts of all that finished, as the sweep does."""
    count = 0
    while True:
        with tenant_scope(organisation.id):
            found = judging.write_facts(tenant=organisation.id, at=at or clock.now())
        count += found
        if found < judging.BATCH:
            return count


def runs(
    organisation: Organisation, count: int, *, answer: str = "Done.", agent: str = "bot", **more: Any
) -> list[str]:
    """Runs of one span each; answers their ids."""
    fields = {"kind": "run", "agent": agent, "input": "Do it.", "output": answer, "status": "ok", **more}
    spans = [wire.native("run", **fields) for _ in range(count)]
    send(organisation, spans)
    return [span["trace_id"] for span in spans]


def planned(organisation: Organisation, count: int, **more: Any) -> list[str]:
    """Runs that the judge `helpfulness` is to look at, all of them."""
    assign(organisation, "helpfulness", rate=1)
    found = runs(organisation, count, **more)
    facts(organisation)
    return found


def judgements(organisation: Organisation) -> list[Judgement]:
    with tenant_scope(organisation.id):
        return list(
            Judgement.objects.filter(tenant_id=organisation.id)
            .select_related("judge")
            .prefetch_related("scores")
            .order_by("id")
        )
