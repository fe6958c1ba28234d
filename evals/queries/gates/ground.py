"""What a gate decides on, as rows say it now."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.db.models import QuerySet

from agentops.catalog import queries as catalog
from agentops.catalog.errors import AgentUnknown
from agentops.catalog.types import AgentDetail, VersionDetail
from evals.gating.policy import Asked, Ground, Tried
from evals.models import CaseRun, GatePolicy, GateRequirement, Revision, RevisionCase, SuiteRun
from evals.queries.judging import may_gate
from evals.types import CaseState, SuiteMode, SuiteState

_RUBRIC = '"rubric"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """A version before its gate: what it is, which one is approved now (None: none), and what each requirement rests on."""

    agent: AgentDetail
    version: VersionDetail
    current: VersionDetail | None
    has_policy: bool
    grounds: Sequence[Ground]


def before_gate(*, tenant: uuid.UUID, agent: str, version: str) -> Before:
    """All that the gate's word on a version rests on. Raises AgentUnknown."""
    found = catalog.agent(tenant=tenant, name=agent)
    this = version_of(found, version)
    current = current_version(found, but=this)
    policy = GatePolicy.objects.filter(tenant_id=tenant, agent=agent).first()
    grounds = [_ground(agent, requirement, this, current) for requirement in _requirements(policy)]
    return Before(agent=found, version=this, current=current, has_policy=policy is not None, grounds=grounds)


def still_running(*, tenant: uuid.UUID, agent: str, version: str) -> int:
    """How many suites that a version's gate asks for are under way, on it or on the one that is approved now."""
    before = before_gate(tenant=tenant, agent=agent, version=version)
    versions = [each for each in (before.version, before.current) if each is not None]
    return sum(
        of_content(tenant, agent, each, ground.revision_id, ground.asked.mode).filter(state=SuiteState.RUNNING).count()
        for ground in before.grounds
        if ground.revision_id is not None
        for each in versions
    )


def version_of(agent: AgentDetail, version: str) -> VersionDetail:
    """Raises AgentUnknown."""
    for each in agent.versions:
        if each.version == version:
            return each
    known = ", ".join(each.version for each in agent.versions[:20])
    raise AgentUnknown(f"There is no version {version[:100]!r} of {agent.name}; there are: {known}.")


def current_version(agent: AgentDetail, *, but: VersionDetail | None = None) -> VersionDetail | None:
    """The version that was approved last, other than one."""
    approved = [each for each in agent.versions if each.approved_at is not None and each is not but]
    return max(approved, key=lambda each: (each.approved_at, each.id), default=None)


def finished(
    tenant: uuid.UUID, agent: str, version: VersionDetail, revision: uuid.UUID, mode: str
) -> QuerySet[SuiteRun]:
    """Suites that ran to their end over all cases of a revision, on exactly this content; the newest first."""
    return of_content(tenant, agent, version, revision, mode).filter(state=SuiteState.DONE)


def of_content(
    tenant: uuid.UUID, agent: str, version: VersionDetail, revision: uuid.UUID, mode: str
) -> QuerySet[SuiteRun]:
    return SuiteRun.objects.filter(
        tenant_id=tenant,
        agent=agent,
        agent_version=version.version,
        content_digest=version.content_digest,
        revision_id=revision,
        mode=mode,
        tags=[],
    ).order_by("-begun_at", "-id")


def newest_revision(tenant: uuid.UUID, eval_set: uuid.UUID) -> Revision | None:
    return Revision.objects.filter(tenant_id=tenant, eval_set_id=eval_set).order_by("-number").first()


def _requirements(policy: GatePolicy | None) -> list[GateRequirement]:
    if policy is None:
        return []
    found = GateRequirement.objects.filter(tenant_id=policy.tenant_id, policy=policy).select_related("eval_set")
    return list(found.order_by("eval_set__name", "-mode"))  # as recorded, then where tools fail


def _ground(agent: str, requirement: GateRequirement, version: VersionDetail, current: VersionDetail | None) -> Ground:
    tenant, mode = requirement.tenant_id, requirement.mode
    revision = newest_revision(tenant, requirement.eval_set_id)
    contents = _contents(tenant, revision)
    asked = Asked(
        eval_set=requirement.eval_set.name,
        revision=revision.number if revision else None,
        cases=RevisionCase.objects.filter(tenant_id=tenant, revision=revision).count() if revision else 0,
        mode=SuiteMode(mode),
        least_rate=requirement.least_rate,
        margin=requirement.margin,
        repeats=requirement.repeats,
        unsound=_unsound(tenant, contents),
    )
    if revision is None:
        return Ground(asked=asked, tried=None, current=None)
    tried = _tried(agent, version, revision, requirement)
    running = of_content(tenant, agent, version, revision.id, mode).filter(state=SuiteState.RUNNING)
    return Ground(
        asked=asked,
        tried=tried,
        current=_tried(agent, current, revision, requirement) if current else None,
        is_running=tried is None and running.exists(),
        revision_id=revision.id,
    )


def _tried(agent: str, version: VersionDetail, revision: Revision, requirement: GateRequirement) -> Tried | None:
    found = finished(requirement.tenant_id, agent, version, revision.id, requirement.mode)
    suite_run = found.filter(repeats__gte=requirement.repeats).first()
    if suite_run is None:
        return None
    return Tried(
        suite_run=str(suite_run.id),
        version=version.version,
        repeats=suite_run.repeats,
        attempts=found.count(),
        turns=turns(suite_run),
    )


def turns(suite_run: SuiteRun) -> dict[tuple[str, str], list[CaseState]]:
    """By case and fault, what each of its runs came to, in order."""
    rows = CaseRun.objects.filter(tenant_id=suite_run.tenant_id, suite_run=suite_run).order_by("key", "fault", "turn")
    found: dict[tuple[str, str], list[CaseState]] = defaultdict(list)
    for key, fault, state in rows.values_list("key", "fault", "state"):
        found[key, fault].append(CaseState(state))
    return dict(found)


def _contents(tenant: uuid.UUID, revision: Revision | None) -> list[str]:
    if revision is None:
        return []
    judged = RevisionCase.objects.filter(tenant_id=tenant, revision=revision, case__content__contains=_RUBRIC)
    return list(judged.values_list("case__content", flat=True))


def _unsound(tenant: uuid.UUID, contents: Sequence[str]) -> list[str]:
    """Why judges that cases rely on may not gate."""
    names = {
        str(expectation.get("judge", ""))
        for content in contents
        for expectation in orjson.loads(content).get("expect", [])
        if expectation.get("kind") == "rubric"
    }
    said = [may_gate(tenant, name) for name in sorted(names)]
    return [sentence for may, sentence in said if not may]
