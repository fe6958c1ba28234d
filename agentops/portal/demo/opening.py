"""What has happened to people's money before anybody looks: limits that come near, one that is passed, a person who was stopped.

Said once, over HTTP and as the customer, when the demo's organisations have no traffic yet. The spans' ids follow from the
person, so that a start that was cut off in the middle and says all of it again counts nothing twice.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from agentops.portal.demo import models
from agentops.portal.demo.cast import BUSY, ELLA, KESTREL, MAEVE, NORTHWIND, ORGANISATIONS, STOPPED
from agentops.portal.demo.guard.caller import Caller, GuardedRun
from agentops.portal.demo.guard.manifests import ORDER_DESK, VERSION
from agentops.portal.demo.steps import Model

_RUN_TOKENS = (100_000, 13_000)  # of input and output: about 0.30 and 0.50 dollars by the prices of the two models
_ACCOUNTS: Mapping[str, tuple[tuple[str, str, Model, str, int], ...]] = {
    NORTHWIND: (
        (ELLA, "order-concierge", models.GPT_41, "4.40", 12),
        (BUSY, "order-concierge", models.GPT_41, "1.80", 6),
    ),
    KESTREL: ((MAEVE, "payments-copilot", models.SONNET_45, "5.00", 8),),
}
"""Who, with which agent and model, their limit of a month in dollars, and how many runs they have had this month."""


def play(callers: Mapping[str, Caller], *, at: datetime) -> None:
    """Set the limits, spend, stop one person; unless that was done. The last thing said is what is looked for."""
    if callers[NORTHWIND].read(f"runs?{urllib.parse.urlencode({'user': STOPPED, 'limit': 1})}")["results"]:
        return
    zones = {one.slug: ZoneInfo(one.time_zone) for one in ORGANISATIONS}
    for slug, accounts in _ACCOUNTS.items():
        since = _since(at, zones[slug])
        for user, agent, model, limit, count in accounts:
            callers[slug].admin(
                "PUT",
                "budgets",
                {
                    "scope": "user",
                    "id": user,
                    "period": "month",
                    "limit_usd": limit,
                    "action": "throttle",
                    "thresholds": [50, 75, 100],
                },
            )
            moments = [since + (at - since) * (number / count) for number in range(count)]
            callers[slug].spans([span for began in moments for span in _run(user, agent, model, began, at)])
    _stop_somebody(callers[NORTHWIND])


def _since(at: datetime, zone: ZoneInfo) -> datetime:
    """The last weeks of this month by the organisation's clocks; closer together where the month is young."""
    month = at.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return max(month.astimezone(UTC), at - timedelta(days=24))


def _run(user: str, agent: str, model: Model, began: datetime, at: datetime) -> list[dict[str, Any]]:
    """A long talk about orders, over by `at`."""
    rng, took = Random(f"opening/{user}/{began.isoformat()}"), min(timedelta(seconds=95), at - began)
    shared = {"trace_id": f"{rng.getrandbits(128):032x}", "agent": agent, "user_id": user, "status": "ok"}
    root, tokens = (
        f"{rng.getrandbits(64) | 1:016x}",
        dict(zip(("input_tokens", "output_tokens"), _RUN_TOKENS, strict=True)),
    )
    asked, says = (
        "Please go through all my orders of this year.",
        "I have gone through all of them; here is what I found.",
    )
    return [
        {
            **shared,
            "span_id": root,
            "kind": "run",
            "name": f"invoke_agent {agent}",
            "input": asked,
            "output": says,
            "started_at": began.isoformat(),
            "ended_at": (began + took).isoformat(),
        },
        {
            **shared,
            **tokens,
            "span_id": f"{rng.getrandbits(64) | 1:016x}",
            "parent_span_id": root,
            "kind": "llm",
            "name": f"chat {model.name}",
            "model": model.name,
            "provider": model.provider,
            "input": asked,
            "output": says,
            "started_at": (began + took / 50).isoformat(),
            "ended_at": (began + took * 0.99).isoformat(),
        },
    ]


def _stop_somebody(caller: Caller) -> None:
    """A user is stopped in the middle of a run; the switch stays on, for whoever looks to lift it."""
    run = GuardedRun(caller, agent=ORDER_DESK, version=VERSION, user=STOPPED, facts={})
    if not run.may_go_on:
        return
    run.model(models.GPT_41_MINI.name, tokens=900, answer_tokens=60, task="look_up", says="I look all of them up.")
    caller.admin(
        "POST",
        "kill-switches",
        {
            "scope": "user",
            "id": STOPPED,
            "mode": "stop_next_step",
            "reason": "A script asks for every order number in turn; stopped until we know whose it is.",
        },
    )
    run.tool("get_order", {"order": "NW-51001"}, reason="The next number.")
    run.finish("error", output="Stopped.")
