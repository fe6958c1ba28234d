"""`manage.py demo_world`: the organisations and people of the demo. Run again, it changes nothing."""

from __future__ import annotations

import logging
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from agentops import env
from agentops.common import clock
from agentops.portal.demo import authenticators, cast, judging, parcels, world
from agentops.portal.demo.scenarios import SCENARIOS


class Command(BaseCommand):
    help = "Make the demo's two organisations, with people of every role, and print how to sign in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default="", help="put before the addresses of what to look at")
        parser.add_argument("--judge-stub", default="", help="where `judge_stub` answers; without it nothing is judged")

    def handle(self, *args: Any, **options: Any) -> None:
        logging.getLogger("tenants").setLevel(logging.WARNING)  # a line per colleague would bury what follows
        found = world.make(at=clock.now())
        parcels.make(at=clock.now())
        if options["judge_stub"]:
            judging.make(url=options["judge_stub"], at=clock.now())
        roles = max(len(credential.role) for credential in found)
        for place, credentials in groupby(found, key=lambda credential: credential.place):
            self.stdout.write(place)
            for credential in credentials:
                self.stdout.write(f"  {credential.role:<{roles}}  {credential.email}")
        self.stdout.write(f"Everybody's password: {cast.PASSWORD}")
        self._show_waiting()
        self.stdout.write("How agents fail, again every few minutes:")
        names = max(len(scenario.name) for scenario in SCENARIOS)
        for scenario in SCENARIOS:
            place = f"{options['base_url']}/t/{scenario.tenant}/runs/?{urlencode(scenario.look_for)}"
            self.stdout.write(f"  {scenario.name:<{names}}  {place}")

    def _show_waiting(self) -> None:
        """Who can decide what waits, and with which second factor."""
        self.stdout.write("Actions of tier 2, 3 and 4 wait for them in Inbox, always one of each:")
        self.stdout.write(
            "  tiers 2 and 3: the end user, or an approver; tier 4: two of the people with an authenticator"
        )
        for member in cast.with_authenticator():
            secret, address = authenticators.secret_of(member), authenticators.address_of(member)
            self.stdout.write(f"  {member.name:<14}  {secret}  {address}")
        self.stdout.write("  without an app: manage.py demo_codes")
        if settings.EMAIL_BACKEND.endswith(".console.EmailBackend"):
            self.stdout.write(f"  mailed codes: {env.data_dir() / 'log' / 'worker.log'}")
