"""`manage.py demo_traffic`: simulated agents, which speak to the portal as a customer's do."""

from __future__ import annotations

import signal
import urllib.error
from threading import Event
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agentops.portal.demo import keyfile, timetable
from agentops.portal.demo.simulator import Simulator

_HISTORY_FROM_HOURS = 24  # who fills in less wants no weeks


class Command(BaseCommand):
    help = "Send the traffic of the demo's agents over HTTP: first the past hours, then live, until Ctrl-C or SIGTERM."
    requires_system_checks = []  # it is a customer: it has no database

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default="http://localhost:8000", help="where the portal answers")
        parser.add_argument("--once", action="store_true", help="one run of every kind, then end")
        parser.add_argument("--rate", type=float, default=timetable.LIVE.runs, help="live runs per second")
        parser.add_argument("--backfill-hours", type=float, default=48.0, help="how much of the past to fill in")

    def handle(self, *, base_url: str, once: bool, rate: float, backfill_hours: float, **options: Any) -> None:
        keys = keyfile.read()
        if keys is None:
            raise CommandError(f"there are no keys in {keyfile.path()}: `manage.py up --demo` makes them")
        stopping = Event()

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        if not once:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
        simulator = Simulator(base_url=base_url.rstrip("/"), keys=keys, stopping=stopping, say=self._say)
        try:
            if once:
                simulator.play_once()
            else:
                has_weeks = backfill_hours >= _HISTORY_FROM_HOURS
                if has_weeks:
                    simulator.tell_opening()
                filled_until = simulator.fill_past(hours=backfill_hours)
                if has_weeks:
                    simulator.tell_history()
                simulator.play_on(since=filled_until, rate=rate)
        except urllib.error.URLError as error:
            raise CommandError(f"{base_url} does not answer: {error}") from error
        finally:
            simulator.stop()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
