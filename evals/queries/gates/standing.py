"""Where versions stand before their gate: what is asked for, the newest word, and who went past it."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from agentops.catalog import queries as catalog
from agentops.catalog.types import AgentDetail, AgentSummary, Gate, VersionDetail
from evals.errors import Unknown
from evals.models import GateOverride, GatePolicy, GateRequirement, GateVerdict
from evals.queries.gates.ground import version_of
from evals.types import OverrideState

HISTORY = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """A verdict, with those who asked to go past it; `is_stale`: it is of what the version was before."""

    verdict: GateVerdict
    overrides: Sequence[GateOverride]
    is_stale: bool

    @property
    def override(self) -> GateOverride | None:
        """What waits for a second person, or was agreed."""
        kept = (OverrideState.ASKED, OverrideState.AGREED)
        return next((each for each in self.overrides if each.state in kept), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One version and the words on it, the newest first."""

    agent: AgentDetail
    version: VersionDetail
    words: Sequence[Word]

    @property
    def newest(self) -> Word | None:
        return self.words[0] if self.words and not self.words[0].is_stale else None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentGate:
    """An agent in the list: what its versions must pass, and where the one that was changed last stands."""

    agent: AgentSummary
    requirements: Sequence[GateRequirement]
    verdict: GateVerdict | None
    waits: bool  # somebody asked to go past it

    @property
    def is_gated(self) -> bool:
        return bool(self.requirements) or self.agent.latest_gate != Gate.NONE


def agent_gates(*, tenant: uuid.UUID) -> list[AgentGate]:
    """Every agent, those with a gate first, by name."""
    agents = catalog.agents(tenant=tenant)
    asked: dict[str, list[GateRequirement]] = defaultdict(list)
    found = GateRequirement.objects.filter(tenant_id=tenant).select_related("policy", "eval_set")
    for requirement in found.order_by("eval_set__name", "-mode"):
        asked[requirement.policy.agent].append(requirement)
    latest = {(agent.name, agent.latest) for agent in agents}
    newest: dict[str, GateVerdict] = {}
    said = GateVerdict.objects.filter(tenant_id=tenant, agent__in=[agent.name for agent in agents])
    for verdict in said.order_by("agent", "agent_version", "-at", "-id").distinct("agent", "agent_version"):
        if (verdict.agent, verdict.agent_version) in latest:
            newest[verdict.agent] = verdict
    waiting = set(
        GateOverride.objects.filter(
            tenant_id=tenant, state=OverrideState.ASKED, verdict__in=[each.id for each in newest.values()]
        ).values_list("verdict__agent", flat=True)
    )
    lines = [
        AgentGate(
            agent=agent,
            requirements=asked.get(agent.name, []),
            verdict=newest.get(agent.name),
            waits=agent.name in waiting,
        )
        for agent in agents
    ]
    return sorted(lines, key=lambda line: (not line.is_gated, line.agent.name))


def agent_named(*, tenant: uuid.UUID, agent: str) -> AgentDetail:
    """Raises AgentUnknown."""
    return catalog.agent(tenant=tenant, name=agent)


def standing(*, tenant: uuid.UUID, agent: str, version: str) -> Standing:
    """Raises AgentUnknown."""
    found = catalog.agent(tenant=tenant, name=agent)
    this = version_of(found, version)
    verdicts = list(
        GateVerdict.objects.filter(tenant_id=tenant, agent=agent, agent_version=version).order_by("-at", "-id")[
            :HISTORY
        ]
    )
    overrides: dict[uuid.UUID, list[GateOverride]] = defaultdict(list)
    for each in GateOverride.objects.filter(tenant_id=tenant, verdict__in=verdicts).order_by("-asked_at", "-id"):
        overrides[each.verdict_id].append(each)
    words = [
        Word(verdict=each, overrides=overrides[each.id], is_stale=each.content_digest != this.content_digest)
        for each in verdicts
    ]
    return Standing(agent=found, version=this, words=words)


def override(*, tenant: uuid.UUID, override: uuid.UUID) -> GateOverride:
    """With its verdict. Raises Unknown."""
    found = GateOverride.objects.select_related("verdict").filter(tenant_id=tenant, id=override).first()
    if found is None:
        raise Unknown("There is no such override.")
    return found


def policy(*, tenant: uuid.UUID, agent: str) -> tuple[GatePolicy | None, list[GateRequirement]]:
    """What an agent's versions must pass; None where no gate stands before them."""
    found = GatePolicy.objects.filter(tenant_id=tenant, agent=agent).first()
    if found is None:
        return None, []
    requirements = GateRequirement.objects.filter(tenant_id=tenant, policy=found).select_related("eval_set")
    return found, list(requirements.order_by("eval_set__name", "-mode"))
