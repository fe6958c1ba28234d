"""When it began, was seen, contained, mitigated: people correct what the machine guessed, and it stays in order."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Mapping
from datetime import datetime

from agentops.common import clock, scope
from audit.types import Actor
from incidents import inputs
from incidents.errors import invalid
from incidents.models import Incident
from incidents.services.keeping import locked, record, tell
from incidents.services.sweeping import last_harm_seen
from incidents.types import TimelineKind

# As they follow each other (the database holds that, too); then those beside the order.
ORDERED = (
    "impact_started_at", "detected_at", "declared_at", "contained_at", "mitigated_at", "resolved_at", "closed_at",
)  # fmt: skip
CORRECTABLE = {
    "impact_started_at": "Harm began",
    "detected_at": "Detected",
    "acknowledged_at": "Acknowledged",
    "last_harm_at": "Last harmful step",
    "contained_at": "Contained",
    "mitigated_at": "Mitigated",
    "resolved_at": "Resolved",
}
_MADE_BY_GATES = ("contained_at", "mitigated_at", "resolved_at")
WORDS = {**CORRECTABLE, "declared_at": "Declared", "closed_at": "Closed"}


def correct_times(
    *,
    tenant: uuid.UUID,
    incident_id: uuid.UUID,
    times: Mapping[str, datetime],
    reason: str,
    by: Actor,
    at: datetime,
) -> Incident:
    """Correct some of the times, with a reason. What only a gate says (contained, mitigated, resolved) is not added here.

    The last harmful step is not said to be before one that was seen: the sweep that follows rows would undo that.

    Raises Unknown, WrongState, InvalidInput.
    """
    scope.require_tenant(tenant)
    incident = locked(tenant, incident_id)
    reason = inputs.text("/reason", reason, most=2_000)
    changes = []
    for name, moment in times.items():
        inputs.one_of("/times", name, list(CORRECTABLE))
        before: datetime | None = getattr(incident, name)
        if moment == before:
            continue
        if before is None and name in _MADE_BY_GATES:
            raise invalid(f"/{name}", f"“{WORDS[name]}” is said by moving the incident on, then it can be corrected.")
        if not isinstance(moment, datetime) or moment.tzinfo is None or moment > at:
            raise invalid(f"/{name}", f"“{WORDS[name]}” is a moment before now.")
        setattr(incident, name, moment)
        changes.append(f"{WORDS[name]}: {clock.rfc3339(moment)} (was {clock.rfc3339(before) if before else 'unknown'})")
    if not changes:
        return incident
    _require_order(incident)
    if "last_harm_at" in times:
        _require_no_later_harm(incident)
    incident.save(update_fields=list(times))
    record(incident, "incident.times_corrected", {"changes": changes}, by, at, reason=reason)
    tell(incident, TimelineKind.TIMES, f"Times corrected ({reason}): {'; '.join(changes)}", by, at)
    return incident


def _require_order(incident: Incident) -> None:
    known = [(name, getattr(incident, name)) for name in ORDERED if getattr(incident, name) is not None]
    for (early, first), (late, second) in itertools.pairwise(known):
        if first > second:
            raise invalid(
                f"/{early}", f"“{WORDS[early]}” is not after “{WORDS[late]}” ({second:%-d %b %Y %H:%M:%S} UTC)."
            )


def _require_no_later_harm(incident: Incident) -> None:
    seen = last_harm_seen(incident)
    if seen is not None and incident.last_harm_at is not None and incident.last_harm_at < seen:
        raise invalid(
            "/last_harm_at",
            f"Its alerts or effects tell of harm until {seen:%-d %b %Y %H:%M:%S} UTC: say that or later.",
        )
