"""`apply_manifest FILE.yaml --tenant SLUG [--approve-tools] [--json]`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from agentops.catalog import manifest, services
from agentops.catalog.api import applied_json
from agentops.catalog.types import Applied, Review
from agentops.common import clock
from agentops.common.errors import DomainError
from agentops.common.scope import tenant_scope
from tenants import queries
from tenants.commands import DomainCommand


class Command(DomainCommand):
    help = "Register an agent version, its tools, grants, caps and rules from one file. The same file again changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", metavar="FILE.yaml", type=Path, help="the manifest, in YAML or JSON")
        parser.add_argument("--tenant", required=True, metavar="SLUG", help="the organisation's short name")
        parser.add_argument(
            "--approve-tools",
            action="store_true",
            help="also record the review of its tools by you, and the approval of the version unless a gate stands before it",
        )

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        read = self._read(options["file"])
        tenant = queries.tenant_called(options["tenant"])
        with tenant_scope(tenant.id):
            applied = services.apply_manifest(
                tenant=tenant.id,
                manifest=read,
                by=self.by(),
                at=clock.now(),
                approve_tools=options["approve_tools"],
            )
        for warning in applied.warnings:
            self.stderr.write(f"{warning.pointer}: {warning.detail}")
        return applied_json(applied), _sentence(applied)

    @staticmethod
    def _read(file: Path) -> manifest.Manifest:
        try:
            with file.open("rb") as opened:
                raw = opened.read(manifest.MAX_BYTES + 1)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}") from error
        load = manifest.load_json if file.suffix == ".json" else manifest.load_yaml
        try:
            return manifest.read(load(raw))
        except DomainError as refusal:
            told = [f"{problem.pointer or '/'}: {problem.detail}" for problem in refusal.problems]
            raise CommandError("\n".join(told or [refusal.detail])) from refusal


def _sentence(applied: Applied) -> str:
    name = f"{applied.agent} {applied.version}"
    told = f"{name} is registered." if applied.is_new else f"{name} was changed."
    if not applied.was_changed:
        told = f"{name} stands so already."
    told += " It is approved." if applied.is_approved else " It is not approved yet."
    waiting = [tool.name for tool in applied.tools if tool.review != Review.APPROVED]
    if waiting:
        told += f" Tools that wait for review: {', '.join(waiting)}."
    if applied.revoked:
        told += f" Taken away by a person, and still away: {', '.join(applied.revoked)}."
    return told
