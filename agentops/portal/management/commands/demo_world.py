"""`manage.py demo_world`: the organisations and people of the demo. Run again, it changes nothing."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.core.management.base import BaseCommand, CommandParser

from agentops.common import clock
from agentops.portal.demo import cast, world
from agentops.portal.demo.scenarios import SCENARIOS


class Command(BaseCommand):
    help = "Make the demo's two organisations, with people of every role, and print how to sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default="", help="put before the addresses of what to look at")

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("tenants").setLevel(logging.WARNING)  # a line per colleague would bury what follows
        found = world.make(at=clock.now())
        roles = max(len(credential.role) for credential in found)
        for place, credentials in groupby(found, key=lambda credential: credential.place):
            self.stdout.write(place)
            for credential in credentials:
                self.stdout.write(f"  {credential.role:<{roles}}  {credential.email}")
        self.stdout.write(f"Everybody's password: {cast.PASSWORD}")
        self.stdout.write("How agents fail, again every few minutes:")
        names = max(len(scenario.name) for scenario in SCENARIOS)
        for scenario in SCENARIOS:
            place = f"{options['base_url']}/t/{scenario.tenant}/runs/?{urlencode(scenario.look_for)}"
            self.stdout.write(f"  {scenario.name:<{names}}  {place}")
