"""`manage.py drill`: play a failure mode on the drill ground, and print how soon it was seen, told and stopped."""

from __future__ import annotations

import json
import sys
import urllib.error
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from agentops.common.errors import DomainError
from agentops.portal.engines import programs


class Command(BaseCommand):
    help = "Play a failure mode through the public interfaces of a running portal, and print the times. Exit code 1: a bound was missed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("modes", nargs="*", help="which; see --list")
        parser.add_argument("--all", action="store_true", help="every mode, one after the other")
        parser.add_argument("--list", action="store_true", help="name the modes and end")
        parser.add_argument("--base-url", default="http://localhost:8000", help="where the portal answers")
        parser.add_argument(
            "--pager-port", type=int, help="where the drill's own pager listens (of --base-url's port: 2000 above)"
        )
        parser.add_argument("--json", action="store_true", help="the last line is one JSON array")

    def handle(self, *args: Any, **options: Any) -> None:
        from agentops.portal.drills.modes import BY_NAME, MODES

        if options["list"]:
            for mode in MODES:
                self.stdout.write(f"{mode.name:<17} {mode.number}  {mode.sentence}")
            return
        names = [mode.name for mode in MODES] if options["all"] else list(dict.fromkeys(options["modes"]))
        unknown = [name for name in names if name not in BY_NAME]
        if unknown or not names:
            wrong = f"there is no mode {unknown[0]!r}" if unknown else "which mode?"
            raise CommandError(f"{wrong} Give --all or some of: {', '.join(BY_NAME)}.")
        base_url = str(options["base_url"]).rstrip("/")
        try:
            port = options["pager_port"] or programs.pager_port(base_url)
            results = self._play([BY_NAME[name] for name in names], base_url, port)
        except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
            raise CommandError(f"{base_url} does not answer: {error}") from error
        except OSError as error:
            raise CommandError(f"the drill's pager cannot listen (is another drill played?): {error}") from error
        except (ValueError, RuntimeError, DomainError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            from agentops.portal.drills import report

            self.stdout.write(json.dumps([report.as_json(each) for each in results]))
        if not all(each.is_sound for each in results):
            sys.exit(1)

    def _play(self, modes: list[Any], base_url: str, port: int) -> list[Any]:
        from agentops.portal.drills import drill, ground, pager, report
        from agentops.portal.drills.interfaces import Interfaces

        host = f"127.0.0.1:{port}"
        settings.WEBHOOK_ALLOWED_HOSTS = [
            *settings.WEBHOOK_ALLOWED_HOSTS,
            host,
        ]  # for the check of the target's address
        results = []
        with ground.opened() as place, pager.listening(port) as listening, drill.paged_at(listening.address) as target:
            portal = Interfaces(base_url, place.keys)
            drill.tidy_up_before(place)
            slow = [drill.begin(mode, portal, place) for mode in modes if mode.is_slow]
            for mode in modes:
                if not mode.is_slow:
                    begun = drill.begin(mode, portal, place)
                    results.append(self._tell(report, drill.follow(begun, portal, place, listening, target)))
            results += [self._tell(report, drill.follow(begun, portal, place, listening, target)) for begun in slow]
        if any("no page arrived" in wrong for each in results for wrong in each.wrong):
            self.stdout.write(
                f"Workers may ring the drill's pager only where they were started with AGENTOPS_WEBHOOK_ALLOWED_HOSTS={host}; "
                "`up --demo` does that by itself."
            )
        return results

    def _tell(self, report: Any, result: Any) -> Any:
        for line in report.lines(result):
            self.stdout.write(line)
        self.stdout.flush()
        return result
