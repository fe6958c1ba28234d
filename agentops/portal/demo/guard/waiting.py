"""What always waits for the demo's people: of each organisation one action of tier 2, 3 and 4, asked for by its agent.

Once people have decided, the agent takes the approval up, or leaves it, and asks for the next one a moment later; so it
does when nobody decided in time.
"""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from agentops.portal.demo.cast import ELLA, KESTREL, MAEVE, NORTHWIND
from agentops.portal.demo.guard.caller import Caller, GuardedRun
from agentops.portal.demo.guard.manifests import ORDER_DESK, TELLER, VERSION

_LOOK_SECONDS = 2.0
_REST_SECONDS = 8.0  # after a decision, before the next one is asked for
_OPEN = ("pending", "half", "cooling")


@dataclass(frozen=True, slots=True)
class Wish:
    """Something that an agent wants to do for one of the customer's users. `facts` are what the run says of the user."""

    tenant: str
    agent: str
    user: str
    tier: int
    tool: str
    arguments: Callable[[Random], dict[str, Any]]
    says: str
    facts: dict[str, Any]


_ELLA_ORDER, _MAEVE_ACCOUNT = "NW-51234", "KB-1007"
_OF_MAEVE = {"accounts": [_MAEVE_ACCOUNT]}
WISHES = (
    Wish(
        tenant=NORTHWIND,
        agent=ORDER_DESK,
        user=ELLA,
        tier=2,
        tool="send_return_label",
        arguments=lambda rng: {"order": _ELLA_ORDER, "email": "ella@post.example", "parcels": rng.randrange(1, 4)},
        says="She wants to send the tent back, so I mail her a label.",
        facts={},
    ),
    Wish(
        tenant=NORTHWIND,
        agent=ORDER_DESK,
        user=ELLA,
        tier=3,
        tool="issue_refund",
        arguments=lambda rng: {
            "order": _ELLA_ORDER,
            "amount_minor": rng.choice([1_290, 1_495, 1_890]),
            "currency": "EUR",
            "reason": "faulty zip",
        },
        says="The zip broke on the first day; the policy says money back.",
        facts={},
    ),
    Wish(
        tenant=NORTHWIND,
        agent=ORDER_DESK,
        user=ELLA,
        tier=4,
        tool="change_supplier_bank_account",
        arguments=lambda rng: {
            "supplier": "Fjellheim AS",
            "iban": f"NO{rng.randrange(10, 99)}8601111794{rng.randrange(10)}",
        },
        says="The supplier wrote that payments go to a new account from December on.",
        facts={},
    ),
    Wish(
        tenant=KESTREL,
        agent=TELLER,
        user=MAEVE,
        tier=2,
        tool="send_statement",
        arguments=lambda rng: {"account": _MAEVE_ACCOUNT, "email": f"maeve+{rng.randrange(10, 99)}@mail.example"},
        says="She asked for the statement by e-mail.",
        facts=_OF_MAEVE,
    ),
    Wish(
        tenant=KESTREL,
        agent=TELLER,
        user=MAEVE,
        tier=3,
        tool="transfer",
        arguments=lambda rng: {
            "account": _MAEVE_ACCOUNT,
            "to_iban": "IE29AIBK93115212345678",
            "to_name": "Liam Byrne",
            "amount_minor": rng.randrange(1_000, 1_900),
            "currency": "EUR",
            "purpose": "Dinner on Saturday",
        },
        says="She asked me to pay Liam back for dinner.",
        facts=_OF_MAEVE,
    ),
    Wish(
        tenant=KESTREL,
        agent=TELLER,
        user=MAEVE,
        tier=4,
        tool="raise_transfer_limit",
        arguments=lambda rng: {"account": _MAEVE_ACCOUNT, "limit_minor": rng.choice([1_000_000, 1_500_000, 2_500_000])},
        says="She buys a car on Friday and needs a higher limit for that day.",
        facts=_OF_MAEVE,
    ),
)


class Seat:
    """One wish, over and over: asked for, waited for, done or left, asked for again."""

    def __init__(self, wish: Wish, caller: Caller, rng: Random) -> None:
        self._wish, self._caller, self._rng = wish, caller, rng
        self._run: GuardedRun | None = None
        self._call = self._confirmation = ""
        self._look_at = 0.0

    def advance(self, now: float) -> None:
        """Ask, or look whether it was decided. Never waits. Raises OSError where the portal does not answer."""
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        if self._run is None:
            self._ask(now)
            return
        said = self._caller.confirmation(self._confirmation)
        if said.get("superseded_by"):
            self._confirmation = said["superseded_by"]["id"]
        elif said.get("state") not in _OPEN:
            self._end(self._run, approved=said.get("state") == "approved", now=now)

    def _ask(self, now: float) -> None:
        wish = self._wish
        run = GuardedRun(self._caller, agent=wish.agent, version=VERSION, user=wish.user, facts=wish.facts)
        self._look_at = now + _REST_SECONDS
        if not run.may_go_on:  # a kill switch, a budget: later, perhaps
            return
        self._call, decision = run.propose(wish.tool, wish.arguments(self._rng), reason=wish.says)
        if decision.get("decision") == "confirm":
            self._run, self._confirmation = run, decision["confirmation"]["id"]
        else:  # refused; or allowed, where somebody has agreed beforehand
            run.finish("ok" if decision.get("decision") == "allow" else "refused")

    def _end(self, run: GuardedRun, *, approved: bool, now: float) -> None:
        self._run, self._look_at = None, now + _REST_SECONDS
        is_done = approved and run.take_up(self._call, self._wish.tool, returns={"done": True})
        run.finish("ok" if is_done else "escalated", output="Done." if is_done else "People decided against it.")


class WaitingRoom:
    """All of them. `advance` gives each its turn."""

    def __init__(self, callers: dict[str, Caller], rng: Random) -> None:
        self._seats = [Seat(wish, callers[wish.tenant], rng) for wish in WISHES]

    def advance(self) -> None:
        """A portal that does not answer costs a look, not the demo."""
        for seat in self._seats:
            try:
                seat.advance(time.monotonic())
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                continue
