"""Two owners who remove each other at the same instant."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from tenants import queries, services
from tests.world import Person, World

pytestmark = pytest.mark.race


@pytest.mark.parametrize("attempt", range(5))
def test_one_owner_always_stays(world: World, attempt: int) -> None:
    assert world.ben.membership_id
    with tenant_scope(world.acme.id):
        services.change_role(
            tenant=world.acme.id, member=world.ben.membership_id, role="owner", by=world.ada.actor, at=clock.now()
        )
    together, refusals = threading.Barrier(2), []

    def remove(victim: Person, by: Person) -> None:
        assert victim.membership_id
        try:
            with tenant_scope(world.acme.id):
                together.wait(30)
                services.remove_member(tenant=world.acme.id, member=victim.membership_id, by=by.actor, at=clock.now())
        except DomainError as refusal:
            refusals.append(refusal)
        finally:
            connection.close()

    threads = [threading.Thread(target=remove, args=pair) for pair in ((world.ada, world.ben), (world.ben, world.ada))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    with tenant_scope(world.acme.id):
        owners = [m for m in queries.members(world.acme.id) if m.role == "owner"]
    assert len(owners) == 1 and len(refusals) == 1
    assert world.acme.actions() == ["member.role_changed", "member.removed"]
