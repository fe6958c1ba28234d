"""The kill switch, pressed while agents work: when the last of them was refused, and what still happened after it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from agentops.portal.drills.ground import CAP, MODEL, SWITCH_REASON
from agentops.portal.drills.interfaces import Interfaces, now

WORKERS = 3
_WARM_SECONDS, _REFUSED_SECONDS = 1.0, 10.0


@dataclass(frozen=True, slots=True)
class Contained:
    """`set_at` is the switch's own time. `last_step` is how long after it a step was still let through, by the guard's
    committed decisions; None: none was. `refused_after` is from pressing until the last worker had heard of it; None: not all did."""

    switch: str
    pressed_at: datetime
    set_at: datetime
    asked: int  # steps that were let through before
    refused_after: timedelta | None
    last_step: timedelta | None
    refused: int


@dataclass
class _Worker:
    """An agent at work. Its steps are those of ordinary runs, one after the other."""

    portal: Interfaces
    agent: str
    number: int
    asked: int = 0
    refused_at: datetime | None = None
    failed: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        try:
            while not self.stopping.is_set() and self.refused_at is None:
                self._run()
        except Exception as error:  # a worker that breaks is a result, not an end of the drill
            self.failed = f"{type(error).__name__}: {error}"

    def _run(self) -> None:
        run = self.portal.try_run(self.agent, f"drill-worker-{self.number}")
        if not run.may_go_on:
            self._hear(run.refusal)
            time.sleep(0.05)
            return
        for turn in range(CAP - 1):
            answer = run.model(MODEL, tokens=200 + turn, answer_tokens=10)
            if answer.get("decision") != "allow":
                self._hear(answer)
                return
            self.asked += 1
            if self.stopping.wait(0.4):
                break
        run.finish("ok")

    def _hear(self, answer: dict[str, Any]) -> None:
        if answer.get("code") == "killed":
            self.refused_at = now()


def contain(portal: Interfaces, agent: str) -> Contained:
    """Let agents work, press the switch, and wait until each was refused."""
    workers = [_Worker(portal, agent, number) for number in range(WORKERS)]
    threads = [threading.Thread(target=worker.work, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(_WARM_SECONDS)
    asked = sum(worker.asked for worker in workers)
    pressed_at = now()
    switch = portal.press(agent, SWITCH_REASON)
    try:
        return _watched(portal, switch, workers, threads, asked=asked, pressed_at=pressed_at)
    except BaseException:  # Ctrl-C, too: nobody else knows of the switch yet
        portal.lift(switch["id"], "The drill broke off.")
        raise


def _watched(
    portal: Interfaces,
    switch: dict[str, Any],
    workers: list[_Worker],
    threads: list[threading.Thread],
    *,
    asked: int,
    pressed_at: datetime,
) -> Contained:
    """What the switch does, once it is pressed."""
    ends = time.monotonic() + _REFUSED_SECONDS
    while any(thread.is_alive() for thread in threads) and time.monotonic() < ends:
        time.sleep(0.02)
    for worker in workers:
        worker.stopping.set()
    for thread in threads:
        thread.join(5)
    set_at = datetime.fromisoformat(switch["set_at"])
    proof = portal.switch(switch["id"])["proof"]
    last = proof["last_step_after"]
    heard = [worker.refused_at for worker in workers]
    return Contained(
        switch=switch["id"],
        pressed_at=pressed_at,
        set_at=set_at,
        asked=asked,
        refused_after=None if None in heard else max(at for at in heard if at) - pressed_at,
        last_step=datetime.fromisoformat(last) - set_at if last else None,
        refused=proof["refused_since"],
    )
