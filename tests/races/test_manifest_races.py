"""One manifest, applied by several at the same instant."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from agentops.catalog import manifest, services
from agentops.common.scope import tenant_scope
from tests.catalog.conftest import AT, EXAMPLE
from tests.world import OPERATOR, World

pytestmark = pytest.mark.race


def test_a_manifest_applied_by_many_at_once_is_applied_once(world: World) -> None:
    read, together, failures = manifest.read(EXAMPLE), threading.Barrier(4), []

    def apply_it() -> None:
        try:
            together.wait(30)
            with tenant_scope(world.acme.id):
                services.apply_manifest(tenant=world.acme.id, manifest=read, by=OPERATOR, at=AT, approve_tools=True)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=apply_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert failures == []
    assert len(world.acme.actions()) == 7
