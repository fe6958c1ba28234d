"""Deciding and overriding, as tests say it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentops.catalog import services as catalog
from agentops.common.scope import tenant_scope
from evals import services
from evals.models import GateOverride, GateVerdict
from evals.services.gates import Requirement
from tests.evals.gates.making import AGENT, Desk
from tests.world import OPERATOR, Person


def do(desk: Desk, service: Callable[..., Any], **said: Any) -> Any:
    with tenant_scope(desk.id):
        return service(**{"tenant": desk.id, "by": OPERATOR, "at": desk.later(), **said})


def require(desk: Desk, *sets: str, reason: str = "", **said: Any) -> None:
    asked = [Requirement(eval_set=name, **said) for name in sets]
    do(desk, services.set_gate, agent=AGENT, requirements=asked, reason=reason)


def decide(desk: Desk, version: str) -> GateVerdict:
    found: GateVerdict = do(desk, services.decide_gate, agent=AGENT, version=version)
    return found


def approve(desk: Desk, version: str) -> Any:
    return do(desk, catalog.approve_agent_version, agent=AGENT, version=version)


def ask(desk: Desk, verdict: GateVerdict, person: Person, reason: str = "the case is out of date") -> GateOverride:
    found: GateOverride = do(
        desk, services.ask_override, verdict=verdict.id, reason=reason, user=person.user.pk, by=person.actor
    )
    return found


def answer(desk: Desk, service: Callable[..., Any], override: GateOverride, person: Person) -> GateOverride:
    found: GateOverride = do(desk, service, override=override.id, user=person.user.pk, by=person.actor)
    return found
