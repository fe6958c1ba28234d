"""What organisations paid is booked whole or not at all, by people who may and machines of ours, and by no customer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from agentops.budgets import across, queries
from agentops.budgets.across import Quarter
from agentops.common import clock
from agentops.common.scope import staff_scope
from tenants import services as tenant_services
from tests.budgets.test_minutes import spent
from tests.budgets.test_staff_pages import staff
from tests.world import OPERATOR, Person, World

Clients = Callable[..., Client]
HEAD = "organisation,month,amount_usd,source\n"


@pytest.fixture
def owner(world: World) -> Person:
    return staff("cora@agentops.example", "cost_owner")


@pytest.fixture
def token(world: World) -> str:
    made = tenant_services.create_staff_token(name="invoices", scopes=["revenue"], by=OPERATOR, at=clock.now())
    return made.text


def upload(client: Client, text: str | bytes) -> Any:
    raw = text.encode() if isinstance(text, str) else text
    return client.post("/staff/spend/revenue/new/", {"file": SimpleUploadedFile("r.csv", raw, "text/csv")})


def put(body: Any, key: str | None) -> Any:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return Client().put("/api/v1/revenue", json.dumps(body), content_type="application/json", headers=headers)


def booked(world: World) -> dict[str, dict[str, int]]:
    with staff_scope():
        return {
            each.slug: {
                f"{row.month:%Y-%m} {row.source}": row.amount_nano_usd for row in queries.revenue_lines(tenant=each.id)
            }
            for each in (world.acme, world.globex)
        }


def test_a_file_is_booked_and_the_same_file_again_changes_nothing(
    world: World, client_for: Clients, owner: Person
) -> None:
    text = (
        "\ufeff"
        + HEAD
        + 'acme,2026-09,"4200.10",invoices\r\nglobex,2026-10,310.5,\r\nacme,2026-10,-3.000000001,credit\r\n'
    )
    client = client_for(owner)
    assert upload(client, text).status_code == 302
    expected = {
        "acme": {"2026-09 invoices": 4_200_100_000_000, "2026-10 credit": -3_000_000_001},
        "globex": {"2026-10 ": 310_500_000_000},
    }
    assert booked(world) == expected
    assert world.acme.actions() == ["revenue.booked"]
    upload(client, text)
    assert booked(world) == expected
    assert world.acme.actions() == ["revenue.booked"], "nothing changed, so there is nothing to say"
    upload(client, HEAD + "acme,2026-09,1,invoices\n")
    assert booked(world)["acme"]["2026-09 invoices"] == 10**9, "said again, it is replaced"
    assert "4200" not in json.dumps([entry.told() for entry in world.acme.entries()]), "amounts are our books"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nobody,2026-09,1,x", "There is no organisation &#x27;nobody&#x27;"),
        (",2026-09,1,x", "It names no organisation"),
        ("acme,2026-9,1,x", "&#x27;2026-9&#x27; is no month"),
        ("acme,2026-13,1,x", "is no month"),
        ("acme,0000-05,1,x", "is no month"),
        ("acme,٢٠٢٦-05,1,x", "is no month"),
        ("acme,2026-09,\"1,200\",x", "is no amount"),
        ("acme,2026-09,NaN,x", "is no amount"),
        ("acme,2026-09,1e400,x", "is no amount"),
        ("acme,2026-09,1e999999999,x", "is no amount"),
        ("acme,2026-09,1_000,x", "is no amount"),
        ("acme,2026-09,,x", "is no amount"),
        ("acme,2026-09,1," + "s" * 101, "A source has at most 100 characters"),
        ("acme,2026-09", "It has 2 cells"),
        ("globex,2026-09,2,good", "The same organisation, month and source stand at line 2 already"),
    ],
    ids=[
        "unknown", "unnamed", "month of one digit", "month 13", "year 0", "digits of another script", "separators", "not a number", "endless", "beyond decimals", "underscore",
        "empty amount", "long source", "short line", "twice",
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_nothing_is_taken(
    world: World, client_for: Clients, owner: Person, line: str, told: str
) -> None:
    answer = upload(client_for(owner), HEAD + f"globex,2026-09,2,good\n{line}\n")
    assert answer.status_code == 422
    page = answer.content.decode()
    assert "Line 3:" in page
    assert told in page
    assert booked(world) == {"acme": {}, "globex": {}}


@pytest.mark.parametrize(
    "raw",
    [b"", b"a,b\n1,2\n", b"\xff\xfe\x00", HEAD.encode(), b"organisation,month,amount_usd,month\n"],
    ids=["empty", "other columns", "no text", "no line", "a column twice"],
)
def test_a_file_that_is_none_is_refused(world: World, client_for: Clients, owner: Person, raw: bytes) -> None:
    assert upload(client_for(owner), raw).status_code == 422
    assert booked(world) == {"acme": {}, "globex": {}}


def test_only_cost_owners_book(world: World, client_for: Clients) -> None:
    assert upload(client_for(world.sam), HEAD + "acme,2026-09,1,x\n").status_code == 403
    assert upload(client_for(world.ada), HEAD + "acme,2026-09,1,x\n").status_code in (403, 404)
    assert booked(world) == {"acme": {}, "globex": {}}


def test_a_machine_of_ours_books_by_its_token(world: World, token: str) -> None:
    line = {"organisation": "acme", "month": "2026-09", "amount_usd": "12.345", "source": "erp"}
    answer = put({"lines": [line, {**line, "organisation": "globex"}]}, token)
    assert (answer.status_code, answer.json()) == (200, {"booked": 2, "unchanged": 0})
    assert put({"lines": [line]}, token).json() == {"booked": 0, "unchanged": 1}
    assert booked(world) == {slug: {"2026-09 erp": 12_345_000_000} for slug in ("acme", "globex")}
    [entry] = world.acme.entries()
    assert entry.actor_id.startswith("staff_token:")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/lines"),
        ({"lines": "x"}, "/lines"),
        ({"lines": [1]}, "/lines"),
        ({"lines": []}, ""),
        ({"lines": [{"organisation": "acme", "month": "2026-09", "amount_usd": True}]}, "/lines/0"),
        ({"lines": [{"organisation": "acme", "month": "2026-09", "amount_usd": 1.5}]}, "/lines/0"),
        ({"lines": [{"organisation": "acme", "month": "2026-09", "amount_usd": "1", "other": 1}]}, "/lines/0"),
        ({"lines": [{"organisation": ["acme"], "month": "2026-09", "amount_usd": "1"}]}, "/lines/0"),
    ],
    ids=["nothing", "text", "numbers", "empty", "true", "float", "unknown member", "a list"],
)
def test_what_a_machine_says_wrongly_is_pointed_to(world: World, token: str, body: Any, pointer: str) -> None:
    answer = put(body, token)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert booked(world) == {"acme": {}, "globex": {}}


def test_no_key_of_a_customer_and_no_revoked_token_books(
    world: World, key_for: Callable[..., str], token: str, client_for: Clients
) -> None:
    body = {"lines": [{"organisation": "acme", "month": "2026-09", "amount_usd": "1"}]}
    keys = [None, "aos_nonsense", token + "x", *(key_for(world.acme, scope) for scope in ("admin", "ingest", "read"))]
    for key in keys:
        answer = put(body, key)
        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
    session = client_for(world.ada).put("/api/v1/revenue", json.dumps(body), content_type="application/json")
    assert session.status_code == 401
    made = tenant_services.create_staff_token(name="old", scopes=["revenue"], by=OPERATOR, at=clock.now())
    assert put(body, made.text).status_code == 200
    tenant_services.revoke_staff_token(token=made.token.id, by=OPERATOR, at=clock.now())
    assert put(body, made.text).status_code == 401
    assert put(body, token).status_code == 200


def test_a_staff_token_opens_nothing_of_a_customer(world: World, token: str) -> None:
    for address in ("/api/v1/usage", "/api/v1/budgets", "/api/v1/runs"):
        assert Client().get(address, headers={"authorization": f"Bearer {token}"}).status_code == 401


def test_a_quarter_sets_what_was_paid_against_what_was_spent(world: World, client_for: Clients, owner: Person) -> None:
    now = clock.now()
    spent(world.acme.id, 30, at=now)
    upload(client_for(owner), HEAD + f"acme,{now:%Y-%m},100,a\nacme,{now:%Y-%m},20,b\nglobex,{now:%Y-%m},5,a\n")
    quarter = Quarter.around(now.date())
    with staff_scope():
        whole, *lines = across.quarter_lines([quarter])[quarter]
    assert [(line.tenant.slug, line.margin_nano_usd) for line in lines if line.tenant] == [
        ("globex", 5 * 10**9), ("acme", 90 * 10**9),
    ]  # fmt: skip
    assert (whole.revenue_nano_usd, whole.spent_nano_usd, whole.share) == (125 * 10**9, 30 * 10**9, 0.24)
    page = client_for(world.sam).get("/staff/spend/revenue/").content.decode()
    assert 'title="90.000000 USD"' in page
    assert quarter.end > date(now.year, now.month, 1)


def test_a_token_is_shown_once_and_ended_on_its_page(world: World, client_for: Clients, owner: Person) -> None:
    client = client_for(owner, fresh=True)
    made = client.post("/staff/tokens/new/", {"name": "erp", "scopes": ["revenue"]}).content.decode()
    text = made.split("aos_")[1][:43]
    page = client.get("/staff/tokens/").content.decode()
    assert text not in page and "erp" in page
    body = {"lines": [{"organisation": "acme", "month": "2026-09", "amount_usd": "1"}]}
    assert put(body, f"aos_{text}").status_code == 200
    address = page.split("/revocation/")[0].split('href="')[-1] + "/revocation/"
    assert client.get(address).status_code == 200
    assert client.post(address).status_code == 302
    assert put(body, f"aos_{text}").status_code == 401
    assert (
        client_for(world.sam, fresh=True).post("/staff/tokens/new/", {"name": "x", "scopes": ["revenue"]}).status_code
        == 403
    )
