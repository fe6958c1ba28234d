"""`kill -9` of the process that writes an export, again and again: at the end every entry is in it once."""

from __future__ import annotations

import gzip
import json
import random
import signal
import subprocess
import sys
import time
import uuid

import pytest

from agentops.common import clock
from agentops.common.scope import tenant_scope
from audit import queries, services
from audit.formats import sha256
from audit.models import Export, ExportPart
from audit.searching import Filters
from audit.types import ExportFormat, ExportState
from tests import engines
from tests.audit.logs import Log
from tests.world import World

pytestmark = pytest.mark.fault

ROUNDS, ENTRIES, PART = 6, 6_000, 100

# The worker, with small parts, so that there are many places to be killed at.
_WORK = f"""
import django, sys
django.setup()
from audit import tasks
from audit.queries import exports
from audit.services import exporting
exporting.PART_ROWS, exports.WINDOW = {PART}, {PART}
tasks.write_exports()
"""


def test_an_export_whose_writer_is_killed_again_and_again_has_every_entry_once(
    world: World, django_db_setup: str
) -> None:
    log, chance = Log(world.acme), random.Random(5)
    ids = log.write(ENTRIES)
    with tenant_scope(log.id):
        filters = Filters.parse({"action": "ingest.discarded"})
        export = services.ask_export(
            tenant=log.id, form=ExportFormat.NDJSON, filters=filters, by=world.ada.actor, at=clock.now()
        ).id
    log.seal()
    killed, written = 0, [0]
    for _ in range(ROUNDS):
        worker = _worker(django_db_setup)
        _until_it_has_written(log, export, more_than=written[-1])
        time.sleep(chance.uniform(0, 0.05))
        worker.kill()
        killed += worker.wait(60) == -signal.SIGKILL
        written.append(_after_the_claim(log, export))
    assert killed == ROUNDS, "it was killed in the middle"
    assert written == sorted(written), "what was written stays"
    assert _worker(django_db_setup).wait(120) == 0

    with tenant_scope(log.id):
        found = queries.export(tenant=log.id, export=export)
        rows = list(ExportPart.objects.filter(tenant_id=log.id, export_id=export).order_by("number"))
    assert (found.state, found.rows_written) == (ExportState.DONE, ENTRIES)
    contents = {row.name: bytes(row.content) for row in rows}
    lines = [line for name in contents if name.startswith("entries-") for line in _lines(contents[name])]
    assert [json.loads(line)["id"] for line in lines] == [str(each) for each in ids]
    for file in json.loads(contents["manifest.json"])["files"]:
        assert sha256(contents[file["name"]]) == file["sha256"]


def _worker(database: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORK],
        env={**engines.environment(database), "DJANGO_SETTINGS_MODULE": "tests.settings"},
    )


def _until_it_has_written(log: Log, export: uuid.UUID, *, more_than: int) -> None:
    until = time.monotonic() + 60
    while _written(log, export) <= more_than:
        assert time.monotonic() < until, "it wrote no part"
        time.sleep(0.005)


def _written(log: Log, export: uuid.UUID) -> int:
    with tenant_scope(log.id):
        return queries.export(tenant=log.id, export=export).rows_written


def _after_the_claim(log: Log, export: uuid.UUID) -> int:
    """Five minutes later: how many entries are written."""
    with tenant_scope(log.id):
        Export.objects.filter(tenant_id=log.id, id=export, state=ExportState.RUNNING).update(claimed_until=clock.now())
    return _written(log, export)


def _lines(content: bytes) -> list[bytes]:
    return gzip.decompress(content).splitlines()
