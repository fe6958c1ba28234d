"""`create_api_key TENANT --scopes SCOPE,SCOPE [--json]`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from agentops.common import clock
from agentops.common.scope import tenant_scope
from tenants import queries, services
from tenants.commands import DomainCommand
from tenants.roles import KeyScope


class Command(DomainCommand):
    help = "Make an API key of an organisation. It is printed once and never again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("tenant", metavar="TENANT", help="the organisation's short name")
        parser.add_argument("--scopes", required=True, help=f"separated by commas: {','.join(KeyScope.values)}")
        parser.add_argument("--name", default="command line", help="what will use the key")

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        tenant = queries.tenant_called(options["tenant"])
        with tenant_scope(tenant.id):
            made = services.create_key(
                tenant=tenant.id,
                name=options["name"],
                scopes=[text.strip() for text in options["scopes"].split(",") if text.strip()],
                by=self.by(),
                at=clock.now(),
            )
        return {"key": made.text, "id": str(made.key.id), "scopes": made.key.scopes}, made.text
