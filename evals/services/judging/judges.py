"""Judges: rubric version + model + settings, in versions; and which share of an agent's runs they see."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from agentops.catalog import queries as catalog
from agentops.common import scope
from agentops.common.errors import NotFound
from agentops.common.ids import new_id
from agentops.common.strictjson import canonical
from audit.types import Actor
from evals.errors import SameFamily, Unknown, invalid
from evals.judging import families, rubrics
from evals.models import Assignment, Judge, Judgement, RunFact
from evals.services.judging import endpoints, noting
from evals.services.judging.rubrics import version_of
from evals.types import JUDGE_AGENT, JudgementState, JudgeState, Subject

SEEN_WITHIN = timedelta(days=30)
OUTPUTS = ("tool", "json", "prompt")
DEFAULTS: dict[str, Any] = {"temperature": 0.0, "max_output_tokens": 1500, "timeout_seconds": 60, "output": "tool"}
_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "max_output_tokens": (64, 16_000),
    "timeout_seconds": (1, 180),
}
AGENT_LENGTH = 200
EVERY_AGENT = "all agents"  # in the audit log


def save_judge(
    *,
    tenant: uuid.UUID,
    name: str,
    rubric_version: uuid.UUID,
    endpoint: uuid.UUID,
    provider: str,
    model: str,
    family: str = "",
    settings: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
) -> Judge:
    """Make a judge, or a further version of the one of this name, which takes over what waits for it. The same again changes
    nothing. A new version has not been compared with people yet, so it cannot gate.

    Raises InvalidInput, Unknown, and SameFamily where it is assigned to an agent of its own family.
    """
    scope.require_tenant(tenant)
    name = noting.name_of(name)
    version = version_of(tenant=tenant, version_id=rubric_version)
    where = endpoints.endpoint_of(tenant=tenant, endpoint_id=endpoint)
    model = _text(model, "/model", 200)
    provider = _text(provider, "/provider", 60)
    family = _family(model, family)
    kept = _settings(settings or {})
    said = [str(version.id), version.digest, str(where.id), provider, model, family, kept]
    digest = rubrics.digest(canonical(said).decode())
    noting.await_turn(tenant, "judge")
    current = (
        Judge.objects.select_for_update().filter(tenant_id=tenant, name=name).exclude(state=JudgeState.REPLACED).first()
    )
    if current is not None and current.digest == digest:
        return current
    for line in Assignment.objects.filter(tenant_id=tenant, judge_name=name).exclude(agent=""):
        _require_other_family(tenant, line.agent, family, model, at)
    if current is not None:
        Judge.objects.filter(tenant_id=tenant, id=current.id).update(state=JudgeState.REPLACED)
    made = Judge.objects.create(
        id=new_id(),
        tenant_id=tenant,
        name=name,
        number=current.number + 1 if current else 1,
        rubric_version=version,
        endpoint=where,
        provider=provider,
        model=model,
        family=family,
        settings=kept,
        digest=digest,
        state=current.state if current else JudgeState.ACTIVE,
        created_at=at,
        created_by=by.label[:200],
    )
    if current is not None:
        _hand_over(current, made, at)
    data = {
        "name": name,
        "number": made.number,
        "rubric": version.rubric.name,
        "rubric_version": version.number,
        "endpoint": where.name,
        "provider": provider,
        "model": model,
        "family": family,
        "settings": ", ".join(f"{setting} {value}" for setting, value in kept.items()),
    }
    noting.record(tenant=tenant, action="judge.saved", kind="judge", id=str(made.id), data=data, by=by, at=at)
    return made


def pause_judge(*, tenant: uuid.UUID, judge: uuid.UUID, is_paused: bool, by: Actor, at: datetime) -> Judge:
    """Let a judge rest, or go on. What it was planned for waits meanwhile. Raises Unknown."""
    scope.require_tenant(tenant)
    found = (
        Judge.objects.select_for_update().filter(tenant_id=tenant, id=judge).exclude(state=JudgeState.REPLACED).first()
    )
    if found is None:
        raise Unknown("There is no such judge, or a newer version took its place.")
    wanted = JudgeState.PAUSED if is_paused else JudgeState.ACTIVE
    if found.state != wanted:
        found.state = wanted
        found.save(update_fields=["state"])
        action = "judge.paused" if is_paused else "judge.resumed"
        data = {"name": found.name, "number": found.number}
        noting.record(tenant=tenant, action=action, kind="judge", id=str(found.id), data=data, by=by, at=at)
    return found


def assign_judge(*, tenant: uuid.UUID, agent: str, judge_name: str, rate: float, by: Actor, at: datetime) -> Assignment:
    """Let a judge see a share (0 to 1) of an agent's runs from now on; agent "": of all agents without a line of their own.
    What is always judged comes besides. Raises InvalidInput, Unknown, SameFamily.
    """
    scope.require_tenant(tenant)
    agent = agent.strip() if isinstance(agent, str) else ""
    if len(agent) > AGENT_LENGTH or "\x00" in agent:
        raise invalid("/agent", f"an agent's name of at most {AGENT_LENGTH} characters is expected")
    if agent == JUDGE_AGENT:
        raise invalid("/agent", "an agent of yours; what judges do is never judged")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
        raise invalid("/rate", "a share from 0 to 1 is expected")
    judge = Judge.objects.filter(tenant_id=tenant, name=judge_name).exclude(state=JudgeState.REPLACED).first()
    if judge is None:
        raise Unknown("There is no judge of this name.")
    if agent:
        _require_other_family(tenant, agent, judge.family, judge.model, at)
    line, _ = Assignment.objects.update_or_create(
        tenant_id=tenant,
        agent=agent,
        judge_name=judge_name,
        defaults={"rate": float(rate), "set_at": at, "set_by": by.label[:200]},
        create_defaults={"id": new_id(), "rate": float(rate), "set_at": at, "set_by": by.label[:200]},
    )
    data = {"agent": agent or EVERY_AGENT, "judge": judge_name, "percent": f"{100 * rate:g}"}
    noting.record(tenant=tenant, action="judge.assigned", kind="judge", id=str(judge.id), data=data, by=by, at=at)
    return line


def unassign_judge(*, tenant: uuid.UUID, assignment: uuid.UUID, by: Actor, at: datetime) -> None:
    """Raises Unknown."""
    scope.require_tenant(tenant)
    line = Assignment.objects.select_for_update().filter(tenant_id=tenant, id=assignment).first()
    if line is None:
        raise Unknown("This assignment is not there any more.")
    line.delete()
    data = {"agent": line.agent or EVERY_AGENT, "judge": line.judge_name}
    noting.record(
        tenant=tenant, action="judge.unassigned", kind="judge_assignment", id=str(assignment), data=data, by=by, at=at
    )


def models_of(*, tenant: uuid.UUID, agent: str, at: datetime) -> list[str]:
    """The models of an agent: what its runs of the last month used, and what its versions may use."""
    rows = RunFact.objects.filter(tenant_id=tenant, agent=agent, started_at__gte=at - SEEN_WITHIN).exclude(model="")
    found = set(rows.order_by().values_list("model", flat=True).distinct()[:100])
    try:
        detail = catalog.agent(tenant=tenant, name=agent)
    except NotFound:
        return sorted(found)
    return sorted(found.union(*(version.models for version in detail.versions if version.is_approved)))


def _require_other_family(tenant: uuid.UUID, agent: str, family: str, model: str, at: datetime) -> None:
    same = families.of_the_same(family=family, model=model, agent_models=models_of(tenant=tenant, agent=agent, at=at))
    if same:
        raise SameFamily(
            f"{agent} uses {same}, which is of the judge's own family ({family}): choose a judge of another family."
        )


def _hand_over(before: Judge, after: Judge, at: datetime) -> None:
    """Runs that wait for a version that was replaced wait for the new one. Cases of suites stay with the one they were planned
    with: their plan is frozen."""
    waiting = Judgement.objects.filter(
        tenant_id=before.tenant_id, judge=before, subject=Subject.RUN, state=JudgementState.PLANNED
    )
    copied = []
    for row in waiting.select_for_update(skip_locked=True):
        copied.append(
            Judgement(
                id=new_id(),
                tenant_id=row.tenant_id,
                judge=after,
                subject=row.subject,
                subject_id=row.subject_id,
                agent=row.agent,
                agent_version=row.agent_version,
                day=row.day,
                sampled=row.sampled,
                probability=row.probability,
                planned_at=at,
                next_at=at,
            )
        )
        row.state, row.code, row.ended_at = JudgementState.SKIPPED, "replaced", at
        row.save(update_fields=["state", "code", "ended_at"])
    Judgement.objects.bulk_create(copied, ignore_conflicts=True)


def _family(model: str, stated: str) -> str:
    """The family that the model's name tells; where it tells none, the one that a person states."""
    told = families.family_of(model)
    stated = stated.strip().lower()
    if told:
        if stated and stated not in families.families_of(model):
            raise invalid("/family", f"{model} is of the family {told}")
        return told
    if not families.is_family(stated):
        known = ", ".join(families.FAMILIES)
        raise invalid(
            "/family",
            f"the model's name does not tell its family: state it, as one of {known}, or a word of your own",
            "required",
        )
    return stated


def _settings(said: Mapping[str, Any]) -> dict[str, Any]:
    for name in said:
        if name not in DEFAULTS:
            raise invalid(f"/settings/{str(name)[:60]}", f"there is no such setting; known are {', '.join(DEFAULTS)}")
    found = {**DEFAULTS, **said}
    for name, (least, most) in _RANGES.items():
        value = found[name]
        is_whole = name != "temperature"
        if (
            isinstance(value, bool)
            or not isinstance(value, int if is_whole else int | float)
            or not least <= value <= most
        ):
            raise invalid(f"/settings/{name}", f"a {'whole ' if is_whole else ''}number from {least:g} to {most:g}")
    if found["output"] not in OUTPUTS:
        raise invalid("/settings/output", f"one of {', '.join(OUTPUTS)}")
    found["temperature"] = float(found["temperature"])
    return found


def _text(value: str, pointer: str, most: int) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= most or not text.isprintable():
        raise invalid(pointer, f"a text of 1 to {most} characters is expected")
    return text


def same_family_of_any(*, tenant: uuid.UUID, judge: Judge, agents: Iterable[str], at: datetime) -> dict[str, str]:
    """Which of these agents the judge skips, with the model because of which."""
    found = {
        agent: families.of_the_same(
            family=judge.family, model=judge.model, agent_models=models_of(tenant=tenant, agent=agent, at=at)
        )
        for agent in agents
    }
    return {agent: model for agent, model in found.items() if model}
