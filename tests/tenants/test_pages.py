"""The pages of an organisation, as a browser without JavaScript uses them, and the fragments that htmx gets."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces.models import SavedSearch
from tenants import queries, services
from tenants.roles import KeyScope
from tests.world import OPERATOR, World

Clients = Callable[..., Client]
HTMX = {"HX-Request": "true"}


def text(response: Any) -> str:
    return str(response.content.decode())


# -- homes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "home"),
    [("ada", "/t/acme/"), ("uma", "/t/acme/"), ("cleo", "/t/globex/"), ("sam", "/staff/")],
)
def test_whoever_has_one_place_arrives_there(world: World, client_for: Clients, name: str, home: str) -> None:
    assert client_for(world.person(name)).get("/")["Location"] == home


def test_whoever_has_several_places_chooses(world: World, client_for: Clients) -> None:
    with tenant_scope(world.acme.id):
        for email in (world.cleo.email, world.sam.email):
            services.add_member(tenant=world.acme.id, email=email, role="auditor", by=OPERATOR, at=clock.now())
    shown = text(client_for(world.cleo).get("/"))
    assert 'href="/t/acme/"' in shown and 'href="/t/globex/"' in shown and "/staff/" not in shown
    shown = text(client_for(world.sam).get("/"))
    assert 'href="/t/acme/"' in shown and 'href="/staff/"' in shown


def test_whoever_has_none_is_told_what_to_do(world: World, client_for: Clients) -> None:
    assert "You belong to no organisation yet" in text(client_for(world.stella).get("/"))


def test_the_home_of_those_who_confirm_is_their_inbox(world: World, client_for: Clients) -> None:
    for person in (world.pete, world.uma):
        assert "Nothing waits for you" in text(client_for(person).get(world.acme.url(), follow=True))


def test_staffs_list_counts_members_and_keys_in_use(world: World, client_for: Clients) -> None:
    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text(client_for(world.sam).get("/staff/tenants/"))))
    keys = len(KeyScope.values)  # the world has one for each
    assert f"Acme acme Pro 5 {keys}" in shown and f"Globex globex Free 1 {keys}" in shown


# -- members ----------------------------------------------------------------------------------------------------------


def test_auditors_see_members_keys_and_settings_and_no_way_to_change_them(world: World, client_for: Clients) -> None:
    client = client_for(world.audrey)
    for page in ("members/", "keys/", "settings/"):
        shown = text(client.get(world.acme.url(page)))
        main = shown.partition("<main")[2].partition("</main>")[0]
        assert "<form" not in main.replace('<form class="filters-line"', "").replace('<form method="dialog"', "")
        assert "/new/" not in main and "/removal/" not in main and "/revocation/" not in main


def test_the_list_is_filtered_by_name_address_and_role(world: World, client_for: Clients) -> None:
    client = client_for(world.audrey)
    for query, names in (
        ("q=novak", ["Pete Novak"]),
        ("q=UMA@", ["Uma Rao"]),
        ("role=owner", ["Ada Lovell"]),
        ("q=nobody", []),
    ):
        shown = text(client.get(world.acme.url(f"members/?{query}"), headers=HTMX))
        assert re.findall(r"<strong>(.*?)</strong>", shown) == names


def test_htmx_gets_the_part_alone_and_caches_are_told(world: World, client_for: Clients) -> None:
    client, path = client_for(world.ada), world.acme.url("members/")
    page, part = client.get(path), client.get(path, headers=HTMX)
    assert "<html" in text(page) and "<html" not in text(part) and 'id="results"' in text(part)
    assert "HX-Request" in page["Vary"] and "HX-Request" in part["Vary"]


def test_a_role_is_changed_and_a_member_removed_without_javascript(world: World, client_for: Clients) -> None:
    client = client_for(world.ben)
    member = world.acme.url(f"members/{world.pete.membership_id}/")
    assert "Role of Pete Novak" in text(client.get(f"{member}role/"))
    done = client.post(f"{member}role/", {"role": "auditor"}, follow=True)
    assert "Pete Novak is now auditor." in text(done)
    assert "Remove Pete Novak?" in text(client.get(f"{member}removal/"))
    done = client.post(f"{member}removal/", follow=True)
    assert "Pete Novak was removed." in text(done)
    assert world.acme.actions() == ["member.role_changed", "member.removed"]


def test_an_admin_is_not_offered_to_make_owners_and_cannot_by_hand(world: World, client_for: Clients) -> None:
    client, path = client_for(world.ben, fresh=True), world.acme.url(f"members/{world.pete.membership_id}/role/")
    assert 'value="owner"' not in text(client.get(path))
    assert client.post(path, {"role": "owner"}).status_code == 422
    assert world.acme.actions() == []


def test_a_refusal_is_shown_where_the_person_looks(world: World, client_for: Clients) -> None:
    client = client_for(world.ada, fresh=True)
    member = world.acme.url(f"members/{world.ada.membership_id}/")
    for response in (client.post(f"{member}role/", {"role": "admin"}), client.post(f"{member}removal/")):
        assert response.status_code in (409, 422)
        assert "is the only owner" in text(response)
    response = client.post(world.acme.url("members/new/"), {"email": world.ben.email, "role": "auditor"})
    assert response.status_code == 422 and "already, as admin" in text(response)
    response = client.post(world.acme.url("members/new/"), {"email": "no address", "role": "auditor"})
    assert "id_email_error" in text(response)


def test_whoever_leaves_arrives_at_their_other_places(world: World, client_for: Clients) -> None:
    client = client_for(world.ben)
    left = client.post(world.acme.url(f"members/{world.ben.membership_id}/removal/"))
    assert left["Location"] == "/"
    assert client.get(world.acme.url()).status_code == 404


def test_a_change_of_an_owner_asked_by_htmx_is_answered_with_a_way_to_prove_it(
    world: World, client_for: Clients
) -> None:
    client = client_for(world.ada)
    path = world.acme.url(f"members/{world.pete.membership_id}/role/")
    asked = client.post(path, {"role": "owner"}, headers=HTMX)
    assert asked.status_code == 200 and asked["HX-Redirect"].startswith("/accounts/reauthenticate/")
    assert world.acme.actions() == []


# -- keys -------------------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_with_the_lines_for_an_exporter(world: World, client_for: Clients) -> None:
    client = client_for(world.ben, fresh=True)
    made = client.post(world.acme.url("keys/new/"), {"name": "support bot", "scopes": ["ingest", "read"]})
    found = re.search(r"aok_\w{22}_\w{43}", text(made))
    assert found
    assert f"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20{found.group()}" in text(made)
    assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://testserver" in text(made)
    assert "no-store" in made["Cache-Control"]
    listed = text(client.get(world.acme.url("keys/")))
    assert "support bot" in listed and found.group() not in listed


def test_scopes_that_never_go_together_are_refused_at_their_field(world: World, client_for: Clients) -> None:
    client = client_for(world.ben, fresh=True)
    response = client.post(world.acme.url("keys/new/"), {"name": "x", "scopes": ["guard", "present"]})
    assert response.status_code == 422 and "Make two keys." in text(response)
    assert "id_scopes_error" in text(response)


def test_a_key_is_revoked_without_javascript(world: World, client_for: Clients) -> None:
    with tenant_scope(world.acme.id):
        key = queries.keys(world.acme.id)[0]
    client, path = client_for(world.ben), world.acme.url(f"keys/{key.id}/revocation/")
    assert "Revoke</button>" in text(client.get(path))
    assert f"The key {key.name} is revoked." in text(client.post(path, follow=True))
    assert "was revoked" in text(client.get(path))
    assert world.acme.actions() == ["api_key.revoked"]


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings_are_saved_and_what_the_plan_does_not_give_is_refused(world: World, client_for: Clients) -> None:
    client, path = client_for(world.ben), world.acme.url("settings/changes/")
    form = {"masking": "hash", "retention_days": "30", "idle_minutes": "20", "time_zone": "Europe/Berlin"}
    assert "Saved." in text(client.post(path, form, follow=True))
    refused = client.post(path, {**form, "retention_days": "91"})
    assert refused.status_code == 422 and "1 to 90 days" in text(refused)
    with tenant_scope(world.acme.id):
        assert queries.settings_of(world.acme.id).retention_days == 30
    assert world.acme.actions() == ["tenant.settings_changed"]


def test_names_are_text_and_never_markup(world: World, client_for: Clients) -> None:
    with tenant_scope(world.acme.id):
        name = "<script>alert(1)</script>"
        services.add_member(
            tenant=world.acme.id, email="x@acme.example", name=name, role="auditor", by=OPERATOR, at=clock.now()
        )
        services.create_key(tenant=world.acme.id, name=name, scopes=["read"], by=OPERATOR, at=clock.now())
    client = client_for(world.ada)
    for page in ("members/", "keys/"):
        assert "<script>alert" not in text(client.get(world.acme.url(page)))


# -- hostile values ---------------------------------------------------------------------------------------------------


def test_no_page_takes_a_nul_character(world: World, client_for: Clients) -> None:
    client = client_for(world.ada)
    assert client.get(world.acme.url("members/"), {"q": "a\0b"}).status_code == 400
    assert client.post(world.acme.url("searches/"), {"name": "x", "query": "agent=\0"}).status_code == 400
    assert world.acme.actions() == []


@pytest.mark.parametrize("member", ["", "²", "9" * 30, "9" * 5000, "-1"])
def test_a_search_is_shared_with_a_member_or_with_nobody(world: World, client_for: Clients, member: str) -> None:
    client = client_for(world.ada)
    client.post(world.acme.url("searches/"), {"name": "mine", "query": "status=error"})
    with tenant_scope(world.acme.id):
        search = SavedSearch.objects.get(tenant_id=world.acme.id)
    refused = client.post(world.acme.url(f"searches/{search.id}/"), {"with": member})
    assert refused.status_code in (400, 404)
    assert world.acme.actions() == ["search.saved"]


# -- addresses that only take forms ------------------------------------------------------------------------------------


def test_an_address_that_only_takes_a_form_says_so_to_whoever_comes_back_to_it(
    world: World, client_for: Clients
) -> None:
    client = client_for(world.ada, fresh=True)
    answer = client.get(world.acme.url("settings/changes/"))
    assert answer.status_code == 405 and answer["Allow"] == "POST"
    assert "only takes what a form sends" in text(answer) and world.acme.url() in text(answer)
    fragment = text(client.get(world.acme.url("settings/changes/"), headers=HTMX))
    assert "only takes what a form sends" in fragment and "<html" not in fragment
