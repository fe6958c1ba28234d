"""Writers, sealers and rotations at once, over several organisations in one transaction: one history each, and whole."""

from __future__ import annotations

import random
import shutil
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections

from agentops.common import clock, scope
from agentops.common.scope import Scope, tenant_scope
from audit import keys, services, tasks
from tests.audit.logs import Log, assert_named_before_they_sign, assert_one_whole_history, entry
from tests.audit.test_upkeep import write_run
from tests.races.test_ingest_races import at_once, deadlocks
from tests.world import World

pytestmark = pytest.mark.race

WRITERS, SEALERS = 5, 3
TRANSACTIONS = 40


class Undone(Exception):
    pass


@pytest.fixture
def logs(world: World) -> list[Log]:
    """Two organisations of the world, and two that have nothing yet."""
    new = [Log(type(world.acme)(type(world.acme.tenant)(id=uuid.uuid4(), slug=f"new-{n}"))) for n in range(2)]
    return [Log(world.acme), Log(world.globex), *new]


def write_into(logs: list[Log], dice: random.Random) -> None:
    """One transaction that writes into several organisations, which no part of the product does: the order is the
    writer's own, so two who lock anything of a log would wait for each other."""
    chosen = dice.sample(logs, dice.randint(1, len(logs)))
    with tenant_scope(chosen[0].id):
        for log in chosen:
            _move_to(log.id)
            made = [entry(at=clock.now()) for _ in range(dice.choice([1, 1, 2, 25]))]
            services.record_many(tenant=log.id, entries=made)
            _empty_staging()
            time.sleep(dice.random() / 200)
        _move_to(chosen[0].id)
        if dice.random() < 0.1:
            raise Undone


def _move_to(tenant: uuid.UUID) -> None:
    scope._current.set(Scope(tenant_id=tenant))
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL app.tenant_id = '{tenant}'")


def _empty_staging() -> None:
    with connection.cursor() as cursor:
        for table in ("staging_audit_entry", "staging_audit_pending"):
            cursor.execute("SELECT to_regclass(%s)", [f"pg_temp.{table}"])
            if cursor.fetchone()[0]:
                cursor.execute(f"DELETE FROM {table}")


def written(logs: list[Log], seed: int) -> int:
    dice, undone = random.Random(seed), 0
    for _ in range(TRANSACTIONS):
        try:
            write_into(logs, dice)
        except Undone:
            undone += 1
    return undone


def until(over: threading.Event, work: Callable[[random.Random], Any], seed: int) -> int:
    dice, rounds = random.Random(seed), 0
    try:
        while not over.is_set():
            work(dice)
            rounds += 1
    finally:
        connections["owner"].close()
    return rounds


def race(logs: list[Log], *others: Callable[[random.Random], Any]) -> list[int]:
    """Writers against the others, who go on until the last writer is done; how often each of the others worked."""
    over, left, counting = threading.Event(), [WRITERS], threading.Lock()

    def writer(seed: int) -> int:
        try:
            return written(logs, seed)
        finally:
            with counting:
                left[0] -= 1
                if not left[0]:
                    over.set()

    before = deadlocks()
    came = at_once(
        [partial(writer, seed) for seed in range(WRITERS)]
        + [partial(until, over, work, 100 + seed) for seed, work in enumerate(others)]
    )
    assert deadlocks() == before
    assert sum(came[:WRITERS]) > 0, "no transaction was undone: the test shows less than it says"
    return came[WRITERS:]


def test_writers_and_sealers_of_several_organisations(logs: list[Log]) -> None:
    def seal(dice: random.Random) -> None:
        services.seal(tenant=dice.choice(logs).id, at=clock.now(), most=dice.choice([1, 7, 1000]))

    rounds = race(logs, *[seal] * SEALERS)
    assert min(rounds) > 5
    for log in logs:
        assert_one_whole_history(log)


def test_keys_that_rotate_meanwhile_are_named_before_they_sign(logs: list[Log], settings: Any, tmp_path: Path) -> None:
    shutil.copytree(settings.AUDIT_KEY_DIR, tmp_path / "keys")
    settings.AUDIT_KEY_DIR = str(tmp_path / "keys")
    pair = [keys.newest().id, keys.make(name="tests.example/audit", at=clock.now()).id]

    def seal(dice: random.Random) -> None:
        services.seal(tenant=dice.choice(logs).id, at=clock.now())

    def rotate(dice: random.Random) -> None:
        services.rotate_key(tenant=dice.choice(logs).id, new_key_id=dice.choice(pair), at=clock.now())

    race(logs, seal, rotate, rotate)
    for log in logs:
        assert_one_whole_history(log)
        assert_named_before_they_sign(log)
    assert any(len({checkpoint.key_id for checkpoint in log.checkpoints()}) == 2 for log in logs)


def test_who_writes_manifests_keeps_no_other_worker_waiting(logs: list[Log]) -> None:
    log, held, over = logs[0], threading.Event(), threading.Event()
    write_run(log, uuid.uuid4(), at=clock.now() - timedelta(minutes=5))
    log.seal(at=clock.now() - timedelta(minutes=2))

    def first() -> int:
        with tenant_scope(log.id):
            made, _ = services.write_manifests(tenant=log.id, at=clock.now())
            held.set()
            assert over.wait(20)
        return made

    def second() -> int:
        assert held.wait(20)
        try:
            return tasks.write_manifests()
        finally:
            over.set()

    assert at_once([first, second]) == [1, 0]
    assert tasks.write_manifests() == 0
