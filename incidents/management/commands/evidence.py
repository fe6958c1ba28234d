"""`evidence verify INC-2026-0042`: is what was kept still what it was? The exit code says so."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from agentops.common.errors import DomainError
from incidents.queries import custody
from incidents.queries.named import incident_called
from tenants.house import house_scope


class Command(BaseCommand):
    help = "Check the evidence of an incident: bytes, digests, manifest, and the audit logs that commit to it."

    def add_arguments(self, parser: CommandParser) -> None:
        asked = parser.add_subparsers(dest="what", required=True)
        verify = asked.add_parser("verify", help="recompute every digest and compare it with the logs")
        verify.add_argument("ref", help="such as INC-2026-0042")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with house_scope():
                incident = incident_called(options["ref"])
        except DomainError as refusal:
            raise CommandError(refusal.detail) from refusal
        results = custody.check(incident)
        if not results:
            raise CommandError(f"{incident.ref} has no complete evidence yet.")
        for result in results:
            kept = result.items - result.released
            self.stdout.write(
                f"{incident.ref} snapshot {result.number}: {kept} items with bytes, {result.released} let go, "
                f"manifest {result.manifest}, the same in {result.logs} logs"
            )
            for problem in result.problems:
                self.stdout.write(f"  WRONG: {problem}")
        if any(result.problems for result in results):
            sys.exit(1)
        self.stdout.write("Sound: every byte is what was kept.")
