"""Suites and replays for machines with the scope `evals`: whoever runs the agent asks here what to run, and tells what came of it."""

from __future__ import annotations

import json
import uuid
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common import bodies, clock
from agentops.common.errors import NotFound
from agentops.common.ids import trace_uuid
from agentops.common.paging import cursor, limit
from agentops.common.reading import Reading
from agentops.common.scope import tenant_scope
from evals import queries, services
from evals.models import CaseRun, Replay, SuiteRun
from evals.queries.suites import SuiteSummary
from evals.sets import replaying, tapes, telling
from evals.types import Runner, SuiteMode
from tenants.machine_view import MachineView
from tenants.roles import KeyScope

_SMALL = 16_384


class EvalsView(MachineView):
    """A view that reads its body itself, strictly."""

    scope = KeyScope.EVALS
    parser_classes: list[Any] = []

    def body(self, *, most: int = _SMALL) -> Reading:
        return Reading(bodies.read_json(self.request._request, most=most, depth=telling.MOST_DEPTH))


class SuiteRunsView(EvalsView):
    """`/api/v1/suite-runs`: begin one, and those there are, the newest first."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        """`{id?, agent, agent_version, set, revision?, mode?, tags?, repeats?, trigger?, runner?}` → the plan.

        `id`, a UUID of your own, becomes the suite run's: sent again after an answer was lost, it begins no second one, and
        the answer is the run as it stands. With another body it is refused (409 `idempotency_mismatch`).
        """
        read = self.body()
        id = _own_id(read, "id")
        asked = services.Asked(
            agent=read.text("agent", required=True),
            agent_version=read.text("agent_version", required=True),
            eval_set=read.text("set", required=True),
            revision=read.integer("revision", most=1_000_000),
            mode=SuiteMode(read.choice("mode", SuiteMode.values, required=False) or SuiteMode.PLAIN),
            tags=_texts(read, "tags"),
            repeats=read.integer("repeats", least=1, most=20) or 1,
        )
        trigger = read.choice("trigger", ("api", "ci"), required=False) or "api"
        runner = Runner(read.choice("runner", Runner.values, required=False) or Runner.CLIENT)
        read.done()
        with tenant_scope(self.tenant):
            made = services.begin_suite_run(
                tenant=self.tenant,
                asked=asked,
                runner=runner,
                trigger=trigger,
                by=self.actor,
                at=clock.now(),
                id=id,
            )
            summary = queries.suite_run(tenant=self.tenant, suite_run=made.id)
        return Response(suite_json(summary), status=201)

    @extend_schema(
        parameters=[OpenApiParameter(name, str) for name in ("agent", "agent_version", "set", "cursor")]
        + [OpenApiParameter("limit", int)],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        params = request._request.GET
        with tenant_scope(self.tenant):
            page = queries.suite_runs(
                tenant=self.tenant,
                agent=params.get("agent", ""),
                version=params.get("agent_version", ""),
                name=params.get("set", ""),
                cursor=cursor(params),
                limit=limit(params),
            )
        return Response({"results": [suite_json(each) for each in page.rows], "next": self.next_url(page.next)})


class SuiteRunView(EvalsView):
    """`/api/v1/suite-runs/{id}`: its counters, and each case with what its expectations said. DELETE ends it."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, suite_run: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            summary = queries.suite_run(tenant=self.tenant, suite_run=suite_run)
            found = queries.case_results(tenant=self.tenant, suite_run=suite_run)
        cases = [
            {
                "key": each.key,
                "fault": each.fault,
                "status": each.status,
                "runs": [
                    {"turn": run.turn, "state": run.state, "detail": run.detail, "checks": run.checks}
                    for run in each.runs
                ],
            }
            for each in found
        ]
        return Response(suite_json(summary) | {"results": cases})

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def delete(self, request: Request, suite_run: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            services.cancel_suite_run(tenant=self.tenant, suite_run=suite_run, by=self.actor, at=clock.now())
            summary = queries.suite_run(tenant=self.tenant, suite_run=suite_run)
        return Response(suite_json(summary))


class ClaimsView(EvalsView):
    """`POST /api/v1/suite-runs/{id}/claims {claim, most}`: cases to run, for ten minutes. The same claim gets the same ones."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request, suite_run: uuid.UUID) -> Response:
        read = self.body()
        claim, most = _id(read, "claim"), read.integer("most", least=1, most=50) or 1
        read.done()
        with tenant_scope(self.tenant):
            found = services.claim_cases(
                tenant=self.tenant, suite_run=suite_run, claim=claim, most=most, runner=Runner.CLIENT, at=clock.now()
            )
            summary = queries.suite_run(tenant=self.tenant, suite_run=suite_run)
        return Response(
            {"claim": str(claim), "cases": [case_json(each) for each in found], "suite_run": suite_json(summary)}
        )


class ResultsView(EvalsView):
    """`POST /api/v1/suite-runs/{id}/results`: what came of a claimed case. The same again changes nothing."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request, suite_run: uuid.UUID) -> Response:
        read = self.body(most=telling.MOST_BYTES)
        case_run, claim = _id(read, "case_run"), _id(read, "claim")
        told = telling.read(read)
        read.done()
        with tenant_scope(self.tenant):
            found = services.take_case_result(
                tenant=self.tenant,
                suite_run=suite_run,
                case_run=case_run,
                claim=claim,
                outcome=services.CaseOutcome(**told),
                at=clock.now(),
            )
        return Response(
            {"case_run": str(found.id), "state": found.state, "detail": found.detail, "checks": found.checks}
        )


class TapeView(EvalsView):
    """`GET /api/v1/runs/{run_id}/tape`: a run's input, its recorded calls in order, and its output."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, run_id: str) -> Response:
        found = _run_id(run_id)
        with tenant_scope(self.tenant):
            text, digest = tapes.text_of(tapes.of_run(tenant=self.tenant, run_id=found))
        return Response({"digest": digest, "tape": json.loads(text)})


class ReplaysView(EvalsView):
    """`POST /api/v1/replays {id?, run_id, agent_version?}`: the tape to replay, frozen. `id` as with suite runs."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request) -> Response:
        read = self.body()
        id = _own_id(read, "id")
        text, version = read.text("run_id", required=True), read.text("agent_version", most=100)
        read.done()
        with tenant_scope(self.tenant):
            made = services.open_replay(
                tenant=self.tenant, run_id=_run_id(text), agent_version=version, by=self.actor, at=clock.now(), id=id
            )
        return Response(replay_json(made) | {"tape": json.loads(made.tape)}, status=201)


class ReplayView(EvalsView):
    """`GET /api/v1/replays/{id}`: how it differed."""

    @extend_schema(responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, replay: uuid.UUID) -> Response:
        with tenant_scope(self.tenant):
            found = queries.replay(tenant=self.tenant, replay=replay)
        return Response(replay_json(found))


class ReplayResultView(EvalsView):
    """`POST /api/v1/replays/{id}/result`: what the replay did; the answer is how it differed."""

    @extend_schema(request=OpenApiTypes.OBJECT, responses={200: OpenApiTypes.OBJECT})
    def post(self, request: Request, replay: uuid.UUID) -> Response:
        read = self.body(most=telling.MOST_BYTES)
        told = telling.read(read)
        read.done()
        with tenant_scope(self.tenant):
            found = services.take_replay_result(
                tenant=self.tenant, replay=replay, result=replaying.result_of(told), at=clock.now()
            )
        return Response(replay_json(found))


# -- in and out -------------------------------------------------------------------------------------------------------


def _id(read: Reading, name: str) -> uuid.UUID:
    return _own_id(read, name, required=True) or uuid.UUID(int=0)


def _own_id(read: Reading, name: str, *, required: bool = False) -> uuid.UUID | None:
    text = read.text(name, required=required)
    if not text:
        return None
    try:
        return uuid.UUID(text)
    except ValueError:
        read.problem(name, "uuid", "a UUID is expected")
        return None


def _texts(read: Reading, name: str) -> list[str]:
    value = read.anything(name)
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > 20 or not all(isinstance(each, str) for each in value):
        read.problem(name, "type", "a list of at most 20 texts is expected")
        return []
    return value


def _run_id(text: str) -> uuid.UUID:
    try:
        return trace_uuid(text.lower())
    except ValueError as error:
        raise NotFound("there is no such run; its id is 32 hex digits") from error


def suite_json(found: SuiteSummary) -> dict[str, Any]:
    run: SuiteRun = found.run
    return {
        "id": str(run.id),
        "agent": run.agent,
        "agent_version": run.agent_version,
        "content_digest": run.content_digest or None,
        "set": found.name,
        "revision": found.revision,
        "revision_digest": found.revision_digest,
        "mode": run.mode,
        "runner": run.runner,
        "tags": run.tags,
        "repeats": run.repeats,
        "trigger": run.trigger,
        "state": run.state,
        "begun_at": clock.rfc3339(run.begun_at),
        "ended_at": clock.rfc3339(run.ended_at) if run.ended_at else None,
        "cases": run.cases,
        "passed": run.passed,
        "failed": run.failed,
        "flaky": run.flaky,
        "open": found.open,
    }


def case_json(found: CaseRun) -> dict[str, Any]:
    """What a runner needs: no expectations, which are the portal's to check."""
    content = json.loads(found.case.content)
    return {
        "case_run": str(found.id),
        "key": found.key,
        "title": found.case.title,
        "turn": found.turn,
        "fault": found.fault or None,
        "input": content["input"],
        "offers": content.get("offers", []),
        "tools": content.get("tools", []),
    }


def replay_json(found: Replay) -> dict[str, Any]:
    return {
        "id": str(found.id),
        "run_id": found.run_id.hex,
        "agent": found.agent,
        "agent_version": found.agent_version,
        "tape_digest": found.tape_digest,
        "state": found.state,
        "asked_at": clock.rfc3339(found.asked_at),
        "ended_at": clock.rfc3339(found.ended_at) if found.ended_at else None,
        "result_digest": found.result_digest or None,
        "is_same": found.is_same,
        "diff": found.diff or None,
    }
