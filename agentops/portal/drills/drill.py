"""One drill from its first step to its tidying up. What the product did is read from committed rows; people's parts are played."""

from __future__ import annotations

import contextlib
import secrets
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from agentops.portal.drills import adding, containing, ground, watching
from agentops.portal.drills.containing import Contained
from agentops.portal.drills.ground import BY, Ground
from agentops.portal.drills.interfaces import Interfaces, now
from agentops.portal.drills.modes import Mode, Played
from agentops.portal.drills.pager import Pager
from incidents.queries import played as looked
from incidents.services import alerts, lifecycle, targets
from incidents.states import Who
from incidents.types import AlertVerdict, Hears, IncidentStatus, Severity, TargetKind
from tenants.house import house_scope

if TYPE_CHECKING:
    from incidents.models import Alert

LAST_STEP = timedelta(seconds=1)  # later than this after the switch, a step is a failure
TARGET = "Drills (listens only)"
Say = Callable[[str], None]


@dataclass
class Begun:
    """A mode that was played, and is to be looked for."""

    mode: Mode
    agent: str
    played: Played


@dataclass
class Result:
    """How a drill went. Durations in seconds; None: it did not happen, or there is nothing to measure."""

    mode: Mode
    agent: str
    stopped: str = ""
    alert_after: float | None = None  # from when it could be known
    paged_after: float | None = None
    harm_to_page: float | None = None  # from the first step
    alert: str = ""
    incident: str = ""
    contained: Contained | None = None
    contain_after: float | None = None  # from pressing the switch until every agent was refused
    wrong: list[str] = field(default_factory=list)

    @property
    def page_bound(self) -> float:
        return max(self.mode.page_seconds, self.mode.alert_seconds)

    @property
    def is_sound(self) -> bool:
        return not self.wrong


def begin(mode: Mode, portal: Interfaces, place: Ground) -> Begun:
    """Play it, with an agent of its own."""
    agent = f"{mode.name.replace('_', '-')}-{now():%m%d-%H%M%S}-{secrets.token_hex(2)}"
    ground.register(place, agent)
    played = mode.play(portal, agent)
    if mode.adds_up_days:
        adding.add_up(tenant=place.id, agent=agent, runs=played.told, days=mode.adds_up_days)
    return Begun(mode, agent, played)


def follow(begun: Begun, portal: Interfaces, place: Ground, pager: Pager, target: uuid.UUID) -> Result:
    """Wait for the alert and the page, press the switch, and tidy up."""
    mode, played = begun.mode, begun.played
    result = Result(mode, begun.agent, stopped=played.stopped, wrong=list(played.wrong))
    found = _await_alert(begun, place, result)
    paged = found is not None and _await_page(begun, pager, target, found.id, result)
    incident = _declare(begun, place, found)
    result.incident = incident[1]
    if mode.alert_class is None:
        paged = _await_page(begun, pager, target, incident[0], result)
    try:
        result.contained = containing.contain(portal, begun.agent)
        _judge(result)
    finally:
        _tidy_up(portal, result, found, incident[0])
    if not paged and not result.wrong:
        result.wrong.append("nobody was paged")
    return result


def _await_alert(begun: Begun, place: Ground, result: Result) -> Alert | None:
    mode, played = begun.mode, begun.played
    if mode.alert_class is None:
        return None
    alert_class = mode.alert_class
    waited = (now() - played.detect_from).total_seconds()
    found = watching.until(
        lambda: watching.alert_about(ground=place.id, agent=begun.agent, alert_class=alert_class),
        seconds=max(mode.alert_seconds - waited, 0) + _GRACE_SECONDS,
    )
    if found is None:
        result.wrong.append(f"no alert of the class {alert_class.label!r} within {mode.alert_seconds:g} s")
        return None
    result.alert = f"SEV-{found.severity} {found.summary}"
    result.alert_after = (found.opened_at - played.detect_from).total_seconds()
    if result.alert_after > mode.alert_seconds:
        result.wrong.append(f"the alert came after {result.alert_after:.1f} s; {mode.alert_seconds:g} s are the bound")
    return found


_GRACE_SECONDS = 15.0  # a late alert is told with its lateness, not as none


def _await_page(begun: Begun, pager: Pager, target: uuid.UUID, subject: uuid.UUID, result: Result) -> bool:
    mode, played = begun.mode, begun.played
    ring = watching.ring_about(pager, subject, since=played.began_at, seconds=mode.page_seconds + _GRACE_SECONDS)
    if ring is None:
        result.wrong.append(f"no page arrived: {watching.why_no_page(subject, target)}")
        return False
    rung_at = datetime.fromtimestamp(ring.at, UTC)
    from_when = played.detect_from if mode.alert_class else played.began_at
    result.paged_after = (rung_at - from_when).total_seconds()
    result.harm_to_page = (rung_at - played.began_at).total_seconds()
    if result.paged_after > result.page_bound:
        result.wrong.append(f"the page came after {result.paged_after:.1f} s; {result.page_bound:g} s are the bound")
    return True


def _declare(begun: Begun, place: Ground, alert: Alert | None) -> tuple[uuid.UUID, str]:
    """A person would; here the operator at the command line does."""
    runs = [{"tenant": place.id.hex, "run": run} for run in begun.played.runs]
    with house_scope() as house:
        incident = lifecycle.declare(
            tenant=house,
            title=f"Drill: {begun.mode.sentence}"[:200],
            severity=alert.severity if alert else begun.mode.severity,
            alerts=[alert.id] if alert else [],
            runs=runs,
            tenants=[place.id],
            agent=begun.agent,
            agent_version=ground.VERSION,
            is_drill=True,
            by=BY,
            at=now(),
        )
        return incident.id, incident.ref


def _judge(result: Result) -> None:
    contained = result.contained
    assert contained is not None
    if contained.refused_after is None:
        result.wrong.append("not every agent was refused within ten seconds of the kill switch")
    else:
        result.contain_after = contained.refused_after.total_seconds()
    if contained.last_step is not None and contained.last_step > LAST_STEP:
        seconds = contained.last_step.total_seconds()
        result.wrong.append(f"a step was let through {seconds:.2f} s after the kill switch")


def _tidy_up(portal: Interfaces, result: Result, alert: Alert | None, incident: uuid.UUID) -> None:
    """The switch is lifted, alert and incident are over: a drill leaves a record, and nothing that anybody must act on.

    What the alert was made of may last (a minute that was dear stays so): then it is acknowledged, and ends with that.
    """
    if result.contained is not None:
        portal.lift(result.contained.switch, "The drill is over.")
    with house_scope() as house:
        if alert is not None:
            end = alerts.acknowledge_alert if result.mode.ends_by_itself else alerts.resolve_alert
            end(tenant=house, alert_id=alert.id, by=BY, at=now())
            alerts.give_verdict(
                tenant=house, alert_id=alert.id, verdict=AlertVerdict.EXPECTED, note="A drill.", by=BY, at=now()
            )
        lifecycle.move(
            tenant=house,
            incident_id=incident,
            to=IncidentStatus.CANCELLED,
            reason="The drill is over.",
            by=BY,
            at=now(),
            who=Who.COMMANDER,
        )


def tidy_up_before(place: Ground) -> None:
    """What an earlier drill left: because it was killed, or because an alert came when it had given up waiting for it."""
    ground.tidy_up(place)
    with house_scope() as house:
        for incident in looked.open_drills_of(BY.label, place.id):
            lifecycle.move(
                tenant=house, incident_id=incident, to=IncidentStatus.CANCELLED, reason="Left by an earlier drill.",
                by=BY, at=now(), who=Who.COMMANDER,
            )  # fmt: skip
        for alert in looked.open_alerts_about(place.id):
            said: dict[str, Any] = {"tenant": house, "alert_id": alert.id, "by": BY, "at": now()}
            alerts.acknowledge_alert(**said)
            alerts.give_verdict(verdict=AlertVerdict.EXPECTED, note="Left by an earlier drill.", **said)


@contextlib.contextmanager
def paged_at(address: str) -> Iterator[uuid.UUID]:
    """The drill's pager is a target while the block lasts."""
    terms = targets.Terms(
        name=TARGET,
        kind=TargetKind.PAGERDUTY,
        base_url=address,
        secret=secrets.token_hex(16),
        severities=[severity.value for severity in Severity],
        hears=Hears.DRILLS.value,
    )
    with house_scope() as house:
        before = looked.target_called(TARGET)
        known = before.id if before else None
        target = targets.set_target(tenant=house, terms=terms, target_id=known, by=BY, at=now())
        targets.turn_target(tenant=house, target_id=target.id, is_on=True, by=BY, at=now())
    try:
        yield target.id
    finally:
        with house_scope() as house:
            targets.turn_target(tenant=house, target_id=target.id, is_on=False, by=BY, at=now())
