"""Reads of suite runs. Inside the tenant's scope."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Exists, Min, OuterRef, Q, Window
from django.db.models.functions import RowNumber

from agentops.common import clock
from agentops.common.cursors import Cursor
from evals.errors import Unknown
from evals.models import AgentEndpoint, CaseRun, Judgement, SuiteRun
from evals.sets import verdicts
from evals.types import CaseState, JudgementState, JudgeState, Runner, Subject, SuiteMode, SuiteState

Statuses = Mapping[str, tuple[str, str]]
_OPEN = (CaseState.PLANNED, CaseState.CLAIMED, CaseState.JUDGING)


@dataclass(frozen=True, slots=True)
class SuiteSummary:
    """A suite run with the names of what it ran; `open`: how many of its `case_runs` have not ended."""

    run: SuiteRun
    name: str
    revision: int
    revision_digest: str
    open: int
    case_runs: int


@dataclass(frozen=True, slots=True)
class SuitePage:
    rows: list[SuiteSummary]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class CaseResult:
    """A case's repeats, and what they come to together (sets/verdicts.py)."""

    key: str
    fault: str
    title: str
    status: str
    runs: list[CaseRun]


def suite_runs(
    *,
    tenant: uuid.UUID,
    agent: str = "",
    version: str = "",
    name: str = "",
    cursor: Cursor | None = None,
    limit: int = 50,
) -> SuitePage:
    """The newest first."""
    found = SuiteRun.objects.filter(tenant_id=tenant).select_related("revision__eval_set").order_by("-begun_at", "-id")
    for field, text in (("agent", agent), ("agent_version", version), ("revision__eval_set__name", name)):
        if text:
            found = found.filter(**{field: text.replace("\0", "")})
    if cursor is not None:
        found = found.filter(Q(begun_at__lt=cursor.at) | Q(begun_at=cursor.at, id__lt=cursor.id))
    rows = list(found[: limit + 1])
    last = rows[limit - 1] if len(rows) > limit else None
    return SuitePage(_summaries(tenant, rows[:limit]), None if last is None else Cursor(at=last.begun_at, id=last.id))


def suite_run(*, tenant: uuid.UUID, suite_run: uuid.UUID) -> SuiteSummary:
    """Raises Unknown."""
    found = SuiteRun.objects.filter(tenant_id=tenant, id=suite_run).select_related("revision__eval_set").first()
    if found is None:
        raise Unknown("There is no such suite run.")
    return _summaries(tenant, [found])[0]


def case_results(*, tenant: uuid.UUID, suite_run: uuid.UUID) -> list[CaseResult]:
    """By key and fault; without what the agent did (`case_run` has it)."""
    rows = CaseRun.objects.filter(tenant_id=tenant, suite_run_id=suite_run).select_related("case")
    rows = rows.defer("steps", "output", "case__content").order_by("key", "fault", "turn")
    grouped: dict[tuple[str, str], list[CaseRun]] = defaultdict(list)
    for row in rows:
        grouped[row.key, row.fault].append(row)
    return [
        CaseResult(key, fault, runs[0].case.title, verdicts.status_of([run.state for run in runs]), runs)
        for (key, fault), runs in grouped.items()
    ]


@dataclass(frozen=True, slots=True)
class PausedJudge:
    """A paused judge for whom cases of a suite run wait, the first of them `since`."""

    id: uuid.UUID
    name: str
    cases: int
    since: datetime


def paused_judges(*, tenant: uuid.UUID, suite_run: uuid.UUID) -> list[PausedJudge]:
    """Those for whom a suite run waits, by name."""
    waiting = CaseRun.objects.filter(tenant_id=tenant, suite_run_id=suite_run, state=CaseState.JUDGING)
    asked = Judgement.objects.filter(
        tenant_id=tenant,
        subject=Subject.CASE_RUN,
        subject_id__in=waiting.values("id"),
        state=JudgementState.PLANNED,
        judge__state=JudgeState.PAUSED,
    )
    by_judge = asked.values_list("judge_id", "judge__name").annotate(cases=Count("id"), since=Min("planned_at"))
    return [PausedJudge(*row) for row in by_judge.order_by("judge__name", "judge_id")]


def case_run(*, tenant: uuid.UUID, suite_run: uuid.UUID, case_run: uuid.UUID) -> CaseRun:
    """One run of a case with all it did. Raises Unknown."""
    found = CaseRun.objects.filter(tenant_id=tenant, suite_run_id=suite_run, id=case_run).select_related("case").first()
    if found is None:
        raise Unknown("There is no such case run.")
    return found


def suites_at_endpoints() -> list[tuple[uuid.UUID, uuid.UUID]]:
    """(tenant, suite run) of those the portal runs itself, that have cases to run at an address that does not rest: of each
    organisation who answered longest ago, then of each the next, so that nobody's many stand before another's one.
    Needs staff's scope."""
    now = clock.now()
    free = Q(state=CaseState.PLANNED) | Q(state=CaseState.CLAIMED, claimed_until__lt=now)
    waiting = CaseRun.objects.filter(free, suite_run=OuterRef("id"), tenant_id=OuterRef("tenant_id"))
    rests = Q(paused_until__gt=now)
    address = AgentEndpoint.objects.filter(~rests, tenant_id=OuterRef("tenant_id"), agent=OuterRef("agent"))
    found = SuiteRun.objects.filter(Exists(waiting), Exists(address), state=SuiteState.RUNNING, runner=Runner.ENDPOINT)
    place = Window(RowNumber(), partition_by="tenant_id", order_by=["last_seen_at", "id"])
    return list(
        found.annotate(place=place).order_by("place", "last_seen_at", "id").values_list("tenant_id", "id")[:200]
    )


def tenants_with_open_suites() -> list[uuid.UUID]:
    """Needs staff's scope."""
    found = SuiteRun.objects.filter(state=SuiteState.RUNNING).order_by("tenant_id").values_list("tenant_id", flat=True)
    return list(found.distinct())


def agent_endpoint(*, tenant: uuid.UUID, agent: str) -> AgentEndpoint:
    """Raises Unknown."""
    found = AgentEndpoint.objects.filter(tenant_id=tenant, agent=agent).first()
    if found is None:
        raise Unknown(f"{agent} has no address at which it could be asked.")
    return found


def agent_endpoints(*, tenant: uuid.UUID) -> list[AgentEndpoint]:
    """By agent."""
    return list(AgentEndpoint.objects.filter(tenant_id=tenant).order_by("agent"))


def _summaries(tenant: uuid.UUID, rows: Sequence[SuiteRun]) -> list[SuiteSummary]:
    counted = {
        suite_run: (all_, open_)
        for suite_run, all_, open_ in CaseRun.objects.filter(tenant_id=tenant, suite_run__in=rows)
        .values_list("suite_run")
        .annotate(all_=Count("id"), open_=Count("id", filter=Q(state__in=_OPEN)))
    }
    return [
        SuiteSummary(
            run=row,
            name=row.revision.eval_set.name,
            revision=row.revision.number,
            revision_digest=row.revision.digest,
            open=counted.get(row.id, (0, 0))[1],
            case_runs=counted.get(row.id, (0, 0))[0],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class TwoRuns:
    """The newest runs of one set on two agent versions: (status, digest of the case) by key; empty where there is none."""

    name: str
    before: Statuses
    after: Statuses


def newest_suite_runs(*, tenant: uuid.UUID, agent: str, versions: tuple[str, str], name: str = "") -> Sequence[TwoRuns]:
    """By set, those that were run wholly on at least one of the versions."""
    found: dict[str, dict[str, uuid.UUID]] = defaultdict(dict)
    of_agent = SuiteRun.objects.filter(
        tenant_id=tenant, agent=agent, agent_version__in=versions, state=SuiteState.DONE, mode=SuiteMode.PLAIN, tags=[]
    ).order_by("-begun_at", "-id")
    if name:
        of_agent = of_agent.filter(revision__eval_set__name=name)
    for id, version, set_name in of_agent.values_list("id", "agent_version", "revision__eval_set__name"):
        found[set_name].setdefault(version, id)
    return [
        TwoRuns(set_name, *(_statuses(tenant, runs.get(version)) for version in versions))
        for set_name, runs in sorted(found.items())
    ]


def _statuses(tenant: uuid.UUID, suite_run: uuid.UUID | None) -> Statuses:
    states: dict[str, list[str]] = defaultdict(list)
    digests: dict[str, str] = {}
    rows = CaseRun.objects.filter(tenant_id=tenant, suite_run_id=suite_run)
    for key, state, digest in rows.values_list("key", "state", "case__digest"):
        states[key].append(state)
        digests[key] = digest
    return {key: (verdicts.status_of(each), digests[key]) for key, each in states.items()}
