"""Comparing judges with people: by criterion and over all, whenever labels or scores came since.

Pairs are of runs that a judge's version scored and that a person labelled by the same version of the rubric; of several
people's labels of one run the last holds. So a further version of a rubric or judge begins without any. Pairs of runs that
are not kept any more are still counted (`gone`, in a comparison's matrix): what was agreed on was agreed on.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

import orjson
from django.db import connection

from agentops.common import scope
from agentops.common.ids import new_id
from evals.judging import calibration, rubrics
from evals.models import Calibration, HumanLabel, Judge, Score
from evals.types import JudgementState, JudgeState, Subject

LABELS_MOST = 20_000  # of a rubric's version, the newest
Labels = dict[uuid.UUID, dict[str, tuple[str, float]]]  # value and score by run and criterion
Gone = dict[str, Counter[tuple[str, str]]]
_STALE = """
SELECT j.id FROM evals_judge j WHERE j.tenant_id = %(tenant)s AND j.state <> 'replaced' AND greatest(
    (SELECT max(l.labelled_at) FROM evals_humanlabel l WHERE l.tenant_id = %(tenant)s AND l.rubric_version_id = j.rubric_version_id),
    (SELECT max(g.ended_at) FROM evals_judgement g JOIN evals_humanlabel l ON l.tenant_id = %(tenant)s AND l.run_id = g.subject_id
        AND l.rubric_version_id = j.rubric_version_id
        WHERE g.tenant_id = %(tenant)s AND g.judge_id = j.id AND g.subject = 'run' AND g.state = 'scored')
) >= coalesce((SELECT max(c.computed_at) FROM evals_calibration c WHERE c.tenant_id = %(tenant)s AND c.judge_id = j.id),
    '-infinity') ORDER BY j.id
"""


def stale_judges(*, tenant: uuid.UUID) -> list[uuid.UUID]:
    """The current judges for which labels or scores of labelled runs came after they were compared."""
    scope.require_tenant(tenant)
    with connection.cursor() as cursor:
        cursor.execute(_STALE, {"tenant": tenant})
        return [row[0] for row in cursor.fetchall()]


def calibrate_judge(*, tenant: uuid.UUID, judge: uuid.UUID, at: datetime) -> int:
    """Compare one judge's version with people's labels; answers how many runs both looked at."""
    scope.require_tenant(tenant)
    found = (
        Judge.objects.select_for_update(of=("self",))
        .filter(tenant_id=tenant, id=judge)
        .exclude(state=JudgeState.REPLACED)
        .select_related("rubric_version")
        .first()
    )
    if found is None:
        return 0
    return _calibrate(found, _gone(found), at)


def keep_pairs(*, tenant: uuid.UUID, runs: Sequence[uuid.UUID], at: datetime) -> None:
    """Count the pairs of runs that are about to go, so that the comparisons are after it what they were before."""
    scope.require_tenant(tenant)
    versions = HumanLabel.objects.filter(tenant_id=tenant, run_id__in=runs).values("rubric_version_id")
    judges = (
        Judge.objects.select_for_update(of=("self",))
        .filter(tenant_id=tenant, rubric_version_id__in=versions)
        .exclude(state=JudgeState.REPLACED)
        .select_related("rubric_version")
        .order_by("id")
    )
    for judge in judges:
        gone = _gone(judge)
        for criterion, pairs in _pairs(judge, runs).items():
            for pair in pairs:
                gone[criterion][pair] += 1
        _calibrate(judge, gone, at, without=runs)


def _calibrate(judge: Judge, gone: Gone, at: datetime, *, without: Sequence[uuid.UUID] = ()) -> int:
    content = rubrics.parse(orjson.loads(judge.rubric_version.content))
    pairs = _pairs(judge, None, without=without)
    compared = {
        one.key: calibration.agreement(
            [*pairs[one.key], *gone[one.key].elements()],
            [level.value for level in one.levels],
            is_ordered=one.kind != "pass_fail",
        )
        for one in content.criteria
    }
    over_all = calibration.agreement([*pairs[""], *gone[""].elements()], [rubrics.FAIL, rubrics.PASS], is_ordered=False)
    compared[""] = over_all
    Calibration.objects.filter(tenant_id=judge.tenant_id, judge=judge).delete()
    Calibration.objects.bulk_create(
        _row(judge, criterion, agreement, gone[criterion], at)
        for criterion, agreement in compared.items()
        if agreement is not None
    )
    return over_all.pairs if over_all else 0


def _gone(judge: Judge) -> Gone:
    """How often a judge said this and a person that, of runs that are not kept any more; by criterion."""
    found: Gone = defaultdict(Counter)
    rows = Calibration.objects.filter(tenant_id=judge.tenant_id, judge=judge)
    for criterion, matrix in rows.values_list("criterion", "matrix"):
        for said, person, count in matrix.get("gone", ()):
            found[criterion][said, person] = count
    return found


def _pairs(
    judge: Judge, runs: Sequence[uuid.UUID] | None, *, without: Sequence[uuid.UUID] = ()
) -> dict[str, list[tuple[str, str]]]:
    """What the judge said and what a person said, by criterion; "": over all."""
    content = rubrics.parse(orjson.loads(judge.rubric_version.content))
    labels = _labels(judge.tenant_id, judge.rubric_version_id, runs, without)
    scores = _scores(judge.tenant_id, judge, list(labels))
    found = {
        one.key: [
            (scores[run][one.key][0], said[one.key][0])
            for run, said in labels.items()
            if one.key in said and one.key in scores.get(run, {})
        ]
        for one in content.criteria
    }
    return {**found, "": _over_all(content, labels, scores)}


def _labels(
    tenant: uuid.UUID, version: uuid.UUID, runs: Sequence[uuid.UUID] | None, without: Sequence[uuid.UUID]
) -> Labels:
    rows = HumanLabel.objects.filter(tenant_id=tenant, rubric_version=version).exclude(run_id__in=without)
    if runs is not None:
        rows = rows.filter(run_id__in=runs)
    rows = rows.order_by("-labelled_at", "-id")
    found: Labels = defaultdict(dict)
    for run, criterion, value, score in rows.values_list("run_id", "criterion", "value", "score")[:LABELS_MOST]:
        found[run].setdefault(criterion, (value, score))
    return dict(found)


def _scores(tenant: uuid.UUID, judge: Judge, runs: list[uuid.UUID]) -> Labels:
    rows = Score.objects.filter(
        tenant_id=tenant,
        judgement__judge=judge,
        judgement__subject=Subject.RUN,
        judgement__state=JudgementState.SCORED,
        judgement__subject_id__in=runs,
    )
    found: Labels = defaultdict(dict)
    for run, criterion, value, score in rows.values_list("judgement__subject_id", "criterion", "value", "score"):
        found[run][criterion] = (value, score)
    return found


def _over_all(content: rubrics.Content, labels: Labels, scores: Labels) -> list[tuple[str, str]]:
    """Passed or not, by both, of runs with a label for every criterion."""
    keys = [one.key for one in content.criteria]
    return [
        (_word(content, scores[run]), _word(content, said))
        for run, said in labels.items()
        if all(key in said and key in scores.get(run, {}) for key in keys)
    ]


def _word(content: rubrics.Content, said: dict[str, tuple[str, float]]) -> str:
    score = content.over_all({key: value[1] for key, value in said.items()})
    return rubrics.PASS if score >= content.pass_at else rubrics.FAIL


def _row(
    judge: Judge, criterion: str, found: calibration.Agreement, gone: Counter[tuple[str, str]], at: datetime
) -> Calibration:
    return Calibration(
        id=new_id(),
        tenant_id=judge.tenant_id,
        judge=judge,
        criterion=criterion,
        pairs=found.pairs,
        agreement=found.agreement,
        kappa=found.kappa,
        kappa_low=found.low,
        kappa_high=found.high,
        matrix={
            "categories": list(found.categories),
            "rows": [list(row) for row in found.matrix],
            "base_rate": found.base_rate,
            "gone": [[*pair, count] for pair, count in sorted(gone.items())],
        },
        is_sound=found.is_sound,
        computed_at=at,
    )
