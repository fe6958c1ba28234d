"""An organisation's machines and runs, for tests of feedback, outcomes, signals and the queue."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.test import Client

from agentops.common import clock
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.traces.models import Run
from evals.models import (
    Feedback,
    Judge,
    JudgeEndpoint,
    Judgement,
    Outcome,
    ReviewItem,
    Rubric,
    RubricVersion,
    RunFact,
    Signal,
)
from tests.world import Organisation


class Machine:
    """Sends as an organisation's programs do."""

    def __init__(self, organisation: Organisation) -> None:
        self.organisation = organisation
        self.client = Client()

    def post(self, path: str, body: Any, *, key: str, raw: bytes | None = None) -> Any:
        return self.client.post(
            path,
            raw if raw is not None else json.dumps(body),
            content_type="application/json",
            headers={"authorization": f"Bearer {self.organisation.keys.get(key, key)}"},
        )

    def feedback(self, run_id: uuid.UUID | str, rating: str = "down", *, status: int = 201, **more: Any) -> Any:
        run = run_id.hex if isinstance(run_id, uuid.UUID) else run_id
        answer = self.post("/api/v1/feedback", {"run_id": run, "rating": rating, **more}, key="feedback")
        assert answer.status_code == status, answer.content
        return answer.json()

    def outcome(
        self, run_id: uuid.UUID, kind: str, *, status: int = 201, at: datetime | None = None, **more: Any
    ) -> Any:
        body = {"run_id": run_id.hex, "kind": kind, "at": clock.rfc3339(at or clock.now()), **more}
        answer = self.post("/api/v1/outcomes", body, key="ingest")
        assert answer.status_code == status, answer.content
        return answer.json()

    def token(self, run_id: uuid.UUID, user: str = "u-1", **more: Any) -> str:
        answer = self.post("/api/v1/feedback/tokens", {"run_id": run_id.hex, "user": user, **more}, key="feedback")
        assert answer.status_code == 201, answer.content
        return str(answer.json()["token"])

    def by_widget(self, token: str, rating: str = "down", **more: Any) -> Any:
        """As a browser on somebody's page: no key."""
        body = {"token": token, "rating": rating, **more}
        return Client().post(
            "/api/v1/feedback/widget",
            json.dumps(body),
            content_type="application/json",
            headers={"origin": "https://shop.example"},
        )

    def spans(self, run_id: uuid.UUID, *calls: dict[str, Any], root: bool = True, **of_root: Any) -> None:
        """A run's spans over the wire: its root, an answer of the model, and these tool calls."""
        at = of_root.pop("at", None) or clock.now() - timedelta(minutes=1)
        base = {
            "trace_id": run_id.hex,
            "started_at": clock.rfc3339(at),
            "ended_at": clock.rfc3339(at + timedelta(seconds=2)),
            "agent": of_root.pop("agent", "desk"),
        }
        top = {**base, "span_id": "00000000000000aa", "kind": "run", "name": "answer", "status": "ok", **of_root}
        model = {
            **base, "span_id": "00000000000000ab", "parent_span_id": "00000000000000aa", "kind": "llm", "name": "chat",
            "model": "gpt-4o-2024-08-06", "provider": "openai", "input_tokens": 10, "output_tokens": 5,
        }  # fmt: skip
        tools = [
            {
                **base,
                "span_id": f"{number:016x}",
                "parent_span_id": "00000000000000aa",
                "kind": "tool",
                "name": call.get("tool", "tool"),
                **call,
            }
            for number, call in enumerate(calls, start=0xB0)
        ]
        answer = self.post("/api/v1/traces", {"spans": [*([top, model] if root else []), *tools]}, key="ingest")
        assert answer.status_code == 200 and not answer.json()["rejected"], answer.content


def fact(organisation: Organisation, run_id: uuid.UUID | None = None, **values: Any) -> RunFact:
    """What the sweep of facts would have written of a finished run."""
    at: datetime = values.pop("at", None) or clock.now() - timedelta(minutes=5)
    row = RunFact(
        tenant_id=organisation.id,
        run_id=run_id or new_id(),
        day=at.date(),
        started_at=at,
        ended_at=values.pop("ended_at", None) or at + timedelta(seconds=2),
        received_at=at,
        computed_at=values.pop("computed_at", None) or clock.now(),
        agent=values.pop("agent", "desk"),
        is_error=values.pop("is_error", False),
        **values,
    )
    with tenant_scope(organisation.id):
        RunFact.objects.bulk_create([row])
    return row


CRITERIA = [
    {"key": "goal", "title": "Goal reached", "instructions": "Did the user get what they asked for?", "scale": {"kind": "pass_fail"}, "weight": 2},
    {"key": "tone", "title": "Tone", "instructions": "How does it sound?", "scale": {"kind": "number", "least": 1, "most": 5}, "weight": 1},
    {
        "key": "depth", "title": "Depth", "instructions": "How far does it go?",
        "scale": {"kind": "levels", "levels": [{"value": "none", "title": "None", "score": 0}, {"value": "full", "title": "Full", "score": 1}]},
        "weight": 1,
    },
]  # fmt: skip


def rubric(organisation: Organisation, name: str = "Helpful") -> uuid.UUID:
    """A rubric of one version; the version's id."""
    at, tenant = clock.now(), organisation.id
    with tenant_scope(tenant):
        made, _ = Rubric.objects.get_or_create(
            tenant_id=tenant, name=name, defaults={"created_at": at, "created_by": "t"}
        )
        version, _ = RubricVersion.objects.get_or_create(
            tenant_id=tenant,
            rubric=made,
            number=1,
            defaults={
                "content": json.dumps({"criteria": CRITERIA, "pass_at": 0.7}),
                "digest": "d",
                "created_at": at,
                "created_by": "t",
            },
        )
    return version.id


def judged(organisation: Organisation, run_id: uuid.UUID, *, is_pass: bool, agent: str = "desk") -> Judgement:
    """A run that the judge "strict" has scored."""
    at, tenant, version = clock.now(), organisation.id, rubric(organisation)
    made = {"created_at": at, "created_by": "t"}
    with tenant_scope(tenant):
        endpoint, _ = JudgeEndpoint.objects.get_or_create(
            tenant_id=tenant,
            name="local",
            defaults={
                "kind": "openai",
                "base_url": "http://127.0.0.1:1/v1",
                "key_cipher": b"x",
                "changed_at": at,
                "changed_by": "t",
                **made,
            },
        )
        judge, _ = Judge.objects.get_or_create(
            tenant_id=tenant,
            name="strict",
            number=1,
            defaults={
                "rubric_version_id": version,
                "endpoint": endpoint,
                "provider": "p",
                "model": "m",
                "family": "f",
                "digest": "d",
                **made,
            },
        )
        return Judgement.objects.create(
            tenant_id=tenant,
            subject="run",
            subject_id=run_id,
            judge=judge,
            agent=agent,
            day=at.date(),
            state="scored",
            sampled="sample",
            planned_at=at,
            next_at=at,
            ended_at=at,
            score=0.9 if is_pass else 0.2,
            is_pass=is_pass,
        )


def finish(organisation: Organisation, run_id: uuid.UUID) -> None:
    """The run is finished, as the sweep of idle runs would say."""
    with tenant_scope(organisation.id):
        assert Run.objects.filter(tenant_id=organisation.id, run_id=run_id).update(finalised_at=clock.now()) == 1


def feedback(organisation: Organisation) -> list[Feedback]:
    with tenant_scope(organisation.id):
        return list(Feedback.objects.filter(tenant_id=organisation.id).order_by("received_at", "id"))


def outcomes(organisation: Organisation) -> list[Outcome]:
    with tenant_scope(organisation.id):
        return list(Outcome.objects.filter(tenant_id=organisation.id).order_by("received_at", "id"))


def signals(organisation: Organisation) -> list[Signal]:
    with tenant_scope(organisation.id):
        return list(Signal.objects.filter(tenant_id=organisation.id).order_by("kind", "at"))


def items(organisation: Organisation) -> list[ReviewItem]:
    with tenant_scope(organisation.id):
        return list(ReviewItem.objects.filter(tenant_id=organisation.id).order_by("found_at", "id"))
