"""Rows of judging as tests make them: a rubric, an endpoint, a judge, an assignment; by the models, where no service is tested."""

from __future__ import annotations

import uuid
from datetime import datetime

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.common.strictjson import canonical
from evals.models import Assignment, Judge, JudgeEndpoint, Rubric, RubricVersion
from evals.services import judging
from tests.world import Organisation

CRITERIA = [
    {
        "key": "goal",
        "title": "Goal reached",
        "instructions": "Did the user get what they asked for?",
        "scale": {"kind": "pass_fail"},
        "weight": 1,
        "examples": [],
    }
]


def judge(organisation: Organisation, *, name: str = "helpfulness", url: str = "https://judge.example/v1") -> Judge:
    at = clock.now()
    with tenant_scope(organisation.id):
        common = {"tenant_id": organisation.id, "created_at": at, "created_by": "operator:tests"}
        rubric = Rubric.objects.create(name=name, **common)
        version = RubricVersion.objects.create(
            rubric=rubric,
            number=1,
            content=canonical({"criteria": CRITERIA, "pass_at": 0.5}).decode(),
            digest="d",
            **common,
        )
        endpoint = JudgeEndpoint.objects.create(
            name=name,
            kind="openai",
            base_url=url,
            key_cipher=b"",
            changed_at=at,
            changed_by="operator:tests",
            **common,
        )
        return Judge.objects.create(
            name=name,
            number=1,
            rubric_version=version,
            endpoint=endpoint,
            provider="anthropic",
            model="claude-sonnet-4-5",
            family="claude",
            digest="d",
            **common,
        )


def assign(organisation: Organisation, judge_name: str, *, rate: float, agent: str = "") -> Assignment:
    with tenant_scope(organisation.id):
        return Assignment.objects.create(
            tenant_id=organisation.id,
            agent=agent,
            judge_name=judge_name,
            rate=rate,
            set_at=clock.now(),
            set_by="operator:tests",
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


def run_uuid(text: str) -> uuid.UUID:
    return uuid.UUID(text)
