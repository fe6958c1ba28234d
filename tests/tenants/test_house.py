"""Our own organisation: made when it is needed, once, with a log of its own, and no customer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agentops.common.scope import tenant_scope
from audit.models import Entry
from tenants import queries
from tenants.house import HOUSE_ID, house_scope
from tenants.models import Tenant
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_made_once_with_an_entry_in_its_own_log() -> None:
    with house_scope() as tenant:
        assert tenant == HOUSE_ID
    with house_scope():
        assert list(Entry.objects.values_list("action", flat=True)) == ["tenant.created"]
    assert Tenant.objects.filter(is_house=True).count() == 1


def test_many_at_once_make_it_once() -> None:
    def enter(_: int) -> bool:
        try:
            with house_scope():
                return Entry.objects.filter(action="tenant.created").count() == 1
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(enter, range(6)))


def test_it_is_no_customer_but_its_periodic_work_is_done(world: World) -> None:
    with house_scope():
        pass
    assert HOUSE_ID not in {tenant.id for tenant in (*queries.all_tenants(), *queries.active_tenants())}
    assert HOUSE_ID in queries.active_tenant_ids()


def test_customers_do_not_see_its_rows(world: World) -> None:
    with house_scope():
        pass
    with tenant_scope(world.acme.id):
        assert not Entry.objects.filter(tenant_id=HOUSE_ID).exists()
