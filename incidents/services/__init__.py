"""Writes of alerts, incidents and on-call, by part."""

# evidence
from incidents.services.blast import add_item, argue, note_scan_failure, note_scanned, plan_scans, take_found
from incidents.services.evidence import (
    complete_snapshot,
    freeze_plan,
    keep_runs,
    keep_surroundings,
    note_failure,
    note_read,
    note_taken,
    note_told,
    plan_snapshot,
    release_hold,
)
from incidents.services.reversals import (
    approve_reversal,
    change_reversal,
    end_reversal,
    note_ended,
    note_reversals_told,
    plan_reversals,
    start_reversal,
)

# lifecycle
from incidents.services.timeline import note

__all__ = [
    "add_item",
    "approve_reversal",
    "argue",
    "change_reversal",
    "complete_snapshot",
    "end_reversal",
    "freeze_plan",
    "keep_runs",
    "keep_surroundings",
    "note",
    "note_ended",
    "note_failure",
    "note_read",
    "note_reversals_told",
    "note_scan_failure",
    "note_scanned",
    "note_taken",
    "note_told",
    "plan_reversals",
    "plan_scans",
    "plan_snapshot",
    "release_hold",
    "start_reversal",
    "take_found",
]
