"""`manage.py demo_codes`: what the authenticator apps of the demo's people show now."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from agentops.portal.demo import authenticators, cast


class Command(BaseCommand):
    help = "Print the codes that the authenticator apps of the demo's people show now, for whoever has set up no app."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for member in cast.with_authenticator():
            self.stdout.write(f"{authenticators.code_of(member)}  {member.email}")
