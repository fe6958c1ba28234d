"""Evidence: complete by digest, taken through crashes, there when the runs are gone, and gone only when it is let go."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, connections

from agentops.common import clock
from agentops.common.errors import Conflict, InvalidInput
from agentops.common.ids import new_id
from agentops.common.scope import tenant_scope
from agentops.runtime import services as runtime
from agentops.runtime.types import SwitchMode, SwitchScope
from agentops.traces import services as traces
from incidents.models import Evidence, Incident, LegalHold, Snapshot, SnapshotRun, TimelineEntry
from incidents.queries import capturing, custody
from incidents.queries import evidence as queries
from incidents.services import evidence, taking
from incidents.types import EvidenceKind, IncidentStatus, SnapshotState
from tenants.house import HOUSE_ID, house_scope
from tests.incidents.cases import incident, refund_run
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import OPERATOR, World


def plan(world: World, about: Incident) -> Snapshot:
    with house_scope() as house:
        return evidence.plan_snapshot(
            tenant=house, incident_id=about.id, reason="declared", by=world.sam.actor, at=clock.now()
        )


def kept(about: Incident, kind: EvidenceKind) -> dict[str, bytes]:
    with house_scope():
        rows = list(Evidence.objects.filter(tenant_id=HOUSE_ID, incident_id=about.id, kind=kind))
        return {row.source: queries.content(row) or b"" for row in rows}


def verify(about: Incident) -> tuple[int, str]:
    out = StringIO()
    try:
        call_command("evidence", "verify", about.ref, stdout=out)
    except SystemExit as end:
        return int(end.code or 0), out.getvalue()
    return 0, out.getvalue()


def test_what_runs_held_is_kept_whole_and_outlives_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(world.acme, MANIFEST)
    guarded = Caller(world.acme).run()
    guarded.look_up()
    plain = [refund_run(world.acme, f"ord_{number}", user=f"u-{number}") for number in range(3)]
    other = refund_run(world.acme, "ord_9", version="2")
    theirs = refund_run(world.globex, "ord_77")
    gone = new_id()
    named = [
        {"tenant": str(world.acme.id), "run": plain[0].hex, "step": 3},
        {"tenant": str(world.acme.id), "run": guarded.uuid.hex},
        {"tenant": world.globex.id.hex, "run": theirs.hex},
        {"tenant": str(world.acme.id), "run": gone.hex},
        {"tenant": "no id", "run": 5}, "nothing", {"run": plain[1].hex},
    ]  # fmt: skip
    with tenant_scope(world.acme.id):
        switch = {
            "scope_kind": SwitchScope.USER,
            "scope_id": "u-9",
            "mode": SwitchMode.BLOCK_NEW,
            "reason": "for the drill",
        }
        runtime.set_switch(tenant=world.acme.id, by=OPERATOR, at=clock.now(), **switch)
    about = incident(world, runs=named)
    made = plan(world, about)
    assert plan(world, about).id == made.id, "while it is taken, asking again is the same"

    # The worker dies after the first slice: what was kept stays, and the next worker goes on.
    monkeypatch.setattr(taking, "SLICE_RUNS", 2)
    read, slices = capturing.documents_of_runs, iter([True, False])

    def dying(**said: Any) -> capturing.Captured:
        if not next(slices):
            raise RuntimeError("the machine went away")
        return read(**said)

    with monkeypatch.context() as dies:
        dies.setattr(capturing, "documents_of_runs", dying)
        with pytest.raises(RuntimeError):
            taking.take(made.id)
    with house_scope():
        half = Snapshot.objects.get(id=made.id)
        assert (half.state, half.runs) == (SnapshotState.PLANNED, 6) and "went away" in half.error
        assert SnapshotRun.objects.filter(snapshot=half, captured_at__isnull=False).count() == 2
        assert queries.snapshots_due(tenant=HOUSE_ID) == [made.id]
    late = refund_run(world.acme, "ord_late")  # the plan is frozen: it does not join

    def as_worker(_: int) -> bool:
        try:
            return taking.take(made.id)
        finally:
            connection.close()

    with ThreadPoolExecutor(
        4
    ) as workers:  # whoever was asked, and sweeps: none fails, and nothing is kept or told twice
        assert True in list(workers.map(as_worker, range(4)))
    assert not taking.take(made.id)

    with house_scope():
        whole = Snapshot.objects.get(id=made.id)
        assert (whole.state, whole.is_cut, whole.error) == (SnapshotState.COMPLETE, False, "")
        planned = {row.run_id: row.is_missing for row in whole.plan.all()}
        texts = list(TimelineEntry.objects.filter(incident_id=about.id).values_list("text", flat=True))
    assert planned == {**dict.fromkeys([*plain, guarded.uuid, theirs], False), gone: True}
    assert other not in planned and late not in planned
    assert texts == [f"Evidence of 5 runs is kept: {whole.items} items; 1 of the plan had been deleted before"]

    traced = kept(about, EvidenceKind.TRACE)
    assert set(traced) == {f"run:{run.hex}" for run in (*plain, theirs)}, "a guarded run without spans has no trace"
    lines = [json.loads(line) for line in traced[f"run:{plain[1].hex}"].splitlines()]
    spans = [line for line in lines if "span" in line]
    assert [span["span"]["tool"] for span in spans if span["span"]["tool"]] == ["refund"]
    assert next(span for span in spans if span["span"]["tool"])["details"]["arguments"] == {"order_id": "ord_1"}
    calls = kept(about, EvidenceKind.TOOL_CALL)
    verbs = [next(iter(json.loads(line))) for line in calls[f"run:{guarded.uuid.hex}"].splitlines()]
    assert {"guarded_run", "guard_call", "decision"} <= set(verbs)
    effects = kept(about, EvidenceKind.SIDE_EFFECT)
    assert json.loads(effects[f"run:{theirs.hex}"])["id"] == "rf_ord_77"
    versions = kept(about, EvidenceKind.VERSION)
    assert list(versions) == ["version:refund-desk@1"] and versions["version:refund-desk@1"].count(b"tool_version") >= 3
    config = kept(about, EvidenceKind.CONFIG)
    assert b"for the drill" in config[f"organisation:{world.acme.id.hex}"] and b"masking_salt" not in b"".join(
        config.values()
    )
    assert list(kept(about, EvidenceKind.METRIC)) != []

    # Chain of custody: our own log, and that of each organisation with the digest of its own part.
    assert [entry.action for entry in world.globex.entries()].count("evidence.taken") == 1
    entry = next(entry for entry in world.acme.entries() if entry.action == "evidence.taken")
    with house_scope():
        manifest = queries.manifest_of(whole)
    assert json.loads(entry.data)["manifest"] == manifest.of(world.acme.id).digest != whole.manifest_digest
    assert verify(about)[0] == 0
    taking.tell(made.id)  # the worker died before it was noted that all were told
    assert [entry.action for entry in world.acme.entries()].count("evidence.taken") == 1

    # Retention deletes the runs; a resend or another worker cannot change what was kept.
    for organisation in (world.acme, world.globex):
        with tenant_scope(organisation.id):
            assert traces.apply_retention(
                tenant=organisation.id, before=(clock.now() + timedelta(days=2)).date(), at=clock.now()
            )
            left = capturing.documents_of_runs(tenant=organisation.id, runs=plain)
        assert left.missing == frozenset(plain)
    assert kept(about, EvidenceKind.TRACE) == traced
    code, said = verify(about)
    assert code == 0 and f"manifest {whole.manifest_digest}, the same in 3 logs" in said


def test_a_changed_byte_is_found_and_a_hold_is_let_go_only_when_the_incident_is_over(world: World) -> None:
    runs = [refund_run(world.acme, f"ord_{number}") for number in range(2)]
    about = incident(world, runs=[{"tenant": str(world.acme.id), "run": run.hex} for run in runs])
    made = plan(world, about)
    assert taking.take(made.id)
    release: dict[str, Any] = {"incident_id": about.id, "by": world.sam.actor, "at": clock.now()}
    with house_scope() as house, pytest.raises(Conflict, match="not over"):
        evidence.release_hold(tenant=house, reason="tidying", **release)
    with house_scope() as house, pytest.raises(InvalidInput):
        evidence.release_hold(tenant=house, reason=" \n", **release)

    trace = f"run:{runs[0].hex}"
    with connections["owner"].cursor() as owner:
        where = "WHERE incident_id = %s AND kind = 'trace' AND source = %s"
        owner.execute(f"SELECT body, sha256 FROM incidents_evidence {where}", [about.id, trace])
        body, digest = owner.fetchone()
        for wrong, expected in (
            ("body = '\\x00'", f"trace {trace} is not what was kept"),
            ("body = NULL", "1 items have no bytes, and nobody let them go"),
            (f"body = body, sha256 = '{uuid.uuid4().hex * 2}'", "one was added, removed or changed"),
        ):
            owner.execute(f"UPDATE incidents_evidence SET {wrong} {where}", [about.id, trace])
            code, said = verify(about)
            assert code == 1 and expected in said
            owner.execute(
                f"UPDATE incidents_evidence SET body = %s, sha256 = %s {where}",
                [body, digest, about.id, trace],
            )
    assert verify(about)[0] == 0

    with house_scope() as house:
        Incident.objects.filter(id=about.id).update(status=IncidentStatus.CLOSED)
        count = evidence.release_hold(tenant=house, reason="the case is settled", **release)
    with house_scope() as house, pytest.raises(Conflict, match="let go already"):
        evidence.release_hold(tenant=house, reason="again", **release)
    with house_scope():
        rows = list(Evidence.objects.filter(tenant_id=HOUSE_ID, incident_id=about.id))
        hold = LegalHold.objects.get(incident_id=about.id)
    assert count == len(rows) and all(row.body is None and row.sha256 for row in rows)
    assert hold.released_by == world.sam.email
    (checked,) = custody.check(about)
    assert (checked.released, checked.problems, checked.logs) == (count, [], 2)
    # A further snapshot has a hold of its own: what was let go before it is no damage, what goes missing under it is.
    assert taking.take(plan(world, about).id)
    first, second = custody.check(about)
    assert (first.released, first.problems, second.released, second.problems) == (count, [], 0, [])
    with connections["owner"].cursor() as owner:
        owner.execute("UPDATE incidents_evidence SET body = NULL WHERE incident_id = %s", [about.id])
    first, second = custody.check(about)
    assert first.problems == [] and second.problems == [
        f"{second.released} items have no bytes, and nobody let them go"
    ]


def test_a_long_run_is_kept_in_parts_and_a_busy_version_up_to_the_most(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capturing, "PART_SPANS", 4)
    monkeypatch.setattr(evidence, "MOST_RUNS", 2)
    runs = [refund_run(world.acme, *(f"ord_{number}" for number in range(9))) for _ in range(3)]
    about = incident(world, runs=[{"tenant": str(world.acme.id), "run": runs[0].hex}])
    assert taking.take(plan(world, about).id)
    with house_scope():
        whole = Snapshot.objects.get(incident_id=about.id)
        assert (whole.runs, whole.is_cut) == (2, True)
    parts = kept(about, EvidenceKind.TRACE)
    own = [parts[name] for name in sorted(parts) if runs[0].hex in name]
    assert len(own) == 3 and sum(text.count(b'"details":') for text in own) == 11
