"""Reads of judging: why a run was judged or not, its scores, and whether a judge may gate."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from agentops.traces import queries as traces
from evals.judging import sampling
from evals.models import Assignment, Calibration, Judge, Judgement, RunFact, Score
from evals.types import JUDGE_AGENT, JudgementState, JudgeState, Sampled, Subject

CODES = {
    "same_model_family": "the judge's model is of the agent's own family",
    "unknown_model": "nobody knows of which family the agent's model is",
    "no_content": "its content was not captured",
    "erased": "its user was forgotten",
    "run_gone": "it is not kept any more",
    "paused": "the judge was paused",
    "suite_over": "the suite run was ended",
    "replaced": "a newer version of the judge took its place",
    "budget": "the budget for judges is used up",
    "unpriced_budget": "the judge's model has no price, and budgets are kept",
    "rate_limited": "the endpoint asks for patience",
    "timeout": "the judge did not answer in time",
    "unreachable": "the endpoint could not be reached",
    "server_error": "the endpoint failed",
    "refused": "the endpoint refused the request",
    "closed_address": "the endpoint's address is not one that may be written to",
    "secret_lost": "the endpoint's key cannot be read any more: give it again",
    "malformed": "the judge's answers did not have the form that was asked for",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What one judge made of a run, in a sentence. `judge` is its name; `judgement` is None where there is none."""

    judge: str
    state: str  # of the judgement; else not_finished | not_seen | not_assigned | not_drawn
    sentence: str
    judgement: Judgement | None = None
    scores: Sequence[Score] = ()


def why(tenant: uuid.UUID, run: uuid.UUID) -> list[Why]:
    """For each judge that is assigned to the run's agent, or looked at the run: why it was or was not judged.

    Raises NotFound for a run that is not there.
    """
    return why_of(traces.get_run(tenant=tenant, run_id=run), fact_of(tenant, run))


def why_of(row: traces.Run, fact: RunFact | None) -> list[Why]:
    """The same of a run that was read, and its fact. Without a fact no judgement was planned."""
    tenant, run = row.tenant_id, row.run_id
    found = _judgements(tenant, run) if fact is not None else {}
    rates = _rates(tenant, fact.agent if fact else row.agent)
    names = sorted({*rates, *found, *(fact.draws if fact else ())})
    if row.agent == JUDGE_AGENT:
        return [Why(judge="", state="not_assigned", sentence="This is a judge's own run; those are never judged.")]
    if not names:
        agent = row.agent or "an agent without a name"
        return [Why(judge="", state="not_assigned", sentence=f"No judge is assigned to {agent}.")]
    return [_why(name, row.finalised_at is not None, fact, found.get(name), rates.get(name)) for name in names]


def _why(name: str, is_finished: bool, fact: RunFact | None, judgement: Judgement | None, rate: float | None) -> Why:
    if judgement is not None:
        scores = sorted(judgement.scores.all(), key=lambda score: score.criterion)
        return Why(
            judge=name, state=judgement.state, sentence=sentence_of(judgement), judgement=judgement, scores=scores
        )
    if not is_finished:
        return Why(judge=name, state="not_finished", sentence="Not judged yet: the run has not finished.")
    if fact is None:
        return Why(judge=name, state="not_seen", sentence="Not judged yet: the run has just finished.")
    drawn = fact.draws.get(name)
    if drawn is None:
        return Why(
            judge=name, state="not_assigned", sentence=f"Not judged: {name} was assigned after the run was looked at."
        )
    share = f"{drawn['p']:.1%}".replace(".0%", "%")
    if not drawn["p"]:
        return Why(judge=name, state="not_drawn", sentence=f"Not judged: {name} sees only runs that are always judged.")
    return Why(
        judge=name,
        state="not_drawn",
        sentence=f"Not judged: {name} sees {share} of runs like this one, by lot, and this one was not drawn.",
    )


def sentence_of(judgement: Judgement) -> str:
    """Where a judgement stands, in words."""
    reason = CODES.get(judgement.code, judgement.code.replace("_", " "))
    match judgement.state:
        case JudgementState.SCORED:
            return f"Scored {judgement.score:.2f}, {'passed' if judgement.is_pass else 'not passed'}; judged {_chosen(judgement)}."
        case JudgementState.FAILED:
            return f"No score: {reason}, after {judgement.attempts} attempt{'' if judgement.attempts == 1 else 's'}."
        case JudgementState.SKIPPED:
            return f"Not judged: {reason}."
        case JudgementState.RUNNING:
            return f"With the judge; chosen {_chosen(judgement)}."
    if judgement.judge.state == JudgeState.PAUSED:
        return "Waits: the judge is paused."
    return (
        f"Waits: {reason}; it is tried again."
        if judgement.code
        else f"Waits for the judge; chosen {_chosen(judgement)}."
    )


def _chosen(judgement: Judgement) -> str:
    match judgement.sampled:
        case Sampled.KEPT:
            return "because such runs always are"
        case Sampled.ASKED:
            return "because a person asked"
        case Sampled.CASE:
            return "as a case of a suite"
    return f"by lot ({judgement.probability:.1%} of such runs)".replace(".0%", "%")


def kept_words(codes: Iterable[str]) -> str:
    """Why a run is always judged."""
    return "; ".join(sampling.TITLES.get(code, code) for code in codes)


def scores_of_runs(tenant: uuid.UUID, runs: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Judgement]]:
    """The scored judgements of runs, with `scores` read, the newest first."""
    rows = (
        Judgement.objects.filter(
            tenant_id=tenant, subject=Subject.RUN, subject_id__in=list(runs), state=JudgementState.SCORED
        )
        .select_related("judge", "judge__rubric_version")
        .prefetch_related("scores")
        .order_by("-ended_at", "-id")
    )
    found: dict[uuid.UUID, list[Judgement]] = defaultdict(list)
    for judgement in rows:
        found[judgement.subject_id].append(judgement)
    return dict(found)


def fact_of(tenant: uuid.UUID, run: uuid.UUID) -> RunFact | None:
    return RunFact.objects.filter(tenant_id=tenant, run_id=run).first()


def may_gate(tenant: uuid.UUID, judge_name: str) -> tuple[bool, str]:
    """May a gate rely on this judge's current version? With the sentence why, or why not."""
    judge = current_judge(tenant, judge_name)
    if judge is None:
        return False, f"There is no judge {judge_name}."
    if judge.state == JudgeState.PAUSED:
        return False, f"{judge.name} is paused."
    over_all = Calibration.objects.filter(tenant_id=tenant, judge=judge, criterion="").first()
    if over_all is None:
        return False, (
            f"{judge.name} (version {judge.number}) was not compared with people's labels: label runs by its rubric, "
            "and have it judge them."
        )
    agrees = _agreement(over_all)
    if not over_all.is_sound:
        return (
            False,
            f"{judge.name} (version {judge.number}) does not agree with people surely enough to gate: {agrees}.",
        )
    return True, f"{judge.name} (version {judge.number}) agrees with people: {agrees}."


def _agreement(found: Calibration) -> str:
    if found.kappa is None or found.kappa_low is None or found.kappa_high is None:
        return f"{found.pairs} labelled runs, all of one kind, from which nothing can be said"
    return f"kappa {found.kappa:.2f} ({found.kappa_low:.2f} to {found.kappa_high:.2f}) over {found.pairs} labelled runs"


def current_judge(tenant: uuid.UUID, name: str) -> Judge | None:
    return (
        Judge.objects.filter(tenant_id=tenant, name=name)
        .exclude(state=JudgeState.REPLACED)
        .select_related("rubric_version", "rubric_version__rubric", "endpoint")
        .first()
    )


def tenants_with_due(at: datetime) -> list[uuid.UUID]:
    """The organisations in which judgements can be asked for now, as far as their endpoints rest or judges are paused; the
    limit of requests in a minute is the claim's. Needs staff's scope."""
    rows = Judgement.objects.filter(
        Q(judge__endpoint__paused_until__isnull=True) | Q(judge__endpoint__paused_until__lte=at),
        Q(judge__state=JudgeState.ACTIVE) | Q(judge__state=JudgeState.REPLACED, subject=Subject.CASE_RUN),
        state__in=[JudgementState.PLANNED, JudgementState.RUNNING],
        next_at__lte=at,
    )
    return list(rows.order_by().values_list("tenant_id", flat=True).distinct())


def _judgements(tenant: uuid.UUID, run: uuid.UUID) -> dict[str, Judgement]:
    """By the judge's name; of its versions the newest that looked."""
    rows = (
        Judgement.objects.filter(tenant_id=tenant, subject=Subject.RUN, subject_id=run)
        .select_related("judge", "judge__rubric_version")
        .prefetch_related("scores")
        .order_by("judge__number")
    )
    return {row.judge.name: row for row in rows}


def _rates(tenant: uuid.UUID, agent: str) -> dict[str, float]:
    rows = Assignment.objects.filter(tenant_id=tenant, agent__in=["", agent])
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        found[row.agent][row.judge_name] = row.rate
    return found.get(agent) or found.get("", {})
