"""What the pages of judging show."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from django.db.models import Count, Q

from agentops.catalog import queries as catalog
from agentops.common.cursors import Cursor
from agentops.traces import queries as traces
from evals.errors import Unknown
from evals.judging import checks, rubrics
from evals.models import (
    Assignment,
    Calibration,
    CheckRules,
    HumanLabel,
    Judge,
    JudgeEndpoint,
    Judgement,
    Rubric,
    RubricVersion,
    RunFact,
    Score,
)
from evals.queries import judging
from evals.types import JudgementState, JudgeState, Subject

PAGE = 50
LATELY = timedelta(days=7)
DISAGREEMENTS_MOST = 20


@dataclass(frozen=True, slots=True)
class JudgeLine:
    """A judge in the list. `counts` are of the last days, by state."""

    judge: Judge
    calibration: Calibration | None
    counts: dict[str, int]
    lines: Sequence[Assignment]

    @property
    def not_scored(self) -> int:
        return self.counts.get(JudgementState.FAILED, 0)


@dataclass(frozen=True, slots=True)
class JudgementFilter:
    state: str = ""
    judge: str = ""
    agent: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class JudgementPage:
    rows: Sequence[Judgement]
    next: Cursor | None


@dataclass(frozen=True, slots=True)
class Compared:
    """One criterion's calibration as a table: `cells[person][judge]`."""

    title: str
    calibration: Calibration
    categories: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]
    base_rate: float


@dataclass(frozen=True, slots=True)
class Disagreement:
    run_id: uuid.UUID
    criterion: str
    judge_value: str
    person_value: str
    labelled_by: str
    reason: str


def judge_lines(*, tenant: uuid.UUID, at: datetime) -> list[JudgeLine]:
    """The current judges by name."""
    judges = list(
        Judge.objects.filter(tenant_id=tenant)
        .exclude(state=JudgeState.REPLACED)
        .select_related("rubric_version__rubric", "endpoint")
        .order_by("name")
    )
    sound = {row.judge_id: row for row in Calibration.objects.filter(tenant_id=tenant, judge__in=judges, criterion="")}
    counts: dict[uuid.UUID, dict[str, int]] = defaultdict(dict)
    rows = (
        Judgement.objects.filter(tenant_id=tenant, judge__in=judges, planned_at__gte=at - LATELY)
        .values_list("judge_id", "state")
        .annotate(n=Count("id"))
        .order_by()
    )
    for judge_id, state, n in rows:
        counts[judge_id][state] = n
    lines: dict[str, list[Assignment]] = defaultdict(list)
    for line in assignments(tenant=tenant):
        lines[line.judge_name].append(line)
    return [JudgeLine(judge, sound.get(judge.id), counts[judge.id], lines[judge.name]) for judge in judges]


def assignments(*, tenant: uuid.UUID) -> list[Assignment]:
    return list(Assignment.objects.filter(tenant_id=tenant).order_by("agent", "judge_name"))


def endpoints(*, tenant: uuid.UUID) -> list[JudgeEndpoint]:
    return list(JudgeEndpoint.objects.filter(tenant_id=tenant).order_by("name"))


def endpoint(*, tenant: uuid.UUID, endpoint_id: uuid.UUID) -> JudgeEndpoint:
    """Raises Unknown."""
    found = JudgeEndpoint.objects.filter(tenant_id=tenant, id=endpoint_id).first()
    if found is None:
        raise Unknown("There is no such endpoint.")
    return found


def rubric_versions(*, tenant: uuid.UUID) -> list[RubricVersion]:
    """All versions, by rubric, the newest first."""
    rows = RubricVersion.objects.filter(tenant_id=tenant, rubric__archived_at__isnull=True).select_related("rubric")
    return list(rows.order_by("rubric__name", "-number"))


def newest_rubrics(*, tenant: uuid.UUID) -> list[RubricVersion]:
    """The newest version of each rubric."""
    found: dict[uuid.UUID, RubricVersion] = {}
    for version in rubric_versions(tenant=tenant):
        found.setdefault(version.rubric_id, version)
    return list(found.values())


def rubric(*, tenant: uuid.UUID, rubric_id: uuid.UUID) -> tuple[Rubric, list[RubricVersion]]:
    """A rubric with its versions, the newest first. Raises Unknown."""
    found = Rubric.objects.filter(tenant_id=tenant, id=rubric_id).first()
    if found is None:
        raise Unknown("There is no such rubric.")
    return found, list(RubricVersion.objects.filter(tenant_id=tenant, rubric=found).order_by("-number"))


def judge(*, tenant: uuid.UUID, judge_id: uuid.UUID) -> Judge:
    """Raises Unknown."""
    found = (
        Judge.objects.filter(tenant_id=tenant, id=judge_id).select_related("rubric_version__rubric", "endpoint").first()
    )
    if found is None:
        raise Unknown("There is no such judge.")
    return found


def versions_of(found: Judge) -> list[Judge]:
    rows = Judge.objects.filter(tenant_id=found.tenant_id, name=found.name).select_related("rubric_version__rubric")
    return list(rows.order_by("-number"))


def content_of(version: RubricVersion) -> rubrics.Content:
    return rubrics.parse(orjson.loads(version.content))


def compared(found: Judge) -> list[Compared]:
    """Over all first, then by criterion."""
    titles = {
        "": "Passed or not, over all",
        **{one.key: one.title for one in content_of(found.rubric_version).criteria},
    }
    order = list(titles)
    rows = [
        row for row in Calibration.objects.filter(tenant_id=found.tenant_id, judge=found) if row.criterion in titles
    ]
    rows.sort(key=lambda row: order.index(row.criterion))
    return [
        Compared(
            title=titles[row.criterion],
            calibration=row,
            categories=row.matrix["categories"],
            rows=list(zip(row.matrix["categories"], row.matrix["rows"], strict=True)),
            base_rate=row.matrix["base_rate"],
        )
        for row in rows
    ]


def labelled_runs(found: Judge) -> int:
    rows = HumanLabel.objects.filter(tenant_id=found.tenant_id, rubric_version=found.rubric_version_id)
    return rows.aggregate(n=Count("run_id", distinct=True))["n"] or 0


def disagreements(found: Judge) -> list[Disagreement]:
    """Where the judge's value is not the last person's, the newest labels first."""
    labels = HumanLabel.objects.filter(tenant_id=found.tenant_id, rubric_version=found.rubric_version_id).order_by(
        "-labelled_at", "-id"
    )[:500]
    last: dict[tuple[uuid.UUID, str], HumanLabel] = {}
    for label in labels:
        last.setdefault((label.run_id, label.criterion), label)
    scores = Score.objects.filter(
        tenant_id=found.tenant_id,
        judgement__judge=found,
        judgement__subject=Subject.RUN,
        judgement__subject_id__in=[run for run, _ in last],
    ).select_related("judgement")
    by_place = {(score.judgement.subject_id, score.criterion): score for score in scores}
    return [
        Disagreement(run, criterion, score.value, label.value, label.labelled_by, score.reason)
        for (run, criterion), label in last.items()
        if (score := by_place.get((run, criterion))) is not None and score.value != label.value
    ][:DISAGREEMENTS_MOST]


def judgements(*, tenant: uuid.UUID, only: JudgementFilter, cursor: Cursor | None) -> JudgementPage:
    """Judgements, the latest planned first."""
    rows = Judgement.objects.filter(tenant_id=tenant).select_related("judge")
    if only.state == "open":
        rows = rows.filter(state__in=[JudgementState.PLANNED, JudgementState.RUNNING])
    elif only.state == "none":
        rows = rows.filter(state__in=[JudgementState.FAILED, JudgementState.SKIPPED])
    elif only.state:
        rows = rows.filter(state=only.state)
    if only.judge:
        rows = rows.filter(judge__name=only.judge)
    if only.agent:
        rows = rows.filter(agent=only.agent)
    if only.code:
        rows = rows.filter(code=only.code)
    if cursor is not None:
        rows = rows.filter(Q(planned_at__lt=cursor.at) | Q(planned_at=cursor.at, id__lt=cursor.id))
    found = list(rows.order_by("-planned_at", "-id")[: PAGE + 1])
    shown = found[:PAGE]
    more = Cursor(at=shown[-1].planned_at, id=shown[-1].id) if len(found) > PAGE else None
    return JudgementPage(rows=shown, next=more)


def judge_names(*, tenant: uuid.UUID) -> list[str]:
    rows = Judge.objects.filter(tenant_id=tenant).exclude(state=JudgeState.REPLACED)
    return list(rows.order_by("name").values_list("name", flat=True))


def agent_names(*, tenant: uuid.UUID, at: datetime) -> list[str]:
    """Agents of the catalog, and those whose runs came within a month."""
    seen = RunFact.objects.filter(tenant_id=tenant, day__gte=(at - timedelta(days=30)).date()).exclude(agent="")
    known = [each.name for each in catalog.agents(tenant=tenant)]
    return sorted({*known, *seen.order_by().values_list("agent", flat=True).distinct()[:500]})


def check_rules(*, tenant: uuid.UUID) -> list[CheckRules]:
    return list(CheckRules.objects.filter(tenant_id=tenant).order_by("agent"))


def run_panel(*, run: traces.Run) -> dict[str, object]:
    """What judges and checks said of a run, for its page."""
    fact = judging.fact_of(run.tenant_id, run.run_id)
    noted = fact.check_notes if fact else {}
    found = [
        {"title": checks.TITLES[code], "state": "noted" if code == checks.REFUSAL else "failed", **noted[code]}
        for code in checks.TITLES
        if code in noted
    ]
    return {"whys": judging.why_of(run, fact), "checks": found}
