"""Alerts that are there already, and incidents that somebody declares: looked at again and again, one step at a time."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from agentops.portal.demo.responding import postmortems
from agentops.portal.demo.responding.cases import CASES, Case
from agentops.portal.demo.responding.people import actor, person
from agentops.traces import queries as traces
from agentops.traces.queries import Run
from agentops.traces.search import parse
from incidents.queries import played
from incidents.services import causes, lifecycle, notes, roles, severities
from incidents.types import IncidentRoleName, IncidentStatus, Severity
from tenants import queries as tenants
from tenants.house import house_scope
from tenants.roles import StaffRole

if TYPE_CHECKING:
    from incidents.models import Incident

# After the demo's people came: then nobody waits for a detector any more. What a minute usually costs is known after ten.
PATIENCE = timedelta(minutes=20)
_RUNS = 5
Say = Callable[[str], None]


def step(*, since: datetime, at: datetime, say: Say) -> list[str]:
    """Look at each failure mode and do what is next for it; answers the names of those that have nothing left to do.

    A service that refuses is asked again at the next step: evidence, for example, is kept by a job.
    """
    settled = []
    for case in CASES:
        try:
            if _look_at(case, since=since, at=at, say=say):
                settled.append(case.name)
        except DomainError as refusal:
            say(f"{case.name}: not yet ({refusal})")
    return settled


def _look_at(case: Case, *, since: datetime, at: datetime, say: Say) -> bool:
    tenant = tenants.tenant_called(case.tenant).id
    with house_scope():
        incident = played.incident_titled(case.title)
        is_alerted = played.has_alert(about_tenant=tenant, agents=case.agents, classes=case.alerts)
    if incident is not None:
        return _go_on(case, incident, at=at)
    if is_alerted:
        return True
    if case.alerts and at - since < PATIENCE:
        return False
    with tenant_scope(tenant):
        runs = traces.find_runs(tenant=tenant, search=parse(case.look_for, now=at), cursor=None, limit=_RUNS).runs
    if not runs:
        return False
    declared = _declare(case, tenant, runs, at)
    say(f"{case.name}: {declared.ref} declared")
    return False


def _declare(case: Case, tenant: uuid.UUID, runs: list[Run], at: datetime) -> Incident:
    with house_scope() as house:
        return lifecycle.declare(
            tenant=house,
            title=case.title,
            summary=case.summary,
            severity=case.severity,
            runs=[{"tenant": tenant.hex, "run": run.run_id.hex} for run in runs],
            agent=case.agent,
            agent_version=runs[0].agent_version,
            tool=case.tool,
            impact_started_at=min(run.started_at for run in runs),
            by=actor(StaffRole.ON_CALL),
            at=at,
        )


def _go_on(case: Case, incident: Incident, *, at: datetime) -> bool:
    """One step after the other; what was done is seen in the rows."""
    on_call, commander = actor(StaffRole.ON_CALL), person(StaffRole.INCIDENT_COMMANDER)
    with house_scope() as house:
        said: dict[str, Any] = {"tenant": house, "incident_id": incident.id, "at": at}
        severities.acknowledge_incident(by=on_call, **said)
        told = played.texts_told(incident.id)
        for text in case.notes:
            if text not in told:
                notes.add_note(text=text, by=on_call, **said)
        if incident.commander is None and case.severity <= Severity.SEV2:
            roles.assume_role(
                role=IncidentRoleName.COMMANDER, user=commander.pk, by=actor(StaffRole.INCIDENT_COMMANDER), **said
            )
        if case.cause is not None and not played.has_cause(incident.id):
            cause = case.cause
            causes.set_cause(
                kind=cause.kind, detail_kind=cause.detail_kind, owasp=cause.owasp, text=cause.text, by=on_call, **said
            )
            for kind, detail_kind, text in cause.factors:
                causes.add_factor(kind=kind, detail_kind=detail_kind, text=text, by=on_call, **said)
    if case.lesson is not None and not postmortems.write(case.lesson, incident, at=at):
        return False
    for status in _way(case):
        with house_scope() as house:
            if _ORDER.index(played.status_of(incident.id)) < _ORDER.index(status):
                lifecycle.move(tenant=house, incident_id=incident.id, to=status, by=on_call, at=at)
    return True


_ORDER = (IncidentStatus.TRIAGE, IncidentStatus.ACTIVE, IncidentStatus.CONTAINED, IncidentStatus.IDENTIFIED)


def _way(case: Case) -> list[IncidentStatus]:
    """As far as people get: what is still going on stays active, and what has a cause is identified."""
    if not case.is_stopped:
        return [IncidentStatus.ACTIVE]
    return list(_ORDER[1 : 4 if case.cause else 3])
