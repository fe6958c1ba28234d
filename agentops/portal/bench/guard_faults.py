"""`bench guard-faults`: `kill -9` while agents ask the guard; no double charge, no free call, no slot held for ever.

Agents behave as the client package does: a request without an answer, or with 503, is sent again with the same call id
and the same body. Now and then an agent forgets a call after it was admitted: that one has to be charged at its hold.
"""

from __future__ import annotations

import collections
import http.client
import random
import secrets
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import orjson

from agentops.common.money import nano_usd
from agentops.portal.bench.product import PATIENCE_SECONDS, FaultError, Product, until, whole_product

TARGETS = ("web worker", "postgres", "postgres backend", "valkey", "celery worker")
AGENTS = 4
_FORGET_SHARE = 0.1
_PAUSE_SECONDS = 0.6
_MODEL = "gpt-4o-mini-2024-07-18"
_MANIFEST = {
    "agent": {
        "name": "kept", "version": "1", "model": _MODEL, "models": [_MODEL], "prompt_hash": "sha256:" + "0" * 64,
        "caps": {"runs_per_minute": 120, "runs_per_user": 20},
    },
    "tools": [
        {
            "name": "look_up", "version": "1", "effect": "read", "tier": 1,
            "arguments": {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}},
        }
    ],
}  # fmt: skip


@dataclass
class _Seen:
    """What the agents were told, together."""

    costs: dict[tuple[str, str], int] = field(default_factory=dict)  # of settled calls, by run and call
    forgotten: dict[tuple[str, str], int] = field(default_factory=dict)  # holds of calls nobody settled
    runs: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)
    statuses: collections.Counter[str] = field(default_factory=collections.Counter)
    wrong: list[str] = field(default_factory=list)
    answered_at: float = 0.0
    sent_again: int = 0

    def is_after(self, at: float) -> bool:
        """Was a call settled after this instant of the monotonic clock?"""
        return self.answered_at > at


def run(*, rounds: int, seed: int | None = None, say: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
    """Kill `rounds` times under load, then count. The answer's `sound` is the verdict. Raises FaultError."""
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    dice = random.Random(seed)
    begun = time.monotonic()
    with whole_product() as product:
        _apply(product)
        say(f"up on {product.directory} after {time.monotonic() - begun:.1f} s; seed {seed}")
        kills, seen = _kill_under_load(product, rounds, dice, say)
        _let_time_pass(product)
        until(lambda: _open(product) == (0, 0, 0), "the sweep has closed every hold and run")
        found = _charged(product)
        equal = bool(product.manage("ledger", "check", "--json")["equal"])
        again = _Agent(product, random.Random(seed), _Seen(), threading.Lock())
        starts_again = again.start() is not None
        again.close()
    wrong = _differences(seen, found)
    return {
        "runs": len(seen.runs),
        "calls_settled": len(seen.costs),
        "calls_forgotten": len(seen.forgotten),
        "requests_sent_again": seen.sent_again,
        "differences": wrong[:5],
        "ledger_equal": equal,
        "a_new_run_starts": starts_again,
        "wrong_answers": seen.wrong[:5],
        "sound": bool(seen.costs) and not wrong and equal and starts_again and not seen.wrong,
        "kills": dict(kills),
        "answers": dict(seen.statuses),
        "seed": seed,
        "seconds": round(time.monotonic() - begun, 1),
    }


def _differences(seen: _Seen, found: dict[tuple[str, str], list[int]]) -> list[str]:
    """Every call the agents know of is charged once, at what they were told; what they forgot, at its hold."""
    expected = {**seen.costs, **seen.forgotten}
    wrong = [
        f"{run_id}/{call}: charged {found.get((run_id, call), [])}, told {cost}"
        for (run_id, call), cost in expected.items()
        if sum(found.get((run_id, call), [])) != cost or (cost and len(found.get((run_id, call), [])) != 1)
    ]
    return wrong + [
        f"{run_id}/{call}: charged, and no agent knows of it" for run_id, call in set(found) - set(expected)
    ]


# -- load and kills ---------------------------------------------------------------------------------------------------


def _kill_under_load(
    product: Product, rounds: int, dice: random.Random, say: Callable[[str], None]
) -> tuple[collections.Counter[str], _Seen]:
    seen, stop, lock = _Seen(), threading.Event(), threading.Lock()
    agents = [_Agent(product, random.Random(dice.random()), seen, lock) for _ in range(AGENTS)]
    threads = [threading.Thread(target=agent.work, args=(stop,)) for agent in agents]
    for thread in threads:
        thread.start()
    kills: collections.Counter[str] = collections.Counter()
    try:
        until(lambda: seen.answered_at > 0, "the first call is settled")
        for number in range(rounds):
            time.sleep(dice.random() * _PAUSE_SECONDS)  # a random instant is the point
            target = TARGETS[number % len(TARGETS)]
            until(partial(product.has, target), f"{target} is there again")
            at = time.monotonic()
            if not product.kill(target, dice):
                continue
            kills[target] += 1
            until(partial(seen.is_after, at), f"a call is settled after the end of {target}")
            say(f"round {number + 1}: {target} killed, settled again after {time.monotonic() - at:.2f} s")
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS * 2)
    if any(thread.is_alive() for thread in threads):
        raise FaultError("an agent never got its last answer")
    return kills, seen


class _Agent:
    """One agent process: runs of a few model calls and tool calls, one after the other."""

    def __init__(self, product: Product, dice: random.Random, seen: _Seen, lock: threading.Lock) -> None:
        self.product, self.dice, self.seen, self.lock = product, dice, seen, lock
        self.link: http.client.HTTPConnection | None = None
        self.user = f"user-{dice.getrandbits(32):08x}"

    def work(self, stop: threading.Event) -> None:
        while not stop.is_set():
            run_id = self.start()
            if run_id is None:
                time.sleep(0.2)
                continue
            for number in range(self.dice.randrange(1, 5)):
                self._model_call(run_id, f"m{number}")
                self._tool_call(run_id, f"t{number}")
            if self.dice.random() < 0.9:  # some never say good-bye
                self._ask(f"{run_id}/finish", {"status": "ok"})
                self.seen.finished.add(run_id)
        self.close()

    def close(self) -> None:
        if self.link is not None:
            self.link.close()

    def start(self) -> str | None:
        body = {
            "call_id": f"{self.dice.getrandbits(64):016x}",
            "agent": "kept",
            "agent_version": "1",
            "user": self.user,
        }
        status, answer = self._ask("", body, accepted=(201, 429))
        if status == 429:
            return None
        with self.lock:
            self.seen.runs.add(answer["run_id"])
        return str(answer["run_id"])

    def _model_call(self, run_id: str, call: str) -> None:
        body = {"call_id": call, "model": _MODEL, "input_tokens": 1_000, "max_output_tokens": 500}
        _, held = self._ask(f"{run_id}/model-calls", body)
        if held["decision"] != "allow":
            with self.lock:
                self.seen.wrong.append(f"{held}")
            return
        if self.dice.random() < _FORGET_SHARE:
            with self.lock:
                self.seen.forgotten[run_id, call] = nano_usd(held["reserved_usd"])
            return
        usage = {"input_tokens": 900, "output_tokens": self.dice.randrange(1, 400)}
        _, settled = self._ask(f"{run_id}/model-calls/{call}/settlement", {"outcome": "ok", "usage": usage})
        with self.lock:
            self.seen.costs[run_id, call] = nano_usd(settled["cost_usd"])
            self.seen.answered_at = time.monotonic()

    def _tool_call(self, run_id: str, call: str) -> None:
        body = {"call_id": call, "tool": "look_up", "arguments": {"id": f"{self.dice.getrandbits(32)}"}}
        _, answer = self._ask(f"{run_id}/tool-calls", body)
        if answer["decision"] == "allow":
            self._ask(f"{run_id}/tool-calls/{call}/result", {"outcome": "ok"})

    def _ask(
        self, path: str, body: dict[str, Any], *, accepted: tuple[int, ...] = (200,)
    ) -> tuple[int, dict[str, Any]]:
        """One request, again and again until it is answered."""
        content = orjson.dumps(body)
        address = f"/api/v1/guard/runs/{path}" if path else "/api/v1/guard/runs"
        deadline = time.monotonic() + PATIENCE_SECONDS
        attempts = 0
        while time.monotonic() < deadline:
            attempts += 1
            self.link = self.link or http.client.HTTPConnection("127.0.0.1", self.product.port, timeout=20)
            try:
                self.link.request("POST", address, content, self.product.headers("application/json"))
                answer = self.link.getresponse()
                said = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.link.close()
                self.link = None
                self._note(type(error).__name__, attempts)
            else:
                self._note(str(answer.status), attempts)
                if answer.status in accepted:
                    return answer.status, orjson.loads(said)
                if answer.status != 503:
                    with self.lock:
                        self.seen.wrong.append(f"{path}: {answer.status} {said[:200]!r}")
                    raise FaultError(f"{path}: {answer.status} {said[:200]!r}")
            time.sleep(0.02 + self.dice.random() * 0.05)
        raise FaultError(f"{path} was never answered")

    def _note(self, what: str, attempts: int) -> None:
        with self.lock:
            self.seen.statuses[what] += 1
            self.seen.sent_again += attempts > 1


# -- what is stored ---------------------------------------------------------------------------------------------------


def _apply(product: Product) -> None:
    file = product.directory / "manifest.json"
    file.write_bytes(orjson.dumps(_MANIFEST))
    product.manage("apply_manifest", str(file), "--tenant", "faults", "--approve-tools", "--json")


def _let_time_pass(product: Product) -> None:
    """What is still open is overdue now: the sweep need not be waited for as long as a deadline lasts."""
    with product.connection() as link:
        link.execute("UPDATE runtime_guardedrun SET deadline = now() - interval '1 second' WHERE status = 1")
        link.execute("UPDATE budgets_reservation SET expires_at = now() - interval '1 hour' WHERE state = 'held'")


def _open(product: Product) -> tuple[int, int, int]:
    """Runs in progress, holds, and nano-dollars held in the counters of runs."""
    with product.connection() as link:
        row = link.execute(
            "SELECT (SELECT count(*) FROM runtime_guardedrun WHERE status = 1), "
            "(SELECT count(*) FROM budgets_reservation WHERE state = 'held'), "
            "(SELECT coalesce(sum(nano_held), 0)::bigint FROM runtime_guardedrun)"
        ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]


def _charged(product: Product) -> dict[tuple[str, str], list[int]]:
    """What the ledger says of each call: every amount that is not zero."""
    found: dict[tuple[str, str], list[int]] = {}
    with product.connection() as link:
        rows = link.execute("SELECT run_id, call_id, amount_nano_usd FROM budgets_ledgerentry WHERE call_id <> ''")
        for run_id, call, amount in rows.fetchall():
            if amount:
                found.setdefault((uuid.UUID(str(run_id)).hex, call), []).append(int(amount))
    return found
