"""Alerts, incidents and on-call as rows of our own organisation (tenants/house.py)."""

from incidents.models.alert import Alert, AlertOccurrence, AlertRule, DetectorMark
from incidents.models.evidence import (
    BlastItem,
    BlastScan,
    Evidence,
    LegalHold,
    Reversal,
    SideEffect,
    Snapshot,
    SnapshotRun,
)
from incidents.models.incident import (
    Incident,
    IncidentAlert,
    IncidentRole,
    IncidentSwitch,
    SeverityChange,
    TimelineEntry,
)
from incidents.models.learning import ActionItem, Cause, CustomerComm, Fix, Postmortem, Watch, Why
from incidents.models.oncall import (
    CadenceItem,
    CadenceReview,
    CalendarFeed,
    Handover,
    Override,
    Rotation,
    RotationMember,
    Runbook,
    RunbookTick,
)
from incidents.models.paging import BackEvent, Page, PagingTarget

__all__ = [
    "ActionItem",
    "Alert",
    "AlertOccurrence",
    "AlertRule",
    "BackEvent",
    "BlastItem",
    "BlastScan",
    "CadenceItem",
    "CadenceReview",
    "CalendarFeed",
    "Cause",
    "CustomerComm",
    "DetectorMark",
    "Evidence",
    "Fix",
    "Handover",
    "Incident",
    "IncidentAlert",
    "IncidentRole",
    "IncidentSwitch",
    "LegalHold",
    "Override",
    "Page",
    "PagingTarget",
    "Postmortem",
    "Reversal",
    "Rotation",
    "RotationMember",
    "Runbook",
    "RunbookTick",
    "SeverityChange",
    "SideEffect",
    "Snapshot",
    "SnapshotRun",
    "TimelineEntry",
    "Watch",
    "Why",
]
