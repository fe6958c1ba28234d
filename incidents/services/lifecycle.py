"""An incident is declared, goes on through its gates, and is reopened. Each change: entry, line, page, in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from agentops.common import scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import AlreadyDone, GateNotMet, WrongState, invalid
from incidents.models import Alert, Fix, Incident, IncidentAlert, SeverityChange, Watch
from incidents.queries.standing import Standing, standing
from incidents.services import evidence, roles
from incidents.services.keeping import locked, page, record, tell
from incidents.services.telling import tell_success_managers
from incidents.states import Who, may_become, needs_commander
from incidents.types import IncidentRoleName, IncidentStatus, PageAction, Severity, TimelineKind, WatchState
from tenants import queries as people
from tenants.house import HOUSE_ID
from tenants.roles import StaffRole

ALERTS_MOST, RUNS_MOST, TENANTS_MOST = 200, 100, 1_000
WATCH_HOURS = (48, 72)
_NUMBER = "SELECT pg_advisory_xact_lock(hashtextextended('incidents.number', %s))"
_S = IncidentStatus


def declare(
    *,
    tenant: uuid.UUID,
    title: str,
    severity: int | None = None,
    alerts: Sequence[uuid.UUID] = (),
    runs: Sequence[Mapping[str, Any]] = (),
    tenants: Sequence[uuid.UUID] = (),
    summary: str = "",
    agent: str = "",
    agent_version: str = "",
    tool: str = "",
    model_route: str = "",
    impact_started_at: datetime | None = None,
    rules: Mapping[uuid.UUID, tuple[str, Mapping[str, Any]]] | None = None,
    is_drill: bool = False,
    incident_id: uuid.UUID | None = None,
    by: Actor,
    at: datetime,
    who: Who = Who.RESPONDER,
) -> Incident:
    """Begin an incident with alerts, runs or neither; evidence is planned, people are paged and told.

    `severity` None: unsure, so the worst that its alerts say, or SEV-1 without any. `runs`: [{"tenant", "run", "step"?,
    "item"?}] (hex ids). `rules`: by alert, the rule that joined it and what it compared. `incident_id` is the form's own:
    sent twice, it is the same incident. Raises InvalidInput, AlreadyDone where an alert belongs to another incident.
    """
    scope.require_tenant(tenant)
    _one_after_the_other(at)
    if incident_id is not None:
        before = Incident.objects.filter(tenant_id=tenant, id=incident_id).first()
        if before is not None:
            return before
    title = inputs.line("/title", title, most=inputs.TITLE_MOST)
    found = _alerts(tenant, alerts)
    kept_runs = _runs(runs)
    hit = _hit(
        [
            *tenants,
            *(each for alert in found for each in (alert.about_tenant, *alert.tenants) if each),
            *(uuid.UUID(run["tenant"]) for run in kept_runs),
        ]
    )
    said = {"agent": agent, "agent_version": agent_version, "tool": tool, "model_route": model_route}
    year, number = _next_number(tenant, at)
    made = Incident(
        tenant_id=tenant,
        **({"id": incident_id} if incident_id else {}),
        year=year,
        number=number,
        title=title,
        summary=inputs.text("/summary", summary, is_needed=False),
        severity=_severity(severity, found, who),
        is_drill=is_drill,
        tenants=hit,
        runs=kept_runs,
        declared_at=at,
        declared_by=by.label[:200],
        **{name: _about(name, text, found) for name, text in said.items()},
        **_times(found, impact_started_at, at, is_person=by.user_id is not None),
    )
    made.save(force_insert=True)
    SeverityChange.objects.create(
        tenant_id=tenant, incident=made, became=made.severity, reason="Declared", at=at, by=by.label[:200]
    )
    for alert in found:
        rule, compared = (rules or {}).get(alert.id, ("", {}))
        IncidentAlert.objects.create(
            tenant_id=tenant, incident=made, alert_id=alert.id, reason="Declared with it", rule=rule,
            inputs=dict(compared), at=at, by=by.label[:200],
        )  # fmt: skip
    _told_as_declared(made, found, by, at)
    evidence.plan_snapshot(tenant=tenant, incident_id=made.id, reason="Declared", by=by, at=at)
    if by.user_id is not None and StaffRole.ON_CALL in people.staff_roles_of(by.user_id):
        roles.assume_role(
            tenant=tenant, incident_id=made.id, role=IncidentRoleName.ON_CALL, user=by.user_id, by=by, at=at
        )
    page(made, PageAction.TRIGGER, "declared", at)
    tell_success_managers(made)
    return made


def move(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    to: str,
    reason: str = "",
    hours: int = WATCH_HOURS[0],
    expected: str | None = None,
    by: Actor,
    at: datetime,
    who: Who = Who.RESPONDER,
) -> Incident:
    """Bring an incident on to `to`: what is missing for that is refused with GateNotMet. `hours` are those of a watch.

    `expected`: the status that the person saw; another one is refused. Reopening and cancelling need a reason. Merging is
    `joining.merge`. Raises Unknown, WrongState, GateNotMet, InvalidInput.
    """
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    to = IncidentStatus(inputs.one_of("/status", to, IncidentStatus.values))
    if incident.status == to and expected not in (None, to):
        return incident  # sent twice
    arrow = None if to is _S.MERGED else may_become(incident.status, to, who)
    if arrow is None:
        raise _refused(incident, to, who)
    if expected is not None and expected != incident.status:
        raise WrongState(f"It is {_word(incident.status)} meanwhile. Look at it again.")
    is_back = arrow.event == "incident.reopened"
    reason = inputs.text("/reason", reason, is_needed=is_back or to is _S.CANCELLED)
    stands = standing(incident)
    if not is_back and (needs := stands.unmet(to)):
        raise GateNotMet([need.sentence for need in needs])
    was, data = incident.status, {"from": incident.status}
    incident.status = to
    if is_back:
        _reopen(incident, at)
    elif to is _S.CONTAINED:
        incident.contained_at = at
    elif to is _S.WATCHING:
        _watch(incident, stands, hours, by, at)
        data["hours"] = str(hours)
    elif to is _S.RESOLVED:
        incident.resolved_at = at
    elif to is _S.CLOSED:
        incident.closed_at = at
    elif to is _S.CANCELLED:
        incident.cancel_reason = reason
    if is_back or to in (_S.RESOLVED, _S.CANCELLED):
        incident.status_number += 1
    incident.save()
    record(incident, arrow.event, data, by, at, reason=reason)
    words = "Reopened" if is_back else IncidentStatus(to).label
    tell(
        incident, TimelineKind.STATUS, f"{words}{': ' + reason if reason else ''}", by, at,
        data={"from": was, "to": to.value, "event": arrow.event},
    )  # fmt: skip
    if is_back:
        page(incident, PageAction.TRIGGER, "reopened", at)
    elif to in (_S.RESOLVED, _S.CANCELLED):
        page(incident, PageAction.RESOLVE, IncidentStatus(to).label.lower(), at)
    return incident


# -- parts of declaring -----------------------------------------------------------------------------------------------


def _alerts(tenant: uuid.UUID, ids: Sequence[uuid.UUID]) -> list[Alert]:
    if len(ids) > ALERTS_MOST:
        raise invalid("/alerts", f"An incident is declared with at most {ALERTS_MOST} alerts.")
    found = list(Alert.objects.select_for_update(of=("self",)).filter(tenant_id=tenant, id__in=set(ids)).order_by("id"))
    if len(found) != len(set(ids)):
        raise invalid("/alerts", "One of the alerts is not there.", "unknown")
    taken = (
        IncidentAlert.objects.filter(tenant_id=tenant, alert_id__in=set(ids), removed_at__isnull=True)
        .select_related("incident")
        .first()
    )
    if taken is not None:
        raise AlreadyDone(f"An alert of these belongs to {taken.incident.ref} already: {taken.incident.title}")
    return sorted(found, key=lambda alert: (alert.severity, alert.opened_at))


def _runs(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    if len(runs) > RUNS_MOST:
        raise invalid("/runs", f"An incident is declared with at most {RUNS_MOST} runs; evidence finds the others.")
    kept: list[dict[str, str]] = []
    for run in runs:
        one = {name: inputs.uuid_of(f"/runs/{name}", run.get(name)).hex for name in ("tenant", "run")}
        if run.get("step"):
            one["step"] = inputs.text("/runs/step", run["step"], most=40)
        if run.get("item"):
            one["item"] = inputs.uuid_of("/runs/item", run["item"]).hex
        if all(each["run"] != one["run"] or each["tenant"] != one["tenant"] for each in kept):
            kept.append(one)
    return kept


def _hit(ids: Sequence[uuid.UUID]) -> list[uuid.UUID]:
    """The organisations it is about, each once. Raises InvalidInput for one that is not there."""
    wanted = list(dict.fromkeys(inputs.uuid_of("/tenants", each) for each in ids))
    if len(wanted) > TENANTS_MOST:
        raise invalid("/tenants", f"An incident names at most {TENANTS_MOST} organisations.")
    known = people.tenants_by_id(wanted) if wanted else {}
    if any(each not in known for each in wanted):
        raise invalid("/tenants", "One of the organisations is not there.", "unknown")
    return [each for each in wanted if each != HOUSE_ID]


def _severity(wanted: int | None, alerts: Sequence[Alert], who: Who) -> int:
    """Unsure is the worse; less than an alert says is for a commander to decide."""
    worst = min((alert.severity for alert in alerts), default=int(Severity.SEV1))
    if wanted is None:
        return worst
    chosen = int(inputs.one_of("/severity", wanted, Severity.values))
    if alerts and chosen > worst and who is not Who.COMMANDER:
        raise invalid("/severity", f"An alert says SEV-{worst}: only an incident commander makes less of it.")
    return chosen


def _about(name: str, said: str, alerts: Sequence[Alert]) -> str:
    """What was said, or what the worst alert that knows it says."""
    text = inputs.text(f"/{name}", said, most=inputs.NAME_MOST, is_needed=False)
    return text or next((getattr(alert, name) for alert in alerts if getattr(alert, name)), "")


def _times(alerts: Sequence[Alert], impact: datetime | None, at: datetime, *, is_person: bool) -> dict[str, datetime]:
    """Declaring is the first that a person does where nobody acknowledged before."""
    if impact is not None and impact > at:
        raise invalid("/impact_started_at", "The harm began before now.")
    detected = min((alert.opened_at for alert in alerts), default=at)
    began = impact or min((alert.first_seen_at for alert in alerts), default=detected)
    found = {"detected_at": max(min(detected, at), min(began, at)), "impact_started_at": min(began, at)}
    acknowledged = min((a.acknowledged_at for a in alerts if a.acknowledged_at), default=at if is_person else None)
    if acknowledged is not None:
        found["acknowledged_at"] = acknowledged
    harm = max((alert.last_seen_at for alert in alerts), default=None)
    return {**found, "last_harm_at": harm} if harm is not None else found


def _one_after_the_other(at: datetime) -> None:
    """Whoever declares waits for whoever declares now: numbers have no gap, and a form sent twice at once finds itself."""
    with connection.cursor() as cursor:
        cursor.execute(_NUMBER, [at.year])


def _next_number(tenant: uuid.UUID, at: datetime) -> tuple[int, int]:
    last = Incident.objects.filter(tenant_id=tenant, year=at.year).order_by("-number").values_list("number", flat=True)
    return at.year, (last.first() or 0) + 1


def _told_as_declared(made: Incident, alerts: Sequence[Alert], by: Actor, at: datetime) -> None:
    record(
        made,
        "incident.declared",
        {
            "severity": str(made.severity),
            "alerts": [str(alert.id) for alert in alerts],
            "runs": [run["run"] for run in made.runs],
            "organisations": [str(each) for each in made.tenants],
            "is_drill": made.is_drill,
        },
        by,
        at,
    )
    drill = "Drill, " if made.is_drill else ""
    tell(made, TimelineKind.DECLARED, f"{drill}SEV-{made.severity}: {made.title}", by, at)
    for alert in alerts:
        tell(
            made, TimelineKind.ALERT, alert.summary, by, at, occurred_at=min(alert.opened_at, at),
            data={"alert": str(alert.id)}, link=f"/staff/alerts/{alert.id}/",
        )  # fmt: skip


# -- parts of moving --------------------------------------------------------------------------------------------------


def _refused(incident: Incident, to: IncidentStatus, who: Who) -> WrongState:
    if who is Who.RESPONDER and may_become(incident.status, to, Who.COMMANDER):
        return WrongState(f"Only an incident commander brings it from {_word(incident.status)} to {_word(to)}.")
    ways = [
        each for each in IncidentStatus
        if each is not _S.MERGED and may_become(incident.status, each, who) and not needs_commander(incident.status, each)
    ]  # fmt: skip
    onward = f" From there it goes to {' or '.join(_word(each) for each in ways)}." if ways else ""
    return WrongState(f"It is {_word(incident.status)}, and does not go from there to {_word(to)}.{onward}")


def _word(status: str) -> str:
    return f"“{IncidentStatus(status).label.lower()}”"


def _reopen(incident: Incident, at: datetime) -> None:
    """What was said to hold does not hold: it has to be contained, fixed and watched anew."""
    incident.contained_at = incident.mitigated_at = incident.resolved_at = None
    incident.not_stopped_because = incident.not_stopped_by = ""
    incident.reopened += 1
    Watch.objects.filter(
        tenant_id=incident.tenant_id, incident=incident, state__in=(WatchState.RUNNING, WatchState.OVER)
    ).update(state=WatchState.BREACHED, breached_at=at, breach={"because": "reopened"})


def _watch(incident: Incident, stands: Standing, hours: int, by: Actor, at: datetime) -> None:
    """The fix is there: its monitors are copied from the alerts that told of it, with their thresholds."""
    if isinstance(hours, bool) or not isinstance(hours, int) or not WATCH_HOURS[0] <= hours <= WATCH_HOURS[1]:
        raise invalid("/hours", f"A watch runs {WATCH_HOURS[0]} to {WATCH_HOURS[1]} hours.")
    incident.mitigated_at = at
    Watch.objects.create(
        tenant_id=incident.tenant_id,
        incident=incident,
        starts_at=at,
        ends_at=at + timedelta(hours=hours),
        monitors=_monitors(incident),
        started_by=by.label[:200],
    )
    if stands.fix is not None:
        Fix.objects.filter(tenant_id=incident.tenant_id, id=stands.fix.id, deployed_at__isnull=True).update(
            deployed_at=at, deployed_by=by.label[:200]
        )


def _monitors(incident: Incident) -> list[dict[str, Any]]:
    joined = IncidentAlert.objects.filter(
        tenant_id=incident.tenant_id, incident=incident, removed_at__isnull=True
    ).values_list("alert_id", flat=True)
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for alert in Alert.objects.filter(tenant_id=incident.tenant_id, id__in=list(joined)).order_by("severity", "id"):
        about = str(alert.about_tenant) if alert.about_tenant else ""
        found.setdefault(
            (alert.alert_class, about, alert.agent),
            {
                "alert_class": alert.alert_class,
                "about_tenant": about,
                "agent": alert.agent,
                "label": alert.get_alert_class_display(),
                "threshold": alert.threshold,
                "unit": alert.unit,
            },
        )
    if not found:  # declared without an alert: whatever is seen of the same agent
        found = {
            ("", str(each), incident.agent): {
                "alert_class": "",
                "about_tenant": str(each),
                "agent": incident.agent,
                "label": "Any alert",
            }
            for each in incident.tenants
        }
    return list(found.values())
