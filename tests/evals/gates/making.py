"""Agents, eval sets and suites as rows, made up for the gate's tests: what ran a suite is none of its business."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from agentops.catalog import manifest, services
from agentops.catalog import queries as catalog
from agentops.catalog.types import VersionDetail
from agentops.common.scope import tenant_scope
from evals.models import CaseRun, CaseVersion, EvalSet, Revision, RevisionCase, SuiteRun
from evals.types import CaseState, Runner, SuiteMode, SuiteState
from tests.world import OPERATOR, Organisation

AT = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0) - timedelta(days=2)
AGENT = "desk"
P, F, D, E = CaseState.PASSED, CaseState.FAILED, CaseState.DIVERGED, CaseState.ERRORED
Turns = Mapping[str | tuple[str, str], Sequence[CaseState]]


@dataclass
class Desk:
    """One organisation with the agent `desk`, and ways to make what a gate looks at. Each thing is made a minute later."""

    organisation: Organisation
    at: datetime = AT

    @property
    def id(self) -> uuid.UUID:
        return self.organisation.id

    def later(self) -> datetime:
        self.at += timedelta(minutes=1)
        return self.at

    def version(self, label: str, *, prompt: str = "", approve: bool = False, agent: str = AGENT) -> VersionDetail:
        """Apply a manifest of it; the same label with another prompt is another content."""
        value = {
            "agent": {
                "name": agent,
                "version": label,
                "model": "claude-sonnet-4-5-20250929",
                "prompt_hash": f"sha256:{prompt or label}",
            },
            "tools": [],
        }
        with tenant_scope(self.id):
            services.apply_manifest(
                tenant=self.id, manifest=manifest.read(value), approve_tools=approve, by=OPERATOR, at=self.later()
            )
            return self.standing(label, agent)

    def standing(self, label: str, agent: str = AGENT) -> VersionDetail:
        found = catalog.agent(tenant=self.id, name=agent).versions
        return next(each for each in found if each.version == label)

    def eval_set(self, name: str, keys: Sequence[str], *, expect: Sequence[Mapping[str, Any]] = ()) -> Revision:
        """A set with these cases, or its next revision."""
        at = self.later()
        with tenant_scope(self.id):
            made, _ = EvalSet.objects.get_or_create(
                tenant_id=self.id, name=name, defaults={"created_at": at, "created_by": "tests"}
            )
            number = Revision.objects.filter(tenant_id=self.id, eval_set=made).count() + 1
            revision = Revision.objects.create(
                tenant_id=self.id,
                eval_set=made,
                number=number,
                digest=f"{name} {number}",
                created_at=at,
                created_by="tests",
            )
            expected = list(expect) or [{"kind": "contains", "any": ["yes"]}]
            for key in keys:
                content = {"title": f"Case {key}", "input": key, "expect": expected}
                case, _ = CaseVersion.objects.get_or_create(
                    tenant_id=self.id,
                    eval_set=made,
                    key=key,
                    digest=f"{key} {len(expected)} {expected[0]['kind']}",
                    defaults={
                        "title": content["title"],
                        "content": orjson.dumps(content).decode(),
                        "created_at": at,
                        "created_by": "tests",
                    },
                )
                RevisionCase.objects.create(tenant_id=self.id, revision=revision, case=case, key=key)
        return revision

    def suite(self, label: str, revision: Revision, turns: Turns, **said: Any) -> SuiteRun:
        """A suite that was run on a version: by case (or case and fault), what its runs came to."""
        agent, at = said.pop("agent", AGENT), said.pop("at", None) or self.later()
        with tenant_scope(self.id):
            version = self.standing(label, agent)
            repeats = max((len(states) for states in turns.values()), default=1)
            columns = {
                "content_digest": version.content_digest,
                "prompt_hash": version.prompt_hash,
                "tool_definitions_hash": version.tool_definitions_hash,
                "model": version.models[0],
                "mode": SuiteMode.PLAIN,
                "runner": Runner.CLIENT,
                "trigger": "ci",
                "state": SuiteState.DONE,
                "repeats": repeats,
                **said,
            }
            made = SuiteRun.objects.create(
                tenant_id=self.id,
                agent=agent,
                agent_version=label,
                revision=revision,
                begun_at=at,
                begun_by="tests",
                last_seen_at=at,
                ended_at=at if columns["state"] == SuiteState.DONE else None,
                cases=len(turns),
                passed=sum(set(states) == {P} for states in turns.values()),
                failed=sum(set(states) != {P} for states in turns.values()),
                flaky=sum(P in states and set(states) != {P} for states in turns.values()),
                **columns,
            )
            cases = {
                each.key: each.case_id for each in RevisionCase.objects.filter(tenant_id=self.id, revision=revision)
            }
            CaseRun.objects.bulk_create(
                [
                    CaseRun(
                        tenant_id=self.id,
                        suite_run=made,
                        case_id=cases[key],
                        key=key,
                        fault=fault,
                        turn=turn,
                        state=state,
                        ended_at=at,
                    )
                    for place, states in turns.items()
                    for key, fault in [place if isinstance(place, tuple) else (place, "")]
                    for turn, state in enumerate(states, 1)
                ]
            )
        return made


def keys(n: int) -> list[str]:
    return [f"case-{number:02}" for number in range(1, n + 1)]


def all_pass(n: int, *, but: Mapping[str, Sequence[CaseState]] | None = None, repeats: int = 1) -> dict[Any, Any]:
    """n cases that pass each time, but these."""
    return {**{key: [P] * repeats for key in keys(n)}, **(but or {})}
