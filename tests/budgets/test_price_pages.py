"""A tenant's own prices: set by an admin, used by ingest, recorded."""

from __future__ import annotations

import re
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
    end = ben.get(world.acme.url("prices/")).content.decode().split('/end/"')[0].rsplit('href="', 1)[1] + "/end/"
    page = ben.get(end).content.decode()
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


def sent_by(page: Any, action: str) -> dict[str, str]:
    """The names and values of the hidden fields of the form that a page posts there."""
    found = page.content.decode().split(f'method="post" action="{action}"', 1)[1].split("</form>")[0]
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found))


def test_discounts_are_set_ended_and_removed_on_pages(
    world: World, client_for: Callable[..., Any], key_for: Callable[..., str]
) -> None:
    ben, before = client_for(world.ben), world.acme.actions()
    sent = {"provider": "openai", "model": "", "percent": "12.5", "valid_from": "2026-01-01T00:00"}
    assert ben.post(world.acme.url("prices/discounts/new/"), sent).status_code == 302
    page = ben.get(world.acme.url("prices/"), {"model": "gpt-4o", "provider": "openai", "input": 1000, "output": 0})
    text = page.content.decode()
    assert "12.5" in text
    assert "0.002187" in text, "2.50 dollars a million, less an eighth, half to even"
    assert "less your discount" in text
    end = text.split("prices/discounts/")[2].split("/end/")[0]
    ended = ben.post(world.acme.url(f"prices/discounts/{end}/end/"), {"valid_until": "2025-01-01T00:00"})
    assert "ends after it began" in ended.content.decode()
    assert (
        ben.post(world.acme.url(f"prices/discounts/{end}/end/"), {"valid_until": "2026-10-01T00:00"}).status_code == 302
    )
    assert ben.post(world.acme.url(f"prices/discounts/{end}/removal/")).status_code == 302
    assert "never held" in ben.get(world.acme.url("prices/")).content.decode()
    assert world.acme.actions()[len(before) :] == ["discount.set", "discount.ended", "discount.removed"]


def test_a_period_is_previewed_priced_anew_and_stopped_on_pages(
    world: World, client_for: Callable[..., Any], key_for: Callable[..., str]
) -> None:
    ben, key = client_for(world.ben), key_for(world.acme, "ingest", "read")
    call(ben, key, "a" * 32)
    ben.post(world.acme.url("prices/new/"), {"model": "house-model-1", "input": "2", "output": "10.5"})
    now = datetime.now(UTC)
    period = {
        "since": f"{now - timedelta(hours=1):%Y-%m-%dT%H:%M:%S}",
        "until": f"{now:%Y-%m-%dT%H:%M:%S}",
        "reason": "contract",
    }
    page = ben.get(world.acme.url("prices/anew/"), period)
    text = page.content.decode()
    assert "<strong>1 call</strong> of 1 would cost" in text
    assert "0.003050 USD" in text
    assert "1 had no price" in text
    assert client_for(world.audrey).post(world.acme.url("prices/anew/"), period).status_code == 403
    asked = ben.post(world.acme.url("prices/anew/"), sent_by(page, world.acme.url("prices/anew/")))
    assert asked.status_code == 302
    shown = ben.get(asked["Location"]).content.decode()
    assert "Begins in some seconds" in shown
    assert ben.post(world.acme.url("prices/new/"), {"model": "x", "input": "1", "output": "1"}).status_code == 200
    assert ben.post(asked["Location"] + "stop/").status_code == 302
    assert "Stopped" in ben.get(world.acme.url("prices/anew/")).content.decode()
    assert world.acme.actions()[-2:] == ["repricing.planned", "repricing.stopped"]
    wrong = ben.get(world.acme.url("prices/anew/"), period | {"until": period["since"]}).content.decode()
    assert "ends after it begins" in wrong


def test_another_tenant_keeps_its_own_price(
    world: World, client_for: Callable[..., Any], key_for: Callable[..., str]
) -> None:
    client_for(world.ben).post(world.acme.url("prices/new/"), {"model": "house-model-1", "input": "2", "output": "10"})
    forget_cached_policies()
    found = call(client_for(world.cleo), key_for(world.globex, "ingest", "read"), "d" * 32)
    assert found["cost_state"] == "unpriced"
