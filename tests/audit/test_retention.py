"""Entries go when their time is over, along the tree; what is held stays, and the tree stays whole."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections

from agentops.common import clock
from agentops.common.errors import InvalidInput, NotFound
from agentops.common.scope import tenant_scope
from audit import queries, services, tasks
from audit.models import Blob, Entry
from audit.services import retention
from audit.types import Actor
from tests.audit.logs import Log, entry
from tests.world import OPERATOR, World

# The world's own entries are old, too: they are the first of the tree.
OLD = clock.now()
NOW = OLD + timedelta(days=20)
HORIZON = NOW - timedelta(days=10)


@pytest.fixture
def log(world: World) -> Log:
    """Acme's log, without what making the world left."""
    found = Log(world.acme)
    while found.seal(at=OLD):
        pass
    return found


def write(log: Log, count: int, at: Any, **changes: Any) -> list[uuid.UUID]:
    made = [entry(number, at=at + timedelta(microseconds=number), **changes) for number in range(count)]
    with tenant_scope(log.id):
        services.record_many(tenant=log.id, entries=made)
    log.seal(at=at)
    return [one.id for one in made]


def there(log: Log, ids: list[uuid.UUID]) -> list[uuid.UUID]:
    with tenant_scope(log.id):
        return list(
            Entry.objects.filter(tenant_id=log.id, id__in=ids).order_by("recorded_at").values_list("id", flat=True)
        )


def prune(log: Log) -> int:
    count = 0
    while passed := services.prune(tenant=log.id, before=HORIZON, at=NOW):
        count += passed
    return count


def pruned(log: Log) -> list[dict[str, Any]]:
    with tenant_scope(log.id):
        return [
            one.told() for one in Entry.objects.filter(tenant_id=log.id, action="audit.pruned").order_by("recorded_at")
        ]


def test_what_is_older_goes_and_says_so_and_the_rest_stays(log: Log) -> None:
    before = len(log.leaves())
    old, young = write(log, 30, OLD), write(log, 5, NOW)
    leaves, root = log.leaves(), log.root()
    assert prune(log) >= 30
    assert there(log, old) == [] and there(log, young) == young
    assert [leaf.leaf_hash for leaf in log.leaves()] == [leaf.leaf_hash for leaf in leaves], "leaves stay for ever"
    assert log.root() == root
    assert log.head().pruned_below <= before + 30
    [said] = pruned(log)
    assert said["below_leaf"] == log.head().pruned_below and said["entries"] >= 30 and said["kept"] == 0
    assert prune(log) == 0
    assert len(pruned(log)) == 1, "nothing to delete is nothing to say"


def test_a_pruned_log_goes_on_and_its_proofs_still_hold(log: Log, world: World) -> None:
    write(log, 300, OLD)
    [young] = write(log, 1, NOW)
    prune(log)
    write(log, 3, NOW + timedelta(seconds=1))
    with tenant_scope(log.id):
        assert queries.inclusion(tenant=log.id, entry_id=young) is not None


def test_blobs_go_with_their_entries(log: Log) -> None:
    [old] = write(log, 1, OLD, action="tenant.settings_changed", data={"changes": "x" * 20_000})
    with tenant_scope(log.id):
        assert Blob.objects.filter(tenant_id=log.id, entry_id=old).exists()
    prune(log)
    with tenant_scope(log.id):
        assert not Blob.objects.filter(tenant_id=log.id).exists()


def test_a_hold_on_a_run_keeps_its_entries_until_it_is_lifted(log: Log) -> None:
    run, other = uuid.uuid4(), uuid.uuid4()
    held, free = write(log, 3, OLD, run=run), write(log, 3, OLD + timedelta(minutes=1), run=other)
    write(log, 1, NOW)
    with tenant_scope(log.id):
        hold = services.set_hold(tenant=log.id, run=run, reason="case 12", by=OPERATOR, at=NOW)
    prune(log)
    assert there(log, held) == held and there(log, free) == []
    assert pruned(log)[-1]["kept"] == 3
    with tenant_scope(log.id):
        services.lift_hold(tenant=log.id, hold=hold.id, reason="closed", by=OPERATOR, at=NOW)
    services.prune(tenant=log.id, before=HORIZON, at=NOW)
    assert there(log, held) == []
    assert pruned(log)[-1]["entries"] == 3


def test_a_hold_on_the_whole_log_keeps_everything(log: Log) -> None:
    old = write(log, 3, OLD)
    write(log, 1, NOW)
    with tenant_scope(log.id):
        services.set_hold(tenant=log.id, run=None, reason="case 13", by=OPERATOR, at=NOW)
    assert prune(log) == 0
    assert there(log, old) == old
    assert log.head().pruned_below == 0 and pruned(log) == []


def test_what_later_entries_are_checked_with_stays(log: Log) -> None:
    with tenant_scope(log.id):
        services.record_many(
            tenant=log.id,
            entries=[
                entry(
                    at=OLD,
                    action="audit.key_rotated",
                    data=dict.fromkeys(("old", "new", "public_key", "signature"), "a"),
                )
            ],
        )
    log.seal(at=OLD)
    write(log, 1, NOW)
    prune(log)
    with tenant_scope(log.id):
        assert Entry.objects.filter(tenant_id=log.id, action="audit.key_rotated").count() == 1


def test_entries_that_wait_for_their_place_are_not_deleted(log: Log) -> None:
    write(log, 2, NOW)
    [waiting] = log.write(1, at=OLD)
    prune(log)
    assert there(log, [waiting]) == [waiting]


def test_one_tenants_pruning_is_no_others(log: Log, world: World) -> None:
    other = Log(world.globex)
    theirs = write(other, 3, OLD)
    write(log, 3, OLD)
    write(log, 1, NOW)
    prune(log)
    assert there(other, theirs) == theirs


def test_who_is_killed_between_saying_and_deleting_deletes_and_says_it_once(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(log, 3, OLD)
    write(log, 1, NOW)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "_MOVE", "SELECT 1/0, %s, %s")
        with pytest.raises(Exception, match="division"):
            services.prune(tenant=log.id, before=HORIZON, at=NOW)
    assert there(log, old) == old, "the deletion was rolled back"
    assert len(pruned(log)) == 1, "what was said is committed"
    prune(log)
    assert there(log, old) == []
    assert len(pruned(log)) == 1


def test_the_job_keeps_what_the_plan_keeps_or_less_where_an_admin_said_so(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(log, 2, OLD)
    write(log, 1, NOW)
    monkeypatch.setattr(clock, "now", lambda: NOW)
    tasks.prune()
    assert there(log, old) == old
    monkeypatch.setattr(tasks, "PLAN_AUDIT_DAYS", dict.fromkeys(tasks.PLAN_AUDIT_DAYS, 10))
    tasks.prune()
    assert there(log, old) == []


def test_a_period_is_between_six_months_and_the_plans(world: World) -> None:
    for days in (0, 183, 397):
        with pytest.raises(InvalidInput) as refused, tenant_scope(world.acme.id):
            services.set_period(tenant=world.acme.id, days=days, most=396, by=OPERATOR, at=NOW)
        assert "184 to 396" in refused.value.problems[0].detail
    with tenant_scope(world.acme.id):
        services.set_period(tenant=world.acme.id, days=200, most=396, by=OPERATOR, at=NOW)
        services.set_period(tenant=world.acme.id, days=200, most=396, by=OPERATOR, at=NOW)
        assert queries.kept_days(tenant=world.acme.id, most=396) == 200
        assert queries.kept_days(tenant=world.acme.id, most=184) == 184, "a smaller plan keeps less"
    assert world.acme.entries()[-1].told() == {"days": 200, "old_days": 396}
    assert world.acme.actions() == ["audit.retention_set"]


def test_a_hold_needs_a_reason_and_leaves_its_entries(world: World) -> None:
    run = uuid.uuid4()
    by = Actor(type="user", id="user:1", label="ada@acme.example")
    with tenant_scope(world.acme.id):
        with pytest.raises(InvalidInput):
            services.set_hold(tenant=world.acme.id, run=run, reason=" ", by=by, at=NOW)
        hold = services.set_hold(tenant=world.acme.id, run=run, reason="case 7", by=by, at=NOW)
        services.lift_hold(tenant=world.acme.id, hold=hold.id, reason="", by=by, at=NOW)
        services.lift_hold(tenant=world.acme.id, hold=hold.id, reason="", by=by, at=NOW)
        with pytest.raises(NotFound):
            services.lift_hold(tenant=world.acme.id, hold=uuid.uuid4(), reason="", by=by, at=NOW)
    assert world.acme.actions() == ["audit.hold_set", "audit.hold_lifted"]
    assert world.acme.entries()[0].told()["run"] == run.hex


def test_old_checkpoints_are_thinned_to_one_an_hour_and_the_last_of_each_key(log: Log) -> None:
    start = NOW - timedelta(days=40)
    start = start.replace(minute=0, second=0)
    with connections["owner"].cursor() as cursor:
        cursor.execute("DELETE FROM audit_checkpoint WHERE tenant_id = %s", [log.id])
        for size, (minutes, key) in enumerate(
            [(0, "a"), (10, "a"), (20, "b"), (50, "b"), (70, "b"), (80, "b")], start=1
        ):
            cursor.execute(
                "INSERT INTO audit_checkpoint (tenant_id, tree_size, root, sealed_at, key_id, note) VALUES (%s, %s, %s, %s, %s, '')",
                [log.id, size, bytes(32), start + timedelta(minutes=minutes), key],
            )
        cursor.execute(
            "INSERT INTO audit_checkpoint (tenant_id, tree_size, root, sealed_at, key_id, note) VALUES (%s, 7, %s, %s, 'b', '')",
            [log.id, bytes(32), NOW],
        )
    assert services.thin_checkpoints(tenant=log.id, at=NOW) == 3
    assert [one.tree_size for one in log.checkpoints()] == [2, 4, 6, 7]


def test_the_leaf_of_a_young_entry_that_was_sealed_early_stops_the_pruning(log: Log) -> None:
    """Leaves are nearly in the order of time: what lies behind a young one waits for it."""
    first = write(log, 2, OLD)
    young = write(log, 1, NOW)
    late = write(log, 2, OLD + timedelta(minutes=1))
    prune(log)
    assert there(log, first) == [] and there(log, young) == young and there(log, late) == late


def test_new_entries_of_many_at_once_are_pruned_batch_by_batch(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 10)
    old = write(log, 35, OLD)
    write(log, 1, NOW)
    passes = 0
    while services.prune(tenant=log.id, before=HORIZON, at=NOW):
        passes += 1
    assert passes >= 4 and there(log, old) == []
    assert sum(said["entries"] for said in pruned(log)) >= 35
