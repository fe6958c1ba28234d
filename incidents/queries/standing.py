"""Where an incident stands: the facts that its gates ask for. A constant number of queries, whatever it holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Count, Exists, OuterRef, Q

from incidents.models import (
    ActionItem,
    BlastItem,
    Cause,
    CustomerComm,
    Fix,
    Incident,
    IncidentSwitch,
    Postmortem,
    Reversal,
    Snapshot,
    TimelineEntry,
    Watch,
)
from incidents.policies import comms, gates
from incidents.policies.gates import Facts
from incidents.types import (
    REVERSAL_OVER,
    ActionState,
    BlastState,
    CommState,
    IncidentStatus,
    PostmortemState,
    SnapshotState,
    TimelineKind,
    WatchState,
)
from tenants.house import HOUSE_ID

_UNSENT = (CommState.DRAFT, CommState.APPROVED, CommState.FAILED)
_REVIEWED = (PostmortemState.REVIEWED, PostmortemState.PUBLISHED)
_OVER = (IncidentStatus.CLOSED, IncidentStatus.CANCELLED, IncidentStatus.MERGED)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_MERGES_MOST = 20  # levels


@dataclass(frozen=True, slots=True)
class Standing:
    """The facts, with the rows that the pages show beside them."""

    facts: Facts
    snapshot: Snapshot | None  # the newest
    switches: list[IncidentSwitch]
    cause: Cause | None
    fix: Fix | None  # the newest since it was last reopened
    watch: Watch | None  # the newest since then
    postmortem: Postmortem | None

    def unmet(self, target: IncidentStatus) -> list[gates.Need]:
        return gates.unmet(target, self.facts)


def standing(incident: Incident) -> Standing:
    """Needs the scope of the house, or staff's."""
    ours = [incident.id, *merged_into(incident.id)]
    since = reopened_at(incident)
    snapshots = list(Snapshot.objects.filter(tenant_id=HOUSE_ID, incident=incident).order_by("-number")[:50])
    switches = list(IncidentSwitch.objects.filter(tenant_id=HOUSE_ID, incident=incident).order_by("-at", "-id")[:50])
    cause = Cause.objects.filter(tenant_id=HOUSE_ID, incident=incident, is_root=True, replaced_at__isnull=True).first()
    fix = (
        Fix.objects.filter(tenant_id=HOUSE_ID, incident=incident, proposed_at__gte=since)
        .order_by("-proposed_at", "-id")
        .first()
    )
    watch = (
        Watch.objects.filter(tenant_id=HOUSE_ID, incident=incident, starts_at__gte=since)
        .exclude(state=WatchState.BREACHED)
        .order_by("-starts_at", "-id")
        .first()
    )
    postmortem = Postmortem.objects.filter(tenant_id=HOUSE_ID, incident=incident).first()
    facts = Facts(
        severity=incident.severity,
        has_commander=incident.commander_id is not None,
        has_snapshot=any(each.state == SnapshotState.COMPLETE for each in snapshots),
        is_snapshot_running=any(each.state == SnapshotState.PLANNED for each in snapshots),
        switches=sum(each.at >= since for each in switches),
        not_stopped_by=incident.not_stopped_by,
        has_cause=cause is not None,
        has_input=bool(incident.agent or incident.runs),
        **_fix_facts(fix),
        is_watch_over=watch is not None and watch.state == WatchState.OVER,
        watch_closed_by=watch.closed_by if watch is not None and watch.state == WatchState.CLOSED else "",
        has_postmortem=postmortem is not None,
        is_postmortem_reviewed=postmortem is not None and postmortem.state in _REVIEWED,
        **_counted(ours),
    )
    return Standing(facts, snapshots[0] if snapshots else None, switches, cause, fix, watch, postmortem)


def merged_into(incident: uuid.UUID) -> list[uuid.UUID]:
    """Those that were merged into it, and into those."""
    found: list[uuid.UUID] = []
    level = [incident]
    for _ in range(_MERGES_MOST):
        rows = Incident.objects.filter(
            tenant_id=HOUSE_ID, merged_into__in=level, status=IncidentStatus.MERGED
        ).values_list("id", flat=True)
        level = [each for each in rows if each not in found and each != incident]
        if not level:
            break
        found += level
    return found


def reopened_at(incident: Incident) -> datetime:
    """When it was reopened last; what came before does not count for its gates any more."""
    if not incident.reopened:
        return _LONG_AGO
    rows = TimelineEntry.objects.filter(
        tenant_id=HOUSE_ID, incident_id=incident.id, kind=TimelineKind.STATUS, data__event="incident.reopened"
    )
    return rows.order_by("-recorded_at", "-id").values_list("recorded_at", flat=True).first() or _LONG_AGO


def _fix_facts(fix: Fix | None) -> dict[str, Any]:
    if fix is None:
        return {}
    return {
        "has_fix": True,
        "cases": len(fix.cases),
        "failed_on_old": fix.failed_on_old,
        "passes_on_new": fix.passes_on_new,
        "full_suite_passed": fix.full_suite_passed,
        "has_canary_note": bool(fix.canary),
    }


def _counted(ours: Iterable[uuid.UUID]) -> dict[str, Any]:
    ours = list(ours)
    mine: dict[str, Any] = {"tenant_id": HOUSE_ID, "incident_id__in": ours}
    blast = BlastItem.objects.filter(**mine).aggregate(
        suspected=Count("id", filter=Q(state=BlastState.SUSPECTED)),
        confirmed_harm=Count("id", filter=Q(state=BlastState.CONFIRMED)),
    )
    texts = CustomerComm.objects.filter(**mine).aggregate(
        unsent_comms=Count("id", filter=Q(state__in=_UNSENT)), told=Count("id", filter=Q(state__in=comms.TOLD))
    )
    # A text to our own success manager tells no customer anything.
    told_or_waived = CustomerComm.objects.filter(
        **mine, about_tenant=OuterRef("about_tenant"), state__in=comms.OVER, audience__in=comms.CUSTOMERS
    )
    untold = BlastItem.objects.filter(Q(state=BlastState.CONFIRMED), ~Exists(told_or_waived), **mine)
    actions = ActionItem.objects.filter(**mine).exclude(state=ActionState.DROPPED)
    return {
        **blast,
        **texts,
        "untold_tenants": untold.aggregate(n=Count("about_tenant", distinct=True))["n"],
        "open_reversals": Reversal.objects.filter(**mine).exclude(state__in=REVERSAL_OVER).count(),
        "bare_actions": actions.filter(Q(owner__isnull=True) | Q(due_on__isnull=True)).count(),
        "open_parts": Incident.objects.filter(tenant_id=HOUSE_ID, parent__in=ours).exclude(status__in=_OVER).count(),
    }
