"""What becomes of a person in incidents. Evidence is never changed: it is held, and let go whole with its incident.

Rows stand with whoever handles the incident; `about_tenant` says whose data it is.
"""

from __future__ import annotations

from agentops.common.forgetting import RUN_IS_THEIRS, Step, Table

_HELD_INCIDENT = (
    "EXISTS (SELECT 1 FROM incidents_legalhold h WHERE h.incident_id = t.incident_id AND h.released_at IS NULL)"
)
_STAFFS = ("id",)

STEPS: tuple[Step, ...] = (
    Table(
        "incidents_blastitem", _STAFFS, tenant="about_tenant", run="run_id", kept=_HELD_INCIDENT,
        theirs="t.kind = 'user' AND lower(t.identity) = ANY(%(names)s)",
        emptied={"identity": "%(pseudonym)s || ' ' || t.id", "reason": "''"}, texts=("reason", "identity"),
    ),
    Table(
        "incidents_sideeffect", _STAFFS, tenant="about_tenant", run="run_id", by_run=True, kept=_HELD_INCIDENT,
        emptied={"receipt": "''", "request_digest": "''"}, texts=("ref", "receipt", "idempotency_key", "who_must_act"),
    ),
    Table(
        "incidents_customercomm", _STAFFS, tenant="about_tenant", kept=_HELD_INCIDENT,
        texts=("subject", "body", "waived_because"), jsons=("recipients",),
    ),
    Table("incidents_incident", _STAFFS, texts=("title", "summary", "cancel_reason", "not_stopped_because")),
    Table("incidents_timelineentry", _STAFFS, texts=("text", "actor"), jsons=("data",), kept=_HELD_INCIDENT),
    Table("incidents_alert", _STAFFS, texts=("summary", "scope_id", "verdict_note"), jsons=("data",)),
    Table("incidents_alertoccurrence", _STAFFS, texts=("detail",)),
    Table("incidents_cause", _STAFFS, texts=("text",), kept=_HELD_INCIDENT),
    Table("incidents_postmortem", _STAFFS, texts=("summary", "impact", "went_well", "went_badly", "lucky", "text"), kept=_HELD_INCIDENT),
)  # fmt: skip
KEPT = (
    (
        "evidence of incidents about runs of the person, kept as it was captured until the incident's hold is let go",
        "SELECT count(*) FROM incidents_evidence e JOIN incidents_snapshotrun t ON t.snapshot_id = e.snapshot_id "  # noqa: S608  constants only
        "AND t.about_tenant = e.about_tenant WHERE e.about_tenant = %(tenant)s AND e.body IS NOT NULL AND "
        + RUN_IS_THEIRS.format(run="run_id")
        + " AND strpos(e.source, replace(t.run_id::text, '-', '')) > 0",
    ),
)
