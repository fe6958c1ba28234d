"""Budgets and usage over HTTP."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.test import Client

from agentops.budgets.types import Scope
from agentops.common import clock
from tenants import machines
from tests.budgets.money import HOUR, MODEL, NOON, TOKEN, Purse
from tests.world import World

DAY = f"{NOON:%Y-%m-%d}"
BODY: dict[str, Any] = {"scope": "tenant", "period": "day", "limit_usd": "25.5", "action": "throttle"}


class Machine:
    """A machine of one organisation, with a key of each scope."""

    def __init__(self, keys: dict[str, str]) -> None:
        self.keys = keys

    def call(self, method: str, path: str, body: Any = None, *, scope: str = "admin", expect: int = 200) -> Any:
        raw = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
        headers = {"authorization": f"Bearer {self.keys[scope]}"}
        response = Client().generic(method, path, raw, content_type="application/json", headers=headers)
        assert response.status_code == expect, response.content
        if expect >= 400:
            assert response["Content-Type"] == "application/problem+json"
        return orjson.loads(response.content) if response.content else None

    def put(self, *, expect: int = 200, **more: Any) -> Any:
        return self.call("PUT", "/api/v1/budgets", {**BODY, **more}, expect=expect)

    def get(self, path: str, expect: int = 200) -> Any:
        return self.call("GET", path, scope="read", expect=expect)


@pytest.fixture
def acme(world: World) -> Machine:
    machines.forget_cached_keys()
    return Machine(world.acme.keys)


def test_a_budget_is_set_read_replaced_and_removed(acme: Machine, world: World) -> None:
    made = acme.put()
    assert (made["limit_usd"], made["ceiling_usd"], made["used_usd"]) == ("25.500000", "28.050000", "0.000000")
    assert (made["scope"], made["scope_id"], made["thresholds"]) == ("tenant", None, [50, 75, 100])
    again = acme.put(limit_usd=30, action="block", thresholds=[90, 10, 90])
    assert again["id"] == made["id"]
    assert (again["limit_usd"], again["ceiling_usd"], again["thresholds"]) == ("30.000000", "30.000000", [10, 90])
    other = acme.put(scope="user", id="u1", period="month", ceiling_usd="26")
    assert [one["id"] for one in acme.get("/api/v1/budgets")["results"]] == [made["id"], other["id"]]
    assert acme.get(f"/api/v1/budgets/{other['id']}") == other
    acme.call("DELETE", f"/api/v1/budgets/{other['id']}", expect=204)
    acme.call("DELETE", f"/api/v1/budgets/{other['id']}", expect=404)
    assert len(acme.get("/api/v1/budgets")["results"]) == 1
    assert world.acme.actions() == ["budget.set"] * 3 + ["budget.removed"]
    assert world.acme.entries()[0].actor_type == "service"


@pytest.mark.parametrize(
    ("wrong", "pointers"),
    [
        ({"scope": "product"}, ["/scope"]),
        ({"scope": "tenant", "id": "acme"}, ["/id"]),
        ({"id": "x" * 201, "scope": "user"}, ["/id"]),
        ({"id": "a\0b", "scope": "user"}, ["/id"]),
        ({"period": "hour", "action": "warn"}, ["/period", "/action"]),
        ({"limit_usd": None}, ["/limit_usd"]),
        ({"limit_usd": "-1"}, ["/limit_usd"]),
        ({"limit_usd": "NaN"}, ["/limit_usd"]),
        ({"limit_usd": "1e400"}, ["/limit_usd"]),
        ({"limit_usd": True}, ["/limit_usd"]),
        ({"limit_usd": [5]}, ["/limit_usd"]),
        ({"limit_usd": "2000000000"}, ["/limit_usd"]),
        ({"ceiling_usd": "25.4"}, ["/ceiling_usd"]),
        ({"action": "block", "ceiling_usd": "26"}, ["/ceiling_usd"]),
        ({"thresholds": "all"}, ["/thresholds"]),
        ({"thresholds": [0]}, ["/thresholds"]),
        ({"thresholds": [1.5]}, ["/thresholds"]),
        ({"limit": 5}, ["/limit"]),
    ],
)
def test_what_is_wrong_is_said_with_its_place(acme: Machine, wrong: dict[str, Any], pointers: list[str]) -> None:
    refused = acme.put(**wrong, expect=400)
    assert refused["code"] == "invalid"
    assert [error["pointer"] for error in refused["errors"]] == pointers
    assert all(error["detail"] for error in refused["errors"])
    assert acme.get("/api/v1/budgets")["results"] == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"scope": "tenant", "scope": "user"}', b"[" * 50 + b"]" * 50])
def test_a_body_that_is_no_budget_is_refused(acme: Machine, body: bytes) -> None:
    acme.call("PUT", "/api/v1/budgets", body, expect=400)


def test_a_body_too_large_is_refused(acme: Machine) -> None:
    acme.call("PUT", "/api/v1/budgets", b'"' + b"x" * 20_000 + b'"', expect=413)


def test_a_zero_budget_is_one(acme: Machine) -> None:
    assert acme.put(limit_usd="0", action="block")["ceiling_usd"] == "0.000000"


def test_another_organisations_budget_does_not_exist(acme: Machine, world: World) -> None:
    made = acme.put()
    globex = Machine(world.globex.keys)
    assert globex.get("/api/v1/budgets")["results"] == []
    globex.get(f"/api/v1/budgets/{made['id']}", expect=404)
    globex.call("DELETE", f"/api/v1/budgets/{made['id']}", expect=404)
    assert globex.get("/api/v1/usage")["results"] == []


def test_a_budget_tells_what_is_charged_and_held(acme: Machine, purse: Purse) -> None:
    purse.at = clock.now()
    mine = acme.put(limit_usd="1")
    each = acme.put(scope="user", limit_usd="1")
    purse.reserve("r", "c1", 100)
    purse.reserve("r", "c2", 50)
    purse.settle("r", "c1", 30)
    assert acme.get(f"/api/v1/budgets/{mine['id']}")["used_usd"] == "0.000080"
    assert acme.get(f"/api/v1/budgets/{each['id']}")["used_usd"] is None


@pytest.fixture
def spent(purse: Purse) -> Purse:
    """Seven rows: three hours, two users, two agents."""
    for hours, user, agent in [(0, "u1", "bot"), (0, "u2", "bot"), (0, "u2", "cat"), (1, "u1", "bot"), (1, "ü", "bot"),
                               (2, "u1", "cat"), (2, "u2", "cat")]:  # fmt: skip
        call = f"{hours}{user}{agent}"
        purse.reserve(call, "c", 50, user=user, agent=agent, at=purse.at - hours * HOUR)
        purse.settle(call, "c", 10 + hours)
    return purse


def test_usage_comes_by_hour_user_agent_and_model_page_by_page(acme: Machine, spent: Purse) -> None:
    rows, path = [], "/api/v1/usage?limit=2"
    while path:
        page = acme.get(path)
        assert len(page["results"]) <= 2
        rows += page["results"]
        path = (page["next"] or "").removeprefix("http://testserver")
    keys = [(row["hour"], row["agent"], row["user"]) for row in rows]
    assert len(keys) == len(set(keys)) == 7
    assert [key[0][11:13] for key in keys] == ["12"] * 3 + ["11"] * 2 + ["10"] * 2
    assert {(row["model"], row["provider"], row["calls"]) for row in rows} == {(MODEL, "house", 1)}
    assert sum(float(row["cost_usd"]) for row in rows) == pytest.approx(spent.charged() * TOKEN / 1e9)


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("user=u1", 3), ("agent=cat", 3), ("user=u1&agent=cat", 1), (f"model={MODEL}", 7), ("model=other", 0),
        (f"from={DAY}T11:45:00Z", 5), (f"to={DAY}T12:00:00Z", 4), ("user=%C3%BC", 1),
        (f"from={DAY}T11:00:00Z&to={DAY}T12:00:00Z", 2), ("provider=house", 7),
    ],
)  # fmt: skip
def test_usage_is_filtered(acme: Machine, spent: Purse, query: str, count: int) -> None:
    assert len(acme.get(f"/api/v1/usage?{query}")["results"]) == count


@pytest.mark.parametrize(
    "query", ["cursor=nonsense", "cursor=WzFd", "from=yesterday", "to=2026-13-01", "limit=0", "limit=x", "user=a%00b"]
)
def test_filters_that_mean_nothing_are_refused(acme: Machine, query: str) -> None:
    assert acme.get(f"/api/v1/usage?{query}", expect=400)["errors"]


def test_who_is_throttled(purse: Purse, key_for: Callable[..., str]) -> None:
    from agentops.budgets import queries
    from agentops.budgets.types import Action
    from agentops.common.scope import tenant_scope

    def throttled(user: str) -> bool:
        with tenant_scope(purse.tenant):
            return queries.is_throttled(tenant=purse.tenant, user=user, agent="bot", at=purse.at)

    purse.budget("0.0001", scope=Scope.USER, action=Action.THROTTLE)
    purse.budget("0.0002", action=Action.DOWNGRADE)
    assert not throttled("u1")
    purse.reserve("r", "c", 100)
    assert throttled("u1")
    assert not throttled("u2")
    purse.settle("r", "c", 99)
    assert not throttled("u1")
    purse.reserve(str(uuid.uuid4()), "c", 100, user="u3")
    assert throttled("u3")
    assert not throttled("u2")
