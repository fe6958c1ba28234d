"""`kill -9` of a sealer: before and after each of its statements, and at random instants while entries come in."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentops.common import clock
from audit import keys
from tests import engines
from tests.audit.logs import Log, assert_named_before_they_sign, assert_one_whole_history
from tests.world import World

pytestmark = pytest.mark.fault

ROUNDS = 80
STATEMENTS = 4  # of one batch: lock the head, read the last checkpoint, place, move the head

# Loaded once; each sealer is a fork of it, with connections of its own.
_SEALERS = """
import os, random, signal, sys, time, uuid
import django
django.setup()
from django.db import connections
from agentops.common import clock
from audit import services

def forked(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(3)
    return pid
"""
_AT_A_STATEMENT = """
place, is_after = int(sys.argv[2]), sys.argv[3] == "after"
count = 0

def kill_at(execute, *given):
    global count
    if count == place and not is_after:
        os.kill(os.getpid(), signal.SIGKILL)
    found = execute(*given)
    if count == place:
        os.kill(os.getpid(), signal.SIGKILL)
    count += 1
    return found

def work():
    with connections["owner"].execute_wrapper(kill_at):
        services.seal(tenant=uuid.UUID(sys.argv[1]), at=clock.now())

_, status = os.waitpid(forked(work), 0)
assert os.WTERMSIG(status) == signal.SIGKILL, status
"""
_AT_RANDOM = """
tenants, keys, rounds = [uuid.UUID(one) for one in sys.argv[1].split(",")], sys.argv[2].split(","), int(sys.argv[3])
dice = random.Random(7)
for _ in range(rounds):
    seed = dice.random()
    done, told = os.pipe()

    def work():
        mine = random.Random(seed)
        while True:
            tenant, at = mine.choice(tenants), clock.now()
            if mine.random() < 0.2:
                services.rotate_key(tenant=tenant, new_key_id=mine.choice(keys), at=at)
            elif mine.random() < 0.1:
                services.beat(tenant=tenant, at=at)
            else:
                services.seal(tenant=tenant, at=at, most=mine.choice([1, 5, 500]))
            os.write(told, b".")

    pid = forked(work)
    os.close(told)
    assert os.read(done, 1) == b"."
    os.close(done)
    time.sleep(dice.uniform(0, 0.06))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, status
"""


def sealers(script: str, database: str, *arguments: object, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _SEALERS + script, *map(str, arguments)],
        env={**engines.environment(database), "DJANGO_SETTINGS_MODULE": "tests.settings", **environment},
        stdout=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("place", range(STATEMENTS))
def test_a_sealer_that_is_killed_at_a_statement_has_done_nothing(
    world: World, django_db_setup: str, place: int, when: str
) -> None:
    log = Log(world.acme)
    log.seal()
    written, before = log.write(300), (log.head().tree_size, len(log.checkpoints()), log.nodes())
    assert sealers(_AT_A_STATEMENT, django_db_setup, log.id, place, when).wait(60) == 0
    assert (log.head().tree_size, len(log.checkpoints()), log.nodes()) == before
    assert log.pending() == written and len(log.leaves()) == before[0]
    sealed = log.seal()
    assert sealed is not None and sealed.count == 300
    assert_one_whole_history(log)


def test_killed_at_random_nothing_is_lost_and_nothing_is_there_twice(
    world: World, django_db_setup: str, settings: Any, tmp_path: Path
) -> None:
    shutil.copytree(settings.AUDIT_KEY_DIR, tmp_path / "keys")
    settings.AUDIT_KEY_DIR = str(tmp_path / "keys")
    pair = [keys.newest().id, keys.make(name="tests.example/audit", at=clock.now()).id]
    logs = [Log(world.acme), Log(world.globex)]
    for log in logs:
        log.seal(at=clock.now() - timedelta(days=1))  # so that there is a day to tell of
    tenants = ",".join(str(log.id) for log in logs)
    running = sealers(
        _AT_RANDOM, django_db_setup, tenants, ",".join(pair), ROUNDS, AGENTOPS_AUDIT_KEY_DIR=str(tmp_path / "keys")
    )
    count = 0
    while running.poll() is None:
        for log in logs:
            log.write(3)
            count += 3
    assert running.returncode == 0 and count > ROUNDS
    assert sum(len(log.checkpoints()) for log in logs) > ROUNDS / 4, "they found too little to be killed at"
    for log in logs:
        assert_one_whole_history(log)
        assert_named_before_they_sign(log)
        assert log.organisation.actions().count("audit.heartbeat") == 1
