"""`replay RUN_ID --tenant SLUG [--agent-endpoint]`: freeze a run's tape, and have the agent's address replay it.

Exit codes: 0 the same, 1 it differs, 2 nothing was replayed (without --agent-endpoint: the tape is frozen, and the command
for the client is printed).
"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from agentops.common import clock
from agentops.common.ids import trace_uuid
from agentops.common.scope import tenant_scope
from evals import services
from evals.atendpoint import NotTold, replay_at_endpoint
from evals.sets import replaying
from tenants import queries as tenants
from tenants.commands import DomainCommand


class Command(DomainCommand):
    help = "Replay a recorded run with its recorded tools, and compare."
    code = 0

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("run_id", metavar="RUN_ID", help="32 hex digits")
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="the organisation's short name")
        parser.add_argument(
            "--agent-endpoint", action="store_true", help="have the agent's registered address replay it"
        )
        parser.add_argument("--agent-version", default="", help="the agent version that replays it")

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        if self.code:
            raise SystemExit(self.code)

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        try:
            run_id = trace_uuid(options["run_id"].lower())
        except ValueError as error:
            raise CommandError("RUN_ID is 32 hex digits", returncode=2) from error
        tenant = tenants.tenant_called(options["tenant"]).id
        with tenant_scope(tenant):
            made = services.open_replay(
                tenant=tenant, run_id=run_id, agent_version=options["agent_version"], by=self.by(), at=clock.now()
            )
        answer: dict[str, Any] = {"replay": str(made.id), "run_id": run_id.hex, "tape_digest": made.tape_digest}
        if not options["agent_endpoint"]:
            self.code = 2
            command = f"python -m agentops_client.evals replay {run_id.hex} --call MODULE:NAME"
            return answer, f"Its tape is frozen ({made.tape_digest}). Where the agent lives: {command}"
        try:
            told = replay_at_endpoint(tenant=tenant, replay=made.id)
        except NotTold as error:
            raise CommandError(str(error), returncode=2) from error
        with tenant_scope(tenant):
            done = services.take_replay_result(
                tenant=tenant, replay=made.id, result=replaying.result_of(told), at=clock.now()
            )
        self.code = 0 if done.is_same else 1
        answer |= {"same": done.is_same, "result_digest": done.result_digest, "first": done.diff["first"]}
        if done.is_same:
            return answer, "The same steps and the same output."
        first = done.diff["first"]
        return answer, "The output differs." if first is None else f"Step {first + 1} differs."
