"""That the tests of this folder would notice: the same trial on a table whose protection was taken away."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from agentops.common.scope import tenant_scope
from tests import engines
from tests.isolation.rows import insert
from tests.isolation.test_tables import OWNED, refused, seen
from tests.world import World

TABLE = "tenants_enduser"


@pytest.fixture
def laid_open(world: World, django_db_setup: str) -> Iterator[psycopg.Connection[object]]:
    """A table that somebody forgot to protect."""
    with psycopg.connect(**{**engines.superuser(), "dbname": django_db_setup}, autocommit=True) as superuser:
        superuser.execute(f"ALTER TABLE {TABLE} DISABLE ROW LEVEL SECURITY")
        try:
            yield superuser
        finally:
            superuser.execute(f"ALTER TABLE {TABLE} ENABLE ROW LEVEL SECURITY")
    superuser.close()


def test_a_table_without_row_security_is_noticed_by_a_read_and_by_a_write(world: World, laid_open: object) -> None:
    for organisation in (world.acme, world.globex):
        with tenant_scope(organisation.id):
            insert(OWNED[TABLE], organisation.id)
    with tenant_scope(world.acme.id):
        assert seen(TABLE) == {world.acme.id, world.globex.id}
    with pytest.raises(pytest.fail.Exception), refused():
        insert(OWNED[TABLE], world.acme.id)
