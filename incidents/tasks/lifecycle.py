"""Periodic work of this part. Rows are the truth: a missed round only makes the next one longer."""

from __future__ import annotations

import logging
import re
import uuid
from datetime import timedelta

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.queues import Queue, task
from agentops.common.scope import staff_scope, tenant_scope
from agentops.runtime import queries as runtime
from audit.types import SYSTEM
from evals import services as evals
from incidents.queries import incidents as queries
from incidents.queries.named import incident_called
from incidents.services import containing, sweeping, watches
from tenants.house import house_scope

log = logging.getLogger(__name__)
_BECAUSE = re.compile(r"(INC-\d{4}-\d{4,9}): ")
_LATELY = timedelta(minutes=10)


@task(Queue.DEFAULT)
def look_at_watches() -> int:
    """Look at every watch; answers how many were broken. Each in a transaction of its own."""
    with house_scope():
        waiting = queries.watches_to_look_at()
    count = 0
    for watch in waiting:
        try:
            with house_scope() as house:
                count += watches.look_at_watch(tenant=house, watch_id=watch, at=clock.now()) == "breached"
        except DomainError as refusal:
            log.warning("watch %s: %s", watch, refusal.detail)
    return count


@task(Queue.DEFAULT)
def follow_incidents() -> int:
    """Clocks from rows, switches that were set for an incident and not noted in it, review items that led to one."""
    with house_scope():
        open_ones = [incident.id for incident in queries.incidents_not_over()]
        items = queries.reviewed_items(at=clock.now(), within=_LATELY)
    count = 0
    for incident in open_ones:
        with house_scope() as house:
            count += sweeping.follow_clocks(tenant=house, incident_id=incident)
    for incident_row, run in items:
        note_led_to(run, incident_row.ref, incident_row.title)
    return count + _note_switches()


def note_led_to(run: dict[str, str], ref: str, title: str) -> None:
    """Tell the item of a review queue what came of it; told again, it is told once."""
    tenant = uuid.UUID(run["tenant"])
    try:
        with tenant_scope(tenant):
            evals.note_led_to(
                tenant=tenant,
                item=uuid.UUID(run["item"]),
                kind="incident",
                target=ref,
                label=title,
                by=SYSTEM,
                at=clock.now(),
            )
    except DomainError as refusal:
        log.info("review item %s: %s", run["item"], refusal.detail)


def _note_switches() -> int:
    """A switch names its incident in its reason; who set it may have been cut off before it was noted there."""
    with staff_scope():
        on = runtime.all_switches_on()
    found = [(switch, match[1]) for switch in on if (match := _BECAUSE.match(switch.reason))]
    count = 0
    for switch, ref in found:
        try:
            with house_scope() as house:
                incident = incident_called(ref)
                if incident.switches.filter(switch_id=switch.id).exists():
                    continue
                containing.note_switch(
                    tenant=house, incident_id=incident.id, switch_id=switch.id, about_tenant=switch.tenant_id,
                    kind=switch.scope, scope_id=switch.scope_id, mode=switch.mode, set_at=switch.set_at, by=SYSTEM,
                    at=clock.now(),
                )  # fmt: skip
                count += 1
        except DomainError as refusal:
            log.info("switch %s of %s: %s", switch.id, ref, refusal.detail)
    return count
