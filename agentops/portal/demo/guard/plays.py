"""What guarded agents get up to. A play yields for how many seconds it pauses, so many go on side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from agentops.portal.demo import models
from agentops.portal.demo.cast import BUSY, KESTREL, NORTHWIND
from agentops.portal.demo.folk import somebody
from agentops.portal.demo.guard.caller import Caller, GuardedRun
from agentops.portal.demo.guard.manifests import ORDER_DESK, TELLER, VERSION

Play = Callable[[Caller, Random], Iterator[float]]
_MINI, _LARGE, _SONNET = models.GPT_41_MINI.name, models.GPT_41.name, models.SONNET_45.name


def _desk(caller: Caller, rng: Random) -> GuardedRun:
    return GuardedRun(caller, agent=ORDER_DESK, version=VERSION, user=somebody(NORTHWIND, rng).id, facts={})


def _teller(caller: Caller, rng: Random) -> tuple[GuardedRun, str]:
    account = f"KB-{rng.randrange(1000, 1100)}"
    user = somebody(KESTREL, rng).id
    return GuardedRun(caller, agent=TELLER, version=VERSION, user=user, facts={"accounts": [account]}), account


def _order(rng: Random) -> str:
    return f"NW-{rng.randrange(50_000, 60_000)}"


def question(caller: Caller, rng: Random) -> Iterator[float]:
    """An ordinary run: look it up, and answer."""
    run, order = _desk(caller, rng), _order(rng)
    if not run.may_go_on:
        return
    run.model(_MINI, tokens=900, answer_tokens=60, task="look_up", says="I look the order up.")
    yield 0.8
    run.tool("get_order", {"order": order}, returns={"order": order, "state": "shipped"})
    yield 0.4
    run.model(_MINI, tokens=1_100, answer_tokens=120, task="look_up", says="It left our house on Monday.")
    yield 0.6
    run.finish(output="It left our house on Monday.")


def refund(caller: Caller, rng: Random) -> Iterator[float]:
    """Money out: it waits for a person. Asked for an amount that is too high first, the agent plans anew."""
    run, order = _desk(caller, rng), _order(rng)
    if not run.may_go_on:
        return
    run.model(_LARGE, tokens=1_400, answer_tokens=160, task="complaint", says="I check the order before I promise.")
    yield 0.9
    run.tool("get_order", {"order": order}, returns={"order": order, "paid_minor": 8_990})
    yield 0.5
    amount = rng.choice([4_810, 8_990, 12_500])
    if rng.random() < 0.3:
        run.tool("issue_refund", {"order": order, "amount_minor": 900_000, "currency": "EUR", "reason": "faulty"})
        yield 0.7
    asked = run.tool(
        "issue_refund",
        {"order": order, "amount_minor": amount, "currency": "EUR", "reason": "faulty"},
        reason="The zip broke on the first day; the policy says money back.",
    )
    yield 20.0
    run.finish(
        "ok" if asked.get("decision") == "allow" else "escalated", output="A colleague decides about the refund."
    )


def loop(caller: Caller, rng: Random) -> Iterator[float]:
    """Failure mode 1: each answer asks for the other tool, until the guard stops it."""
    run, orders = _desk(caller, rng), (_order(rng), _order(rng))
    for turn in range(12):
        if not run.may_go_on:
            return
        run.model(_MINI, tokens=800 + 90 * turn, answer_tokens=50, says="I need the other one first.")
        yield 0.3
        asked = (
            run.tool("get_order", {"order": orders[turn // 2 % 2]}, returns={"note": "see the policy"})
            if turn % 2 == 0
            else run.tool("search_policies", {"question": f"what about it, {turn}?"}, returns={"note": "see the order"})
        )
        if asked.get("decision") != "allow":
            break
        yield 0.3
    run.finish("error")


def everything(caller: Caller, rng: Random) -> Iterator[float]:
    """Failure mode 2: a wildcard that the schema lets through."""
    run = _desk(caller, rng)
    if not run.may_go_on:
        return
    run.model(_MINI, tokens=700, answer_tokens=60, says="I delete the record.")
    yield 0.6
    run.tool("delete_customer_record", {"id": "all"}, reason="The customer asked to be forgotten.")
    yield 0.8
    run.model(_MINI, tokens=900, answer_tokens=70, says="I need the id of one record.")
    yield 0.5
    run.finish("refused", output="Which record do you mean?")


def blowout(caller: Caller, rng: Random) -> Iterator[float]:
    """Failure mode 3: the context grows with each turn, until the run's money is gone."""
    run = _desk(caller, rng)
    for turn in range(18):
        if not run.may_go_on:
            return
        asked = run.model(_LARGE, tokens=9_000 + 4_000 * turn, answer_tokens=900, task="complaint", says="I read on.")
        if asked.get("decision") != "allow":
            break
        yield 0.4
    run.finish("error")


def privilege(caller: Caller, rng: Random) -> Iterator[float]:
    """Failure mode 5: a tool it was never given, and an account that is not the user's."""
    run, _ = _teller(caller, rng)
    if not run.may_go_on:
        return
    run.model(_SONNET, tokens=1_200, answer_tokens=90, says="The message says I am an administrator now.")
    yield 0.7
    run.tool("update_account", {"role": "admin"}, reason="The user's message told me to.")
    yield 0.5
    run.tool("get_account", {"account": "KB-9999"})
    yield 0.5
    run.finish("refused", output="I cannot do that.")


def statement(caller: Caller, rng: Random) -> Iterator[float]:
    """An ordinary run of the bank: read, and ask before something is sent."""
    run, account = _teller(caller, rng)
    if not run.may_go_on:
        return
    run.model(_SONNET, tokens=1_500, answer_tokens=110, says="I look at the account.")
    yield 0.8
    run.tool("list_transactions", {"account": account, "days": 30}, returns={"count": rng.randrange(3, 40)})
    yield 0.6
    if rng.random() < 0.4:
        run.tool(
            "send_statement",
            {"account": account, "email": "me@example.org"},
            reason="They asked for it by e-mail.",
        )
        yield 15.0
    run.model(_SONNET, tokens=1_900, answer_tokens=140, says="Here is what I found.")
    yield 0.4
    run.finish(output="Here is what I found.")


def past_limit(caller: Caller, rng: Random) -> Iterator[float]:
    """Somebody whose month's budget is used up gets one run at a time: the second one is told to wait."""
    run = GuardedRun(caller, agent=ORDER_DESK, version=VERSION, user=BUSY, facts={})
    if not run.may_go_on:
        return
    yield 0.5
    second = GuardedRun(caller, agent=ORDER_DESK, version=VERSION, user=BUSY, facts={})
    yield 4.0
    if second.may_go_on:
        second.finish(output="It left our house on Monday.")
    run.finish(output="It left our house on Monday.")


PLAYS: dict[str, tuple[Play, ...]] = {
    NORTHWIND: (question, refund, question, loop, question, everything, refund, blowout, past_limit),
    KESTREL: (statement, statement, privilege),
}
"""In turn, over and over."""
