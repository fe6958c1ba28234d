"""`gate AGENT VERSION --tenant SLUG [--run] [--json]`: exit 0 passed, 1 failed, 2 not decided, or wrong usage."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser

from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from evals import services
from evals.api.gates import standing_json
from evals.errors import Undecided
from evals.queries import gates as queries
from evals.types import GateVerdictKind
from tenants import queries as tenants
from tenants.commands import DomainCommand

FAILED, UNDECIDED = 1, 2
_LOOK_EVERY = 1.0  # second


class Command(DomainCommand):
    help = (
        "Decide whether an agent version passes its gate, by the suites that were run on it. Exit code: 0 it passed, 1 it "
        "failed, 2 nothing was decided."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("agent", metavar="AGENT")
        parser.add_argument("version", metavar="VERSION")
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="the organisation's short name")
        parser.add_argument(
            "--run",
            action="store_true",
            help="first run what is missing at the agent's registered address, and wait for it",
        )
        parser.add_argument(
            "--wait", type=int, default=3_600, metavar="SECONDS", help="at most so long (default: an hour)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        agent, version = options["agent"], options["version"]
        try:
            tenant = tenants.tenant_called(options["tenant"])
            if options["run"]:
                self._run_missing(tenant.id, agent, version, options["wait"])
            with tenant_scope(tenant.id):
                found = services.decide_gate(
                    tenant=tenant.id, agent=agent, version=version, by=self.by(), at=clock.now()
                )
                answer = standing_json(queries.standing(tenant=tenant.id, agent=agent, version=version))
        except DomainError as refusal:
            raise CommandError(refusal.detail, returncode=UNDECIDED) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        has_passed = found.verdict == GateVerdictKind.PASSED
        if has_passed and not options["json"]:
            self.stdout.write(self.style.SUCCESS(found.sentence))
        if not has_passed:
            commands = [each["command"] for each in found.detail["requirements"] if each["command"]]
            raise CommandError("\n  ".join([found.sentence, *commands]), returncode=FAILED)

    def _run_missing(self, tenant: uuid.UUID, agent: str, version: str, seconds: int) -> None:
        """Raises Undecided where it takes too long: what was begun goes on, and the next call finds it."""
        with tenant_scope(tenant):
            begun = services.run_gate_suites(tenant=tenant, agent=agent, version=version, by=self.by(), at=clock.now())
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with tenant_scope(tenant):
                waits = queries.still_running(tenant=tenant, agent=agent, version=version)
            if not waits:
                return
            time.sleep(_LOOK_EVERY)
        raise Undecided(f"{len(begun)} suites were begun, and not all ended within {seconds} s: ask again later.")
