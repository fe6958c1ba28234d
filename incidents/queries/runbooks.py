"""What to do for an alert class, and how far people are with it in an incident. In the house's scope, or in staff's."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from agentops.common import clock
from agentops.common.errors import NotFound
from incidents.models import Alert, Incident, IncidentAlert, Runbook, RunbookTick
from incidents.runbooks.reading import Part, Step, read
from incidents.runbooks.shipped import shipped
from incidents.types import AlertClass
from tenants.house import HOUSE_ID

SHIPPED_BY = "agentops"


def runbook_for(alert_class: AlertClass) -> Runbook:
    """The newest version; the shipped text, not stored yet, where nobody has used or written one."""
    return runbooks_for([alert_class])[AlertClass(alert_class)]


def runbooks_for(classes: Iterable[AlertClass]) -> dict[AlertClass, Runbook]:
    wanted = [AlertClass(one) for one in classes]
    rows = Runbook.objects.filter(tenant_id=HOUSE_ID, alert_class__in=wanted)
    newest = rows.order_by("alert_class", "-version").distinct("alert_class")
    stored = {AlertClass(one.alert_class): one for one in newest}
    return {one: stored.get(one) or shipped_runbook(one) for one in wanted}


def shipped_runbook(alert_class: AlertClass) -> Runbook:
    """Version 1, as a row that is not stored."""
    title, body = shipped(alert_class)
    return Runbook(
        tenant_id=HOUSE_ID,
        alert_class=alert_class,
        version=1,
        title=title,
        body=body,
        digest=digest_of(body),
        note="The text that comes with the product.",
        set_at=clock.now(),
        set_by=SHIPPED_BY,
    )


def digest_of(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def versions_of(alert_class: AlertClass) -> list[Runbook]:
    """The newest first; at least the shipped one."""
    rows = Runbook.objects.filter(tenant_id=HOUSE_ID, alert_class=alert_class).order_by("-version")
    return list(rows[:200]) or [shipped_runbook(alert_class)]


def runbook_of(runbook: uuid.UUID) -> Runbook:
    """Raises NotFound."""
    found = Runbook.objects.filter(tenant_id=HOUSE_ID, id=runbook).first()
    if found is None:
        raise NotFound("There is no such version of a runbook.")
    return found


def class_called(name: str) -> AlertClass:
    """Raises NotFound."""
    if name not in AlertClass.values:
        raise NotFound("There is no such kind of alert.")
    return AlertClass(name)


@dataclass(frozen=True)
class Checklist:
    """A runbook in an incident: the version that was begun, else the newest."""

    alert_class: AlertClass
    runbook: Runbook
    parts: list[Part]
    ticks: dict[int, RunbookTick] = field(default_factory=dict)
    newest: int = 1

    @property
    def steps(self) -> list[Step]:
        return [step for part in self.parts for step in part.steps]

    @property
    def lines(self) -> list[tuple[Part, list[tuple[Step, RunbookTick | None]]]]:
        """The text in its order, each step with who did it."""
        return [(part, [(step, self.ticks.get(step.number)) for step in part.steps]) for part in self.parts]

    @property
    def done(self) -> int:
        return sum(step.number in self.ticks for step in self.steps)


def checklists(incident: Incident, *, also: Iterable[AlertClass] = ()) -> list[Checklist]:
    """The runbooks of an incident's alerts, of those that were begun, and of classes that somebody asks for."""
    joined = IncidentAlert.objects.filter(tenant_id=HOUSE_ID, incident=incident, removed_at=None).values("alert_id")
    alerts = Alert.objects.filter(tenant_id=HOUSE_ID, id__in=joined).order_by("severity", "opened_at", "id")
    ticks = list(
        RunbookTick.objects.filter(tenant_id=HOUSE_ID, incident=incident).select_related("runbook").order_by("at", "id")
    )
    begun = {AlertClass(tick.runbook.alert_class): tick.runbook for tick in ticks}  # the last one that was ticked
    classes = [AlertClass(one) for one in alerts.values_list("alert_class", flat=True)]
    newest = runbooks_for(dict.fromkeys([*classes, *begun, *also]))
    found = []
    for alert_class, latest in newest.items():
        runbook = begun.get(alert_class, latest)
        done = {tick.step: tick for tick in ticks if tick.runbook_id == runbook.id}
        found.append(Checklist(alert_class, runbook, read(runbook.body), done, latest.version))
    return found
