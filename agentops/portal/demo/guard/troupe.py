"""Plays the guarded agents of every organisation, side by side with the traced ones."""

from __future__ import annotations

import contextlib
import itertools
import time
import urllib.error
from collections.abc import Iterator
from random import Random

from agentops.portal.demo import opening
from agentops.portal.demo.guard.caller import Caller
from agentops.portal.demo.guard.plays import PLAYS
from agentops.portal.demo.guard.waiting import WaitingRoom
from agentops.portal.demo.keyfile import DemoKeys

_EVERY_SECONDS = 6.0
_MOST = 12  # plays at once


class Troupe:
    """`advance` gives every play that is due its next line."""

    def __init__(self, base_url: str, keys: DemoKeys) -> None:
        self._callers = {slug: Caller(base_url, keys.keys[slug]) for slug in PLAYS}
        self._next = {slug: itertools.cycle(plays) for slug, plays in PLAYS.items()}
        self._begun_at = keys.begun_at
        self._rng = Random(keys.begun_at.isoformat())
        self._waiting_room = WaitingRoom(self._callers, self._rng)
        self._on_stage: list[tuple[float, Iterator[float]]] = []
        self._begin_at = 0.0

    def play_once(self) -> None:
        """Every play from its beginning to its end, without its pauses."""
        self.open()
        for slug, plays in PLAYS.items():
            for play in dict.fromkeys(plays):
                for _ in play(self._callers[slug], self._rng):
                    pass

    def open(self) -> None:
        """Limits and notices are there from the first moment on, before the past is filled in."""
        opening.play(self._callers, at=self._begun_at)

    def seat(self) -> None:
        """What waits for people waits from the first moment on, before the past is filled in."""
        self._waiting_room.advance()

    def stop(self) -> None:
        """Nobody stays in the middle of a sentence; a portal that is gone ends the runs by their deadlines."""
        self._on_stage.clear()
        for caller in self._callers.values():
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                caller.stop()

    def advance(self) -> None:
        """Never waits; a portal that does not answer costs a play, not the demo."""
        self._waiting_room.advance()
        now = time.monotonic()
        if now >= self._begin_at and len(self._on_stage) < _MOST:
            self._begin_at = now + _EVERY_SECONDS
            for slug, caller in self._callers.items():
                self._on_stage.append((now, next(self._next[slug])(caller, self._rng)))
        due = [one for one in self._on_stage if one[0] <= now]
        self._on_stage = [one for one in self._on_stage if one[0] > now]
        for _, play in due:
            try:
                self._on_stage.append((now + next(play), play))
            except (StopIteration, urllib.error.URLError, ConnectionError, TimeoutError):
                continue
