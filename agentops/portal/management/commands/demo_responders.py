"""`manage.py demo_responders`: our own people in the demo, who make incidents of what no detector claims to see."""

from __future__ import annotations

import signal
from threading import Event
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from agentops.common import clock
from agentops.portal.demo import auditing, keyfile

_EVERY_SECONDS = 5.0


class Command(BaseCommand):
    help = "See to it that each of the brief's failure modes leaves an alert or an incident in the demo, until Ctrl-C or SIGTERM."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one look at each, then end")

    def handle(self, *, once: bool, **options: Any) -> None:
        from agentops.portal.demo.responding import duty, incidents, weeks
        from agentops.portal.demo.responding.cases import CASES

        if keyfile.read() is None:
            raise CommandError(f"there is no demo in {keyfile.path()}: `manage.py up --demo` makes it")
        duty.begin(at=clock.now())
        stopping, since, are_weeks_told = Event(), clock.now(), False

        def stop(number: int, frame: FrameType | None) -> None:
            stopping.set()

        if not once:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, stop)
        while True:
            if not are_weeks_told and weeks.add_up(at=clock.now(), say=self._say):
                are_weeks_told = True
                auditing.ask_export(at=clock.now())
            settled = incidents.step(since=since, at=clock.now(), say=self._say)
            if once:
                return
            if len(settled) == len(CASES) and are_weeks_told:
                self._say("each of the eight failure modes has left an alert or an incident")
                connections.close_all()
                stopping.wait()
            if stopping.wait(_EVERY_SECONDS):
                return

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
