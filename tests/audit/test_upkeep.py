"""What follows sealing: another key, a heartbeat a day, a manifest for each run, and a finding where it lags."""

from __future__ import annotations

import base64
import hashlib
import itertools
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import IntegrityError, connections

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import checking, keys, notes, queries, services, tasks, verifier
from audit.errors import KeyMissing
from audit.keys import SignsAs
from audit.models import Entry, SigningKey
from audit.services import rotation
from audit.types import SYSTEM, Actor, Outcome, Target
from tests.audit.logs import Log, assert_one_whole_history, entry
from tests.runtime.guarded import MANIFEST, Caller, apply
from tests.world import World

AGENT = Actor("agent", "agent:desk", "desk")


@pytest.fixture
def log(world: World) -> Log:
    found = Log(world.acme)
    found.seal()
    return found


@pytest.fixture
def new_key(log: Log, settings: Any, tmp_path: Path) -> SignsAs:
    """A key beside the present one."""
    shutil.copytree(settings.AUDIT_KEY_DIR, tmp_path / "keys")
    settings.AUDIT_KEY_DIR = str(tmp_path / "keys")
    return keys.make(name="tests.example/audit", at=clock.now())


def entries(log: Log, action: str) -> list[Entry]:
    return [found for found in log.organisation.entries() if found.action == action]


# -- another key ------------------------------------------------------------------------------------------------------


def test_the_new_key_is_named_by_an_entry_under_a_checkpoint_of_the_old_one(log: Log, new_key: SignsAs) -> None:
    old = keys.get(log.head().key_id)
    log.write(2)
    assert services.rotate_key(tenant=log.id, new_key_id=new_key.id, at=clock.now())
    [told] = entries(log, "audit.key_rotated")
    said = told.told()
    assert (said["old"], said["new"]) == (old.id, new_key.id)
    assert said["public_key"] == base64.b64encode(new_key.public).decode()
    text = verifier.rotation_text(str(log.id), new_key.public)
    Ed25519PublicKey.from_public_bytes(old.public).verify(base64.b64decode(said["signature"]), text)
    assert log.leaves()[-1].entry_id == told.id and log.pending() == []
    assert notes.is_signed_by(log.checkpoints()[-1].note, old)
    log.write(1)
    log.seal()
    assert notes.is_signed_by(log.checkpoints()[-1].note, new_key)
    assert log.head().key_id == new_key.id


def test_rotating_again_changes_nothing(log: Log, new_key: SignsAs) -> None:
    assert services.rotate_key(tenant=log.id, new_key_id=new_key.id, at=clock.now())
    assert not services.rotate_key(tenant=log.id, new_key_id=new_key.id, at=clock.now())
    assert len(entries(log, "audit.key_rotated")) == 1


def test_a_rotation_that_is_killed_or_raced_leaves_the_old_key_nothing_to_sign_behind_its_entry(
    log: Log, new_key: SignsAs, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    def raced(*given: Any) -> Any:
        placed = place(*given)
        if placed is not None:
            log.write(2)
        return placed

    place = rotation.sealing.place
    with monkeypatch.context() as patch:
        patch.setattr(rotation.sealing, "publish", killed)
        with pytest.raises(Killed):
            services.rotate_key(tenant=log.id, new_key_id=new_key.id, at=clock.now())
    for _ in range(2):
        log.write(3)
        log.seal()
    assert log.head().key_id != new_key.id and entries(log, "audit.key_rotated") == []
    log.write(1)
    with monkeypatch.context() as patch:
        patch.setattr(rotation.sealing, "BATCH", 2)
        patch.setattr(rotation.sealing, "place", _at_most(3, raced, place))
        assert services.rotate_key(tenant=log.id, new_key_id=new_key.id, at=clock.now())
    log.seal()
    assert len(entries(log, "audit.key_rotated")) == 1 and log.head().key_id == new_key.id
    assert checking.check(tenant=log.id).findings == []


def _at_most(times: int, first: Callable[..., Any], then: Callable[..., Any]) -> Callable[..., Any]:
    """One function for so many calls, and another one for those that follow."""
    calls = itertools.count()
    return lambda *given: (first if next(calls) < times else then)(*given)


def test_all_organisations_rotate_and_the_old_key_is_retired(log: Log, new_key: SignsAs, world: World) -> None:
    Log(world.globex).seal()
    log.execute("UPDATE audit_head SET key_id = %s", (old := log.head().key_id))  # globex began with the newest
    assert services.rotate_keys(new_key_id=new_key.id, at=clock.now()) == 2
    assert services.rotate_keys(new_key_id=new_key.id, at=clock.now()) == 0
    retired = {key.id: key.retired_at for key in queries.public_keys()}
    assert retired[old] is not None and retired[new_key.id] is None


def test_a_key_is_not_retired_while_a_tree_is_signed_with_it(log: Log, new_key: SignsAs, world: World) -> None:
    old = log.head().key_id
    Log(world.globex).seal()
    log.execute("UPDATE audit_head SET key_id = %s WHERE tenant_id = %s", old, world.globex.id)
    services.rotate_key(tenant=log.id, new_key_id=new_key.id, at=clock.now())
    with pytest.raises(KeyMissing):
        services.rotate_keys(new_key_id="0" * 16, at=clock.now())
    assert SigningKey.objects.get(key_id=old).retired_at is None


# -- a heartbeat ------------------------------------------------------------------------------------------------------


def test_the_heartbeat_says_how_far_the_tree_was_and_what_the_day_sealed(log: Log) -> None:
    midnight = datetime.combine(clock.now().date(), datetime.min.time(), tzinfo=UTC) + timedelta(days=2)
    before = log.head().tree_size
    for count, at in ((3, midnight - timedelta(hours=20)), (4, midnight - timedelta(hours=1)), (5, midnight)):
        log.write(count, at=at)
        log.seal(at=at)
    assert services.beat(tenant=log.id, at=midnight + timedelta(hours=1))
    [told] = entries(log, "audit.heartbeat")
    day = f"{midnight - timedelta(days=1):%Y-%m-%d}"
    assert told.told() == {"day": day, "entries": 7, "tree_size": before + 7}


def test_a_day_has_one_heartbeat(log: Log) -> None:
    at = clock.now() + timedelta(days=1)
    assert services.beat(tenant=log.id, at=at)
    assert not services.beat(tenant=log.id, at=at)
    log.execute("UPDATE audit_head SET heartbeat_on = NULL WHERE tenant_id = %s", log.id)  # killed before its commit
    assert not services.beat(tenant=log.id, at=at)
    assert services.beat(tenant=log.id, at=at + timedelta(days=1))
    assert len(entries(log, "audit.heartbeat")) == 2


def test_the_day_on_which_a_log_begins_is_not_told_of_before_it_is_over(log: Log) -> None:
    assert not services.beat(tenant=log.id, at=clock.now())
    assert services.beat(tenant=log.id, at=clock.now() + timedelta(days=1))


def test_the_task_beats_for_every_organisation_that_has_a_tree(log: Log, world: World) -> None:
    other = Log(world.globex)
    for tree, at in ((log, clock.now()), (other, clock.now() - timedelta(days=1))):
        tree.write(1)
        tree.seal(at=at)
    assert tasks.heartbeat() == 1, "the other log began today"
    assert [len(entries(tree, "audit.heartbeat")) for tree in (log, other)] == [0, 1]
    assert tasks.heartbeat() == 0


# -- manifests --------------------------------------------------------------------------------------------------------


def write_run(log: Log, run: uuid.UUID, *, at: datetime) -> list[uuid.UUID]:
    """A run of two calls of tools, a refusal and an agreement; answers its entries."""
    called = {"call": "t", "outcome": "ok", "external_system": "", "external_id": "", "idempotency_key": ""}
    run_of: dict[str, Any] = {"actor": AGENT, "run": run, "at": at, "target": Target("run", run.hex)}
    made = [
        entry(
            **run_of, action="run.refused", outcome=Outcome.DENIED, data={"code": "x", "agent_version": "1", "key": ""}
        ),
        entry(**run_of, action="tool.called", data=called),
        entry(**run_of, action="tool.called", data=called),
        entry(
            **{**run_of, "actor": SYSTEM},
            action="approval.confirmed",
            data={"tool": "refund", "action_digest": "", "view_digest": ""},
        ),
        entry(**run_of, action="run.ended", data={"status": "ok", "code": ""}),
    ]
    with tenant_scope(log.id):
        services.record_many(tenant=log.id, entries=made)
    return [one.id for one in made]


def manifests(log: Log, at: datetime) -> int:
    with tenant_scope(log.id):
        return services.write_manifests(tenant=log.id, at=at)[0]


def test_a_run_that_ended_gets_a_manifest_of_its_entries(log: Log) -> None:
    at, run = clock.now(), uuid.uuid4()
    ids = write_run(log, run, at=at)
    write_run(log, uuid.uuid4(), at=at)
    log.seal(at=at)
    assert manifests(log, at + timedelta(seconds=59)) == 0, "the last result may be on its way"
    assert manifests(log, at + timedelta(minutes=1)) == 2
    [made] = [found for found in entries(log, "run.manifest") if found.run_id == run]
    places = {leaf.entry_id: leaf.leaf_index for leaf in log.leaves()}
    assert made.told() == {
        "entries": 5,
        "actions": 2,
        "refusals": 1,
        "approvals": 1,
        "last_entry": str(max(ids, key=places.__getitem__)),
        "digest": hashlib.sha256("".join(f"{one}\n" for one in sorted(map(str, ids))).encode()).hexdigest(),
    }
    assert (made.actor_id, made.target_type, made.target_id) == ("agent:desk", "run", run.hex)


def test_a_run_has_one_manifest_however_often_it_is_looked_at(log: Log) -> None:
    at, run = clock.now(), uuid.uuid4()
    write_run(log, run, at=at)
    log.seal(at=at)
    assert manifests(log, at + timedelta(minutes=2)) == 1
    write_run(log, run, at=at + timedelta(minutes=3))  # the end came a second time
    log.seal(at=at + timedelta(minutes=3))
    assert manifests(log, at + timedelta(minutes=5)) == 0
    log.execute("UPDATE audit_manifestcursor SET next_leaf = 0 WHERE tenant_id = %s", log.id)
    assert manifests(log, at + timedelta(minutes=5)) == 0


def test_an_end_that_is_committed_long_after_its_time_is_found(log: Log) -> None:
    at = clock.now()
    log.write(5, at=at)
    log.seal(at=at)
    assert manifests(log, at + timedelta(minutes=2)) == 0
    write_run(log, uuid.uuid4(), at=at - timedelta(days=1))
    log.seal(at=at + timedelta(minutes=2))
    assert manifests(log, at + timedelta(minutes=4)) == 1


def test_a_guarded_run_leaves_a_manifest(world: World, log: Log) -> None:
    apply(world.acme, MANIFEST)
    run = Caller(world.acme).run()
    run.finish()
    log.seal(at=clock.now() - timedelta(minutes=2))
    assert tasks.write_manifests() == 1
    assert tasks.write_manifests() == 0
    [made] = entries(log, "run.manifest")
    with tenant_scope(log.id):
        held = Entry.objects.filter(tenant_id=log.id, run_id=made.run_id).exclude(action="run.manifest").count()
    assert made.told()["entries"] == held >= 2
    log.seal()
    assert tasks.write_manifests() == 0


def test_manifests_of_one_organisation_that_break_are_nobody_elses_trouble(log: Log, world: World) -> None:
    logs = (log, Log(world.globex))
    for one in logs:
        write_run(one, uuid.uuid4(), at=clock.now() - timedelta(minutes=5))
        one.seal(at=clock.now() - timedelta(minutes=2))
    log.execute(
        f"ALTER TABLE audit_manifestcursor ADD CONSTRAINT broken CHECK (tenant_id <> '{log.id}' OR next_leaf = 0)"
    )
    try:
        with pytest.raises(IntegrityError):
            tasks.write_manifests()
    finally:
        log.execute("ALTER TABLE audit_manifestcursor DROP CONSTRAINT broken")
    assert [len(entries(one, "run.manifest")) for one in logs] == [0, 1]
    assert tasks.write_manifests() == 1


# -- the sweep --------------------------------------------------------------------------------------------------------


def test_the_sweep_seals_what_waits_in_every_organisation(log: Log, world: World) -> None:
    other = Log(world.globex)
    log.write(3)
    waiting = len(log.pending()) + len(other.pending())
    assert tasks.seal_waiting() == waiting > 3
    assert log.pending() == other.pending() == []
    assert tasks.seal_waiting() == 0


def test_the_doorbell_seals_one_organisation(log: Log, world: World) -> None:
    other = len(Log(world.globex).pending())
    log.write(2)
    assert tasks.seal(tenant_id=str(log.id)) == 2
    assert len(Log(world.globex).pending()) == other > 0


def test_one_organisations_trouble_is_not_anothers_and_ends_when_it_is_mended(log: Log, world: World) -> None:
    log.write(1)
    log.execute("UPDATE audit_head SET tree_size = tree_size + 1 WHERE tenant_id = %s", log.id)
    assert tasks.seal_waiting() == len(Log(world.globex).leaves()) > 0
    assert [finding.kind for finding in log.findings(ended_at=None)] == ["unsealable"]
    log.execute("UPDATE audit_head SET tree_size = tree_size - 1 WHERE tenant_id = %s", log.id)
    assert tasks.seal_waiting() == 1
    assert log.findings(ended_at=None) == [] and len(log.findings()) == 1


def test_what_waits_for_more_than_five_minutes_is_found_until_it_is_sealed(
    log: Log, settings: Any, tmp_path: Path
) -> None:
    there, settings.AUDIT_KEY_DIR = settings.AUDIT_KEY_DIR, str(tmp_path)
    log.write(1, at=clock.now() - timedelta(minutes=4))
    tasks.seal_waiting()
    assert [finding.kind for finding in log.findings(ended_at=None)] == ["unsealable"]
    log.write(1, at=clock.now() - timedelta(minutes=7))
    for _ in range(2):
        tasks.seal_waiting()
    [lag] = log.findings(kind="sealing_lag")
    assert "7 min" in lag.detail and lag.ended_at is None and lag.last_seen_at > lag.found_at
    with tenant_scope(log.id):
        state = queries.sealing_state(tenant=log.id)
    assert state.waiting == 2 and state.is_late(clock.now())
    assert {finding.kind for finding in state.findings} == {"unsealable", "sealing_lag"}
    settings.AUDIT_KEY_DIR = there
    tasks.seal_waiting()
    assert log.findings(ended_at=None) == []


def test_the_quick_sweep_begins_near_the_last_leaf_and_leaves_who_came_late_to_the_other(
    log: Log, world: World
) -> None:
    log.write(1)
    assert tasks.seal_lately() == len(Log(world.globex).leaves()) + 1 > 1, "one of them had no tree yet"
    log.write(2, at=clock.now() - timedelta(seconds=90))
    assert tasks.seal_lately() == 2
    late = log.write(1, at=clock.now() - timedelta(minutes=4))
    assert tasks.seal_lately() == tasks.seal(tenant_id=str(log.id)) == 0 and log.pending() == late
    assert tasks.seal_waiting() == 1 and log.leaves()[-1].entry_id == late[0]
    assert_one_whole_history(log)


def test_the_quick_sweep_finds_a_backlog_of_hours_and_who_is_known_to_be_late(log: Log, settings: Any) -> None:
    """Nothing was sealed meanwhile, or what is late was found: then looks begin where it waits."""
    log.execute("UPDATE audit_leaf SET recorded_at = now() - interval '5 hours' WHERE tenant_id = %s", log.id)
    log.write(3, at=clock.now() - timedelta(hours=4))
    assert log.id in dict(queries.tenants_waiting(lately=True, using="owner"))
    services.seal(tenant=log.id, at=clock.now(), since=queries.looked_at_from(tenant=log.id, using="owner"), most=1)
    assert len(log.pending()) == 2, "the rest of a batch is not before where the next look begins"
    assert tasks.seal_lately() >= 2 and log.pending() == []
    log.write(1)
    log.seal()
    log.write(1, at=clock.now() - timedelta(hours=3))
    services.note_finding(tenant=log.id, kind=queries.LAGS, detail="known", at=clock.now())
    assert tasks.seal(tenant_id=str(log.id)) == 1
    assert tasks.seal_waiting() == 0 and log.findings(ended_at=None) == []


def test_rows_that_nothing_can_vacuum_are_not_walked_by_the_quick_looks(log: Log) -> None:
    """A dump keeps its snapshot open: what was sealed meanwhile stays in the index of what waits."""
    at, many = clock.now() - timedelta(hours=1), 15_000
    with another_snapshot():
        log.execute(
            "INSERT INTO audit_pending SELECT %s, %s::timestamptz + number * interval '0.1 seconds', gen_random_uuid(), "
            "sha256(number::text::bytea) FROM generate_series(1, %s) AS number",
            log.id, at, many,
        )  # fmt: skip
        assert log.seal().count == many  # type: ignore[union-attr]
        log.execute("VACUUM ANALYZE audit_pending")
        log.write(1)
        whole = pages_read(lambda: queries.tenants_waiting(using="owner"))
        found: list[Any] = []
        quick = pages_read(lambda: found.extend(queries.tenants_waiting(lately=True, using="owner")))
        assert log.id in [tenant for tenant, _ in found]
        assert quick * 5 < whole
        assert pages_read(lambda: tasks.seal(tenant_id=str(log.id))) * 5 < whole and log.pending() == []


@contextmanager
def another_snapshot() -> Iterator[None]:
    given = connections["owner"].get_connection_params()
    with psycopg.connect(**{name: given[name] for name in ("host", "port", "user", "dbname")}) as old:
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        old.execute("SELECT FROM audit_pending")
        yield


def pages_read(work: Callable[[], object]) -> int:
    """How many pages of what waits, table and index, were looked at."""

    def read() -> int:
        with connections["owner"].cursor() as cursor:
            cursor.execute("SELECT pg_stat_force_next_flush()")
            cursor.execute(
                "SELECT pg_stat_get_blocks_fetched('audit_pending'::regclass) "
                "+ pg_stat_get_blocks_fetched('audit_pending_pkey'::regclass)"
            )
            return int(cursor.fetchone()[0])

    before = read()
    work()
    return read() - before
