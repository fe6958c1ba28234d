"""A suite run begins with its whole plan: which cases, how often, with which faults. Nothing is added to it later."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from celery import signature
from django.db import IntegrityError, transaction

from agentops.catalog import queries as catalog
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.types import VersionDetail
from agentops.common import scope
from agentops.common.errors import Conflict
from agentops.common.ids import new_id
from agentops.common.queues import Queue, ring_on_commit
from audit import services as audit
from audit.types import Actor, Outcome, Target
from evals import queries
from evals.errors import AlreadyDone, IdempotencyMismatch, Unknown, invalid
from evals.models import AgentEndpoint, CaseRun, SuiteRun
from evals.queries.sets import KeyedCase
from evals.services.suites import judges
from evals.sets import cases
from evals.types import CaseState, Runner, SuiteMode, SuiteState

RUN = "evals.tasks.sets.run_at_endpoint"  # of tasks, which services do not import
FAULTS = ("timeout", "error", "malformed")
TRIGGERS = ("person", "api", "ci", "gate", "schedule")
REPEATS_MOST, CASE_RUNS_MOST = 20, 20_000
_OPEN = (CaseState.PLANNED, CaseState.CLAIMED, CaseState.JUDGING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be run. `revision` None: the newest; `tags` empty: all cases."""

    agent: str
    agent_version: str
    eval_set: str
    revision: int | None = None
    mode: SuiteMode = SuiteMode.PLAIN
    tags: Sequence[str] = ()
    repeats: int = 1


def begin_suite_run(
    *,
    tenant: uuid.UUID,
    asked: Asked,
    runner: Runner,
    trigger: str,
    by: Actor,
    at: datetime,
    id: uuid.UUID | None = None,
) -> SuiteRun:
    """Write the plan. Under an `id` of the caller's own, the same asked again begins nothing: the run begun first is answered.

    Raises InvalidInput, Unknown (set, revision), Conflict (archived; no endpoint to run it at), IdempotencyMismatch.
    """
    scope.require_tenant(tenant)
    _check(asked, trigger)
    if id is not None and (begun := _begun(tenant, id, asked, runner, trigger)) is not None:
        return begun
    eval_set = queries.eval_set(tenant=tenant, name=asked.eval_set)
    if eval_set.archived_at is not None:
        raise Conflict("the set is archived; bring it back first")
    if runner == Runner.ENDPOINT and not AgentEndpoint.objects.filter(tenant_id=tenant, agent=asked.agent).exists():
        raise Conflict(
            f"{asked.agent} has no address at which the portal could run it; set one on the page of suite runs"
        )
    revision = queries.revision(tenant=tenant, eval_set=eval_set.id, number=asked.revision)
    chosen = _chosen(queries.cases_of(tenant=tenant, revision=revision.id), asked)
    faults = FAULTS if asked.mode == SuiteMode.CHAOS else ("",)
    if len(chosen) * asked.repeats * len(faults) > CASE_RUNS_MOST:
        raise invalid(
            "/repeats", f"at most {CASE_RUNS_MOST} runs of cases are taken at once; choose tags, or fewer repeats"
        )
    version = _version(tenant, asked)
    plan = SuiteRun(
        id=id or new_id(),
        tenant_id=tenant,
        agent=asked.agent,
        agent_version=asked.agent_version,
        content_digest=version.content_digest if version else "",
        prompt_hash=version.prompt_hash if version else "",
        tool_definitions_hash=version.tool_definitions_hash if version else "",
        model=version.models[0] if version and version.models else "",
        revision=revision,
        mode=asked.mode,
        runner=runner,
        tags=sorted(set(asked.tags)),
        repeats=asked.repeats,
        trigger=trigger,
        begun_at=at,
        begun_by=by.label[:200],
        last_seen_at=at,
        cases=len(chosen) * len(faults),
    )
    made = _written(plan, asked)
    if made is not plan:
        return made
    CaseRun.objects.bulk_create(
        [
            CaseRun(
                id=new_id(),
                tenant_id=tenant,
                suite_run=made,
                case_id=each.version_id,
                key=each.key,
                turn=turn,
                fault=fault,
            )
            for turn in range(1, asked.repeats + 1)
            for each in chosen
            for fault in faults
        ],
        batch_size=1_000,
    )
    _record(made, "suite.begun", {**_named(made), "cases": made.cases, "trigger": trigger}, by, at)
    if runner == Runner.ENDPOINT:
        ring_on_commit(signature(RUN, queue=Queue.JUDGING.value), tenant_id=str(tenant), suite_run_id=str(made.id))
    return made


def cancel_suite_run(*, tenant: uuid.UUID, suite_run: uuid.UUID, by: Actor, at: datetime) -> SuiteRun:
    """End a run that nobody needs any more; results that come later are refused. Raises Unknown, AlreadyDone."""
    scope.require_tenant(tenant)
    locked = SuiteRun.objects.select_for_update().filter(tenant_id=tenant, id=suite_run).first()
    if locked is None:
        raise Unknown("There is no such suite run.")
    if locked.state != SuiteState.RUNNING:
        raise AlreadyDone("this suite run has ended")
    locked.state, locked.ended_at = SuiteState.CANCELLED, at
    locked.save(update_fields=["state", "ended_at"])
    judges.ask_no_more(locked, at)
    open_ones = CaseRun.objects.filter(tenant_id=tenant, suite_run=locked, state__in=_OPEN)
    open_ones.update(state=CaseState.ERRORED, detail="the suite run was cancelled", ended_at=at, claim=None)
    _record(locked, "suite.cancelled", _named(locked), by, at)
    return locked


def _begun(tenant: uuid.UUID, id: uuid.UUID, asked: Asked, runner: Runner, trigger: str) -> SuiteRun | None:
    """What was begun under this id, if it was asked for in the same words; who names no revision takes the one of then."""
    found = SuiteRun.objects.filter(tenant_id=tenant, id=id).select_related("revision__eval_set").first()
    if found is None:
        return None
    revision = found.revision
    words = (found.agent, found.agent_version, found.mode, found.repeats, found.tags, found.runner, found.trigger)
    again = (asked.agent, asked.agent_version, asked.mode, asked.repeats, sorted(set(asked.tags)), runner, trigger)
    if words != again or revision.eval_set.name != asked.eval_set or asked.revision not in (None, revision.number):
        raise IdempotencyMismatch(f"The id {id} was used for another suite run; choose a new one.")
    return found


def _written(plan: SuiteRun, asked: Asked) -> SuiteRun:
    """The plan, or the run that was begun under its id by whoever was faster."""
    try:
        with transaction.atomic():
            plan.save(force_insert=True)
    except IntegrityError as error:
        begun = _begun(plan.tenant_id, plan.id, asked, Runner(plan.runner), plan.trigger)
        if begun is None:  # another organisation's, of which nothing is said
            raise IdempotencyMismatch(f"The id {plan.id} was used for another suite run; choose a new one.") from error
        return begun
    return plan


def _check(asked: Asked, trigger: str) -> None:
    for name, text in (("agent", asked.agent), ("agent_version", asked.agent_version)):
        if not 1 <= len(text.strip()) <= 100 or not text.isprintable():
            raise invalid(f"/{name}", "1 to 100 printable characters are expected")
    if not 1 <= asked.repeats <= REPEATS_MOST:
        raise invalid("/repeats", f"a whole number from 1 to {REPEATS_MOST} is expected")
    if trigger not in TRIGGERS:
        raise invalid("/trigger", f"one of {', '.join(TRIGGERS)} is expected")
    for place, tag in enumerate(asked.tags):
        if not cases.is_tag(tag):
            raise invalid(f"/tags/{place}", "a tag of cases is expected")


def _chosen(found: Sequence[KeyedCase], asked: Asked) -> list[KeyedCase]:
    """The cases that are for this agent and have one of the tags; in chaos, those with a call that can fail."""
    tags = set(asked.tags)
    chosen = [
        each
        for each in found
        if each.case.agent in ("", asked.agent)
        and (not tags or tags & set(each.case.tags))
        and (asked.mode != SuiteMode.CHAOS or any("result" in tool or "error" in tool for tool in each.case.tools))
    ]
    if not chosen:
        having = f" with one of the tags {', '.join(sorted(tags))}" if tags else ""
        failing = " and a recorded call that can fail" if asked.mode == SuiteMode.CHAOS else ""
        raise invalid("/set", f"the set has no case for {asked.agent}{having}{failing}")
    return chosen


def _version(tenant: uuid.UUID, asked: Asked) -> VersionDetail | None:
    """What the catalog knows of the version at this moment; None where it knows none."""
    try:
        agent = catalog.agent(tenant=tenant, name=asked.agent)
    except AgentUnknown:
        return None
    return next((version for version in agent.versions if version.version == asked.agent_version), None)


def _named(suite_run: SuiteRun) -> dict[str, object]:
    return {
        "agent": suite_run.agent,
        "version": suite_run.agent_version,
        "name": suite_run.revision.eval_set.name,
        "revision": suite_run.revision.number,
    }


def _record(suite_run: SuiteRun, action: str, data: Mapping[str, object], by: Actor, at: datetime) -> None:
    audit.record(
        tenant=suite_run.tenant_id,
        action=action,
        actor=by,
        target=Target(type="suite_run", id=str(suite_run.id)),
        outcome=Outcome.SUCCESS,
        data=data,
        at=at,
    )
