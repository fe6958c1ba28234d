"""What becomes of a person in incidents. Evidence is never changed: it is held, and let go whole with its incident.

All rows are of our own organisation: `about_tenant` and `tenants` say whose data they are. What is under an incident's legal hold
stays with it, and the certificate counts such incidents.
"""

from __future__ import annotations

from agentops.common.forgetting import RUN_IS_THEIRS, Step, Table

_HELD = "EXISTS (SELECT 1 FROM incidents_legalhold h WHERE h.incident_id = {incident} AND h.released_at IS NULL)"
_HELD_INCIDENT = _HELD.format(incident="t.incident_id")
_ABOUT = "t.about_tenant = %(tenant)s"
_OF_INCIDENT = (
    "EXISTS (SELECT 1 FROM incidents_incident i WHERE i.id = t.incident_id AND i.tenants @> ARRAY[%(tenant)s]::uuid[])"
)
_OF_POSTMORTEM = (
    "EXISTS (SELECT 1 FROM incidents_postmortem p JOIN incidents_incident i ON i.id = p.incident_id "
    "WHERE p.id = t.postmortem_id AND i.tenants @> ARRAY[%(tenant)s]::uuid[])"
)
_OF_ALERT = "(t.about_tenant = %(tenant)s OR t.tenants @> ARRAY[%(tenant)s]::uuid[])"


def _of_incident(name: str, *texts: str, jsons: tuple[str, ...] = ()) -> Table:
    return Table(name, ("id",), of_tenant=_OF_INCIDENT, kept=_HELD_INCIDENT, texts=texts, jsons=jsons)


STEPS: tuple[Step, ...] = (
    Table(
        "incidents_blastitem", ("id",), of_tenant=_ABOUT, run="run_id", kept=_HELD_INCIDENT,
        theirs="t.kind = 'user' AND lower(t.identity) = ANY(%(names)s)",
        emptied={"identity": "%(pseudonym)s || ' ' || t.id", "reason": "''"}, texts=("reason", "identity"),
    ),
    Table(
        "incidents_sideeffect", ("id",), of_tenant=_ABOUT, run="run_id", by_run=True, kept=_HELD_INCIDENT,
        emptied={"receipt": "''", "request_digest": "''"}, texts=("ref", "receipt", "idempotency_key", "who_must_act"),
    ),
    Table(
        "incidents_customercomm", ("id",), of_tenant=_ABOUT, kept=_HELD_INCIDENT,
        texts=("subject", "body", "waived_because"), jsons=("recipients",),
    ),
    Table(
        "incidents_incident", ("id",), of_tenant="t.tenants @> ARRAY[%(tenant)s]::uuid[]", kept=_HELD.format(incident="t.id"),
        texts=("title", "summary", "cancel_reason", "not_stopped_because"),
    ),
    _of_incident("incidents_timelineentry", "text", "actor", "link", jsons=("data",)),
    _of_incident("incidents_severitychange", "reason"),
    _of_incident("incidents_reversal", "how", "proof", "reason"),
    _of_incident("incidents_cause", "text"),
    _of_incident("incidents_fix", "change"),
    _of_incident("incidents_postmortem", "summary", "impact", "went_well", "went_badly", "lucky", "text"),
    _of_incident("incidents_actionitem", "title", "drop_reason"),
    Table(
        "incidents_why", ("id",), of_tenant=_OF_POSTMORTEM, texts=("question", "answer", "evidence_text"),
        kept="EXISTS (SELECT 1 FROM incidents_postmortem p JOIN incidents_legalhold h ON h.incident_id = p.incident_id "
        "WHERE p.id = t.postmortem_id AND h.released_at IS NULL)",
    ),
    Table("incidents_alert", ("id",), of_tenant=_OF_ALERT, texts=("summary", "scope_id", "verdict_note"), jsons=("data",)),
    Table(
        "incidents_alertoccurrence", ("id",), texts=("detail",),
        of_tenant=f"EXISTS (SELECT 1 FROM incidents_alert a WHERE a.id = t.alert_id AND {_OF_ALERT.replace('t.', 'a.')})",  # noqa: S608
    ),
)  # fmt: skip
_RUN_IN_SNAPSHOT = RUN_IS_THEIRS.format(run="run_id")
KEPT = (
    (
        "evidence of incidents about runs of the person, kept as it was captured until the incident's hold is let go",
        "SELECT count(*) FROM incidents_evidence e JOIN incidents_snapshotrun t ON t.snapshot_id = e.snapshot_id "  # noqa: S608  constants only
        f"AND t.about_tenant = e.about_tenant WHERE e.about_tenant = %(tenant)s AND e.body IS NOT NULL AND {_RUN_IN_SNAPSHOT}"
        " AND strpos(e.source, replace(t.run_id::text, '-', '')) > 0",
    ),
    (
        "incidents under a legal hold that are about runs of the person, with what was written in them",
        "SELECT count(DISTINCT h.incident_id) FROM incidents_legalhold h JOIN incidents_snapshot s ON s.incident_id = h.incident_id "  # noqa: S608
        "JOIN incidents_snapshotrun t ON t.snapshot_id = s.id WHERE h.released_at IS NULL "
        f"AND t.about_tenant = %(tenant)s AND {_RUN_IN_SNAPSHOT}",
    ),
)
