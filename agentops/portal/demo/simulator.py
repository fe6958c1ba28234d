"""Lets the timetable happen: first what would have happened in the past hours, then what happens now."""

from __future__ import annotations

import dataclasses
import json
import time
import urllib.request
from collections.abc import Callable
from datetime import datetime
from random import Random
from threading import Event

from agentops.common.clock import NANOS
from agentops.portal.demo import agents, history, pipeline, timetable
from agentops.portal.demo.guard.troupe import Troupe
from agentops.portal.demo.keyfile import DemoKeys
from agentops.portal.demo.mishaps import MISHAPS, Sender
from agentops.portal.demo.scenarios import SCENARIOS
from agentops.portal.demo.scenarios.hallucination import dollars_for_pesos
from agentops.portal.demo.stage import Stage
from agentops.portal.demo.steps import Moment, Step, Story
from agentops.portal.demo.telemetry import Line
from agentops.portal.demo.timetable import SEED, Booking

BACKFILL_SECONDS = 30.0  # how long the past takes, however fast the portal is: people are signing in meanwhile
_PART = 40  # runs after which the portal is waited for
_TICK_SECONDS = 0.25


class Simulator:
    """Every organisation's agents, those that only tell and those that ask the guard. `stopping` ends it from outside, at the next tick."""

    def __init__(self, *, base_url: str, keys: DemoKeys, stopping: Event, say: Callable[[str], None]) -> None:
        self._base_url = base_url
        self._keys = keys
        self._stopping = stopping
        self._say = say
        self._begun = keys.begun_at.timestamp()
        self._lines = {slug: Line(base_url=base_url, key=texts["ingest"]) for slug, texts in keys.keys.items()}
        self._stages = {slug: Stage(line) for slug, line in self._lines.items()}
        self._troupe = Troupe(base_url, keys)
        self._senders = [Sender(base_url, texts["ingest"]) for texts in keys.keys.values()]

    def fill_past(self, *, hours: float) -> float:
        """Send what the portal misses of the last `hours`, oldest first, at a pace that leaves it room for people.

        Answers until when, in seconds since the epoch, it is filled in.
        """
        until = time.time()
        since = max(until - hours * 3600, *(self._newest(slug) for slug in self._lines))
        bookings = timetable.between(since, until, timetable.PAST)
        self._troupe.seat()
        if not bookings:
            return until
        self._say(f"filling in {(until - since) / 3600:.1f} hours: {len(bookings)} runs")
        seconds = BACKFILL_SECONDS * min(1.0, (until - since) / (48 * 3600))
        began = time.monotonic()
        for count, booking in enumerate(bookings, start=1):
            self._begin(booking)
            if count % _PART == 0:
                self._send()
                if self._stopping.wait(max(0.0, began + seconds * count / len(bookings) - time.monotonic())):
                    break
        self._send()
        self._say(f"filled in after {time.monotonic() - began:.0f} s")
        return until

    def tell_opening(self) -> None:
        """Spend what came near to limits in the weeks before, unless that is done."""
        self._troupe.open()

    def tell_history(self) -> None:
        """Send the weeks in which the quality of two agents changed, and try their releases, unless that is there."""
        count = history.send(base_url=self._base_url, keys=self._keys)
        if count:
            self._say(f"told {history.WEEKS} weeks of two agents: {count} runs")
        suites = pipeline.run(base_url=self._base_url, keys=self._keys)
        if suites:
            self._say(f"ran {suites} suites of a release")

    def play_once(self) -> None:
        """One ordinary run of every story, every scenario, every mishap and the nightly run, all just over."""
        at = time.time()
        stories = [story for _, story in agents.STORIES]
        stories += [scenario.story for scenario in SCENARIOS] + [dollars_for_pesos, agents.NIGHTLY]
        for number, story in enumerate(stories):
            self._play(story, at=at, seed=f"{SEED}/once/{at}/{number}", is_over=True)
        for number in range(2 * len(MISHAPS)):
            self._begin(Booking(at, "mishap", f"{SEED}/once/mishap/{at}/{number}", number))
        self._troupe.play_once()

    def play_on(self, *, since: float, rate: float) -> None:
        """Live runs, `rate` per second on average over all organisations, from `since` on until stopped."""
        pace = dataclasses.replace(timetable.LIVE, runs=rate)
        while not self._stopping.wait(_TICK_SECONDS):
            now = time.time()
            for booking in timetable.between(since, now, pace):
                self._begin(booking)
            since = now
            self._advance()
            self._troupe.advance()

    def stop(self) -> None:
        """End what has begun, and send what is left."""
        self._troupe.stop()
        now_ns = time.time_ns()
        for stage in self._stages.values():
            stage.stop(now_ns)

    def _begin(self, booking: Booking) -> None:
        rng = Random(booking.seed)
        match booking.what:
            case "mishap":
                turn, index = divmod(booking.number, len(MISHAPS))  # all of them to one, then all to the next
                MISHAPS[index](self._senders[turn % len(self._senders)], rng, int(booking.at * NANOS))
            case "scenario":
                self._play(_scenario(booking.number), at=booking.at, seed=booking.seed)
            case "nightly":
                self._play(agents.NIGHTLY, at=booking.at, seed=booking.seed)
            case _:
                self._play(agents.any_story(rng), at=booking.at, seed=booking.seed)

    def _play(self, story: Story, *, at: float, seed: str, is_over: bool = False) -> None:
        root: Step = story(Moment(rng=Random(seed), hours=(at - self._begun) / 3600))
        assert root.agent is not None
        begin = at - sum(turn.pause + turn.length() for turn in root.turns()) - 1 if is_over else at
        self._stages[root.agent.tenant].begin(root, at_ns=int(begin * NANOS), seed=f"{seed}/ids")

    def _advance(self) -> None:
        now_ns = time.time_ns()
        for stage in self._stages.values():
            stage.advance(now_ns)

    def _send(self) -> None:
        """What is over goes out now, not with the exporters' next batch: the past comes before the present."""
        self._advance()
        for line in self._lines.values():
            line.flush()

    def _newest(self, slug: str) -> float:
        """When the newest run of an organisation began, in seconds since the epoch; 0 where there is none."""
        request = urllib.request.Request(  # noqa: S310  the address is the operator's
            f"{self._base_url}/api/v1/runs?limit=1",
            headers={"Authorization": f"Bearer {self._keys.keys[slug]['read']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            found = json.load(answer)["results"]
        return datetime.fromisoformat(found[0]["started_at"]).timestamp() if found else 0.0


def _scenario(number: int) -> Story:
    """The scenarios in turn; the second of them has two faces."""
    turn, index = divmod(number, len(SCENARIOS))
    if SCENARIOS[index].name == "hallucinated_arguments" and turn % 3 == 2:
        return dollars_for_pesos
    return SCENARIOS[index].story
