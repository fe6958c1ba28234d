"""A tenant's own prices: set by an admin, used by ingest, recorded."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentops.traces.policy import forget_cached_policies
from tests.world import World

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_policies() -> None:
    forget_cached_policies()


def call(client: Any, key: str, trace: str, model: str = "house-model-1") -> dict[str, Any]:
    """One call of a thousand tokens in and a hundred out; answers its run."""
    now = datetime.now(UTC)
    span = {
        "trace_id": trace, "span_id": "00f067aa0ba902b7", "kind": "llm", "name": "chat", "model": model, "provider": "house",
        "started_at": (now - timedelta(seconds=2)).isoformat(), "ended_at": now.isoformat(), "input_tokens": 1000, "output_tokens": 100,
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {key}"}
    assert client.post(
        "/api/v1/traces", {"spans": [span]}, content_type="application/json", headers=headers
    ).json() == {"accepted": 1, "duplicates": 0, "rejected": []}
    found: dict[str, Any] = client.get(f"/api/v1/runs/{trace}", headers=headers).json()
    return found


def test_a_price_is_used_from_then_on_and_recorded(
    world: World, client_for: Callable[..., Any], key_for: Callable[..., str]
) -> None:
    ben, key = client_for(world.ben), key_for(world.acme, "ingest", "read")
    before = world.acme.actions()
    assert call(ben, key, "a" * 32)["cost_state"] == "unpriced"
    assert "house-model-1" in ben.get(world.acme.url("prices/")).content.decode()

    answer = ben.post(
        world.acme.url("prices/new/"), {"model": "house-model-1", "provider": "", "input": "2", "output": "10.5"}
    )
    assert answer.status_code == 302
    forget_cached_policies()
    assert call(ben, key, "b" * 32)["cost_usd"] == "0.003050"
    assert call(ben, key, "c" * 32)["cost_state"] == "priced"
    assert world.acme.actions()[len(before) :] == ["price.set"]


def test_a_removed_price_holds_no_more(
    world: World, client_for: Callable[..., Any], key_for: Callable[..., str]
) -> None:
    ben, key = client_for(world.ben), key_for(world.acme, "ingest", "read")
    ben.post(world.acme.url("prices/new/"), {"model": "house-model-1", "input": "0", "output": "0"})
    forget_cached_policies()
    assert call(ben, key, "b" * 32)["cost_usd"] == "0.000000", "free is a price"
    page = ben.get(world.acme.url("prices/")).content.decode()
    removal = page.split('/removal/"')[0].rsplit('action="', 1)[1] + "/removal/"
    assert ben.post(removal).status_code == 302
    forget_cached_policies()
    assert call(ben, key, "c" * 32)["cost_state"] == "unpriced"


@pytest.mark.parametrize(
    "wrong",
    [{"input": "-1"}, {"input": ""}, {"output": "NaN"}, {"output": "1e9"}, {"model": " "}, {"model": "x" * 201}],
)
def test_nonsense_is_refused_beside_the_field(
    world: World, client_for: Callable[..., Any], wrong: dict[str, str]
) -> None:
    ben = client_for(world.ben)
    answer = ben.post(world.acme.url("prices/new/"), {"model": "m", "input": "1", "output": "1", **wrong})
    assert answer.status_code in (200, 400)
    assert "price.set" not in world.acme.actions()


def test_another_tenant_keeps_its_own_price(
    world: World, client_for: Callable[..., Any], key_for: Callable[..., str]
) -> None:
    client_for(world.ben).post(world.acme.url("prices/new/"), {"model": "house-model-1", "input": "2", "output": "10"})
    forget_cached_policies()
    found = call(client_for(world.cleo), key_for(world.globex, "ingest", "read"), "d" * 32)
    assert found["cost_state"] == "unpriced"
