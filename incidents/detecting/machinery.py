"""The product's own machinery: logs that are not sealed, switches that stop nothing, queues and ingest that are late."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from incidents.detecting.defaults import DEFAULTS
from incidents.detecting.looking import Around, Look
from incidents.detecting.seen import SampleRun, Seen
from incidents.types import AlertClass, ScopeType, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFinding:
    """What is wrong with an organisation's audit log, and goes on."""

    id: uuid.UUID
    tenant: uuid.UUID
    kind: str
    detail: str
    found_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The oldest of what waits: of an organisation, or of none."""

    what: str  # outbox | judging | seal | runs | facts
    tenant: uuid.UUID | None
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """Tasks that wait in a queue of the broker."""

    queue: str
    tasks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Messages of an organisation that could not be taken in an hour."""

    tenant: uuid.UUID
    count: int
    code: str  # the one that came most
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LateStep:
    """Steps that were seen after a kill switch was set: the last of them, and how many."""

    switch: uuid.UUID
    tenant: uuid.UUID | None  # whose switch; None: the product's
    scope: str  # product | tenant | agent | user
    scope_id: str
    set_at: datetime
    last_at: datetime
    steps: int
    agents: tuple[str, ...] = ()
    samples: tuple[SampleRun, ...] = field(default_factory=tuple)


def see_log_findings(rows: Iterable[LogFinding], around: Around) -> Look:
    """One alert per organisation and kind; a finding is news whenever it was seen again."""
    seen, still, known = [], set(), {}
    for row in rows:
        looked = Seen(
            alert_class=AlertClass.INTEGRITY,
            scope_type=ScopeType.TENANT,
            scope_id=row.kind,
            about_tenant=row.tenant,
            severity=DEFAULTS[AlertClass.INTEGRITY].severity,
            summary=f"The audit log of {around.of(row.tenant)} is not sound ({row.kind.replace('_', ' ')}): "
            f"{row.detail[:300]}",
            value=1.0,
            threshold=0.0,
            unit="checks that failed",
            since=row.found_at,
            source={"kind": "audit_finding", "id": str(row.id)},
        )
        mark = str(row.id)
        known[mark] = row.last_seen_at.isoformat()
        if around.known.get(mark) == known[mark]:
            still.add(looked.fingerprint)
        else:
            seen.append(looked)
    return Look(seen=seen, still=still, known=known)


def see_unsealed(rows: Iterable[Waiting], around: Around) -> Look:
    """Organisations whose oldest entry waits for its seal for too long."""
    seen = []
    for row in rows:
        bound = around.setting(AlertClass.SEAL_LAG, row.tenant).params["seconds"]
        waits = (around.at - row.since).total_seconds()
        if waits <= bound:
            continue
        seen.append(
            Seen(
                alert_class=AlertClass.SEAL_LAG,
                scope_type=ScopeType.TENANT,
                about_tenant=row.tenant,
                severity=DEFAULTS[AlertClass.SEAL_LAG].severity,
                summary=f"The oldest entry of the audit log of {around.of(row.tenant) if row.tenant else 'nobody'} waits "
                f"for its seal for {_ago(waits)}.",
                value=waits,
                threshold=bound,
                unit="seconds",
                since=row.since,
            )
        )
    return Look(seen=seen)


def see_late_steps(rows: Iterable[LateStep], around: Around) -> Look:
    """Switches after which steps were still seen; the same last step is no news."""
    seen, known = [], {}
    for row in rows:
        bound = around.setting(AlertClass.KILL_SWITCH_LAG, row.tenant).params["seconds"]
        late = (row.last_at - row.set_at).total_seconds()
        if late <= bound:
            continue
        what = {"tenant": "the organisation", "agent": f"agent {row.scope_id[:80]}", "user": "a user"}.get(
            row.scope, "all"
        )
        where = f" of {around.of(row.tenant)}" if row.tenant else ""
        looked = Seen(
            alert_class=AlertClass.KILL_SWITCH_LAG,
            scope_type=ScopeType(row.scope),
            scope_id=str(row.switch) if row.scope == "user" else row.scope_id,  # a user's name goes to no pager
            about_tenant=row.tenant,
            agent=row.scope_id if row.scope == "agent" else "",
            severity=DEFAULTS[AlertClass.KILL_SWITCH_LAG].severity,
            summary=f"{row.steps} steps were seen after the kill switch for {what}{where} was set, the last "
            f"{_ago(late)} after it.",
            value=late,
            threshold=bound,
            unit="seconds after the switch",
            since=row.set_at,
            data={"steps": row.steps, "agents": list(row.agents)[:20]},
            source={"kind": "kill_switch", "id": str(row.switch)},
            runs=row.samples,
        )
        mark = str(row.switch)
        known[mark] = row.last_at.isoformat()
        if around.known.get(mark) == known[mark]:
            continue  # no step since: calm
        seen.append(looked)
    return Look(seen=seen, known=known)


_QUEUES = {
    "outbox": ("outbox_seconds", "Messages of {of} are due and not sent", Severity.SEV2),
    "judging": ("judging_seconds", "Judgements of {of} are planned and not asked for", Severity.SEV3),
}


def see_queues(waiting: Iterable[Waiting], depths: Iterable[Depth], around: Around) -> Look:
    """What is due for long: one alert per kind, with all organisations that wait; and queues that pile up."""
    seen = []
    setting = around.setting(AlertClass.QUEUE_LAG)
    oldest: dict[str, list[Waiting]] = {}
    for row in waiting:
        if (around.at - row.since).total_seconds() > setting.params[_QUEUES[row.what][0]]:
            oldest.setdefault(row.what, []).append(row)
    for what, rows in sorted(oldest.items()):
        param, sentence, severity = _QUEUES[what]
        first = min(rows, key=lambda row: row.since)
        waits = (around.at - first.since).total_seconds()
        of = around.of(first.tenant) if first.tenant and len(rows) == 1 else f"{len(rows)} organisations"
        seen.append(_queue(what, f"{sentence.format(of=of)}, the oldest for {_ago(waits)}.", waits, setting.params[param],
                           "seconds", severity, first.since, {"organisations": len(rows)}))  # fmt: skip
    for depth in depths:
        if depth.tasks > setting.params["tasks"]:
            sentence = f"{depth.tasks:,} tasks wait in the queue {depth.queue}; the workers do not keep up."
            seen.append(_queue(f"tasks:{depth.queue}", sentence, float(depth.tasks), setting.params["tasks"], "tasks",
                               Severity.SEV2, around.at, {"queue": depth.queue}))  # fmt: skip
    return Look(seen=seen)


def _queue(
    what: str,
    summary: str,
    value: float,
    threshold: float,
    unit: str,
    severity: Severity,
    since: datetime,
    data: dict[str, object],
) -> Seen:
    return Seen(
        alert_class=AlertClass.QUEUE_LAG,
        scope_type=ScopeType.PRODUCT,
        scope_id=what,
        severity=severity,
        summary=summary,
        value=value,
        threshold=threshold,
        unit=unit,
        since=since,
        data=data,
    )


def see_ingest(unfinished: Iterable[Waiting], refused: Iterable[Refused], around: Around) -> Look:
    """Runs that should be finished and are not (ours), and what organisations send that cannot be taken (theirs)."""
    seen = []
    rows = list(unfinished)
    bound = around.setting(AlertClass.INGEST_LAG).params["seconds"]
    late = [row for row in rows if (around.at - row.since).total_seconds() > bound]
    if late:
        first = min(late, key=lambda row: row.since)
        waits = (around.at - first.since).total_seconds()
        seen.append(
            Seen(
                alert_class=AlertClass.INGEST_LAG,
                scope_type=ScopeType.PRODUCT,
                scope_id="runs",
                severity=DEFAULTS[AlertClass.INGEST_LAG].severity,
                summary=f"Runs of {len(late)} organisation{'' if len(late) == 1 else 's'} should be finished and are not, the "
                f"oldest for {_ago(waits)}: "
                "alerts, quality and spend see them late.",
                value=waits,
                threshold=bound,
                unit="seconds",
                since=first.since,
                data={"organisations": len(late)},
            )
        )
    for row in refused:
        most = around.setting(AlertClass.INGEST_LAG, row.tenant).params["dead_letters"]
        if row.count < most:
            continue
        seen.append(
            Seen(
                alert_class=AlertClass.INGEST_LAG,
                scope_type=ScopeType.TENANT,
                scope_id="dead letters",
                about_tenant=row.tenant,
                severity=Severity.SEV3,
                summary=f"{row.count} messages of {around.of(row.tenant)} could not be taken in the last hour, most of them "
                f"because of {row.code.replace('_', ' ')}.",
                value=float(row.count),
                threshold=most,
                unit="messages an hour",
                since=row.since,
                data={"code": row.code},
            )
        )
    return Look(seen=seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted:
    """A drift finding that goes on. Its sentence is ours: agents and figures, no text of users or models."""

    id: uuid.UUID
    tenant: uuid.UUID
    agent: str
    fingerprint: str
    sentence: str
    metric: str
    effect: float
    found_at: datetime
    last_seen_at: datetime
    version: str = ""
    samples: tuple[SampleRun, ...] = ()


def see_drift(rows: Iterable[Drifted], around: Around) -> Look:
    seen, still, known = [], set(), {}
    for row in rows:
        looked = Seen(
            alert_class=AlertClass.DRIFT,
            scope_type=ScopeType.AGENT,
            scope_id=row.fingerprint,
            about_tenant=row.tenant,
            agent=row.agent,
            severity=DEFAULTS[AlertClass.DRIFT].severity,
            summary=f"{around.of(row.tenant)}: {row.sentence}",
            value=abs(row.effect),
            threshold=0.0,
            unit="standard deviations",
            since=row.found_at,
            data={"metric": row.metric},
            source={"kind": "drift_finding", "id": str(row.id)},
            runs=row.samples,
        )
        mark = str(row.id)
        known[mark] = row.last_seen_at.isoformat()
        if around.known.get(mark) == known[mark]:
            still.add(looked.fingerprint)
        else:
            seen.append(looked)
    return Look(seen=seen, still=still, known=known)


def _ago(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
