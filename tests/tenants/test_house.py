"""Our own organisation: made when it is needed, once, with a log of its own, and no customer."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from agentops.common import clock
from agentops.common.errors import Forbidden
from agentops.common.scope import tenant_scope
from audit.models import Entry
from tenants import queries, services
from tenants.errors import SlugTaken
from tenants.house import HOUSE_ID, SLUG, house_scope
from tenants.models import Tenant
from tests.world import OPERATOR, World

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


def test_nobody_gets_into_it_and_no_customer_takes_its_name(world: World) -> None:
    at = clock.now()
    with pytest.raises(SlugTaken, match="our own"):
        services.create_tenant(
            slug=f" {SLUG}", name="Trap", plan="pro", owner_email="eve@evil.example", by=OPERATOR, at=at
        )
    with house_scope() as house:
        with pytest.raises(Forbidden, match="no members and no keys"):
            services.add_member(tenant=house, email="eve@evil.example", role="owner", by=OPERATOR, at=at)
        with pytest.raises(Forbidden, match="no members and no keys"):
            services.create_key(tenant=house, name="a way in", scopes=["read"], by=OPERATOR, at=at)


def test_where_its_name_was_taken_it_says_so(world: World) -> None:
    Tenant.objects.filter(id=world.acme.id).update(slug=SLUG)
    with pytest.raises(RuntimeError, match="A customer has the short name"), house_scope():
        pass


def test_customers_do_not_see_its_rows(world: World) -> None:
    with house_scope():
        pass
    with tenant_scope(world.acme.id):
        assert not Entry.objects.filter(tenant_id=HOUSE_ID).exists()
