"""`create_tenant SLUG --name NAME --plan PLAN --owner EMAIL --password-stdin [--json]`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from agentops.budgets import services as budgets
from agentops.common import clock
from agentops.common.scope import tenant_scope
from tenants import services
from tenants.commands import DomainCommand, add_password, read_password
from tenants.roles import Plan


class Command(DomainCommand):
    help = "Make an organisation with its owner. An account that exists already keeps its password."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("slug", help="its short name in URLs: lower-case letters, digits and hyphens")
        parser.add_argument("--name", required=True)
        parser.add_argument("--plan", required=True, choices=Plan.values)
        parser.add_argument("--owner", required=True, metavar="EMAIL")
        add_password(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        tenant = services.create_tenant(
            slug=options["slug"],
            name=options["name"],
            plan=options["plan"],
            owner_email=options["owner"],
            password=read_password(options),
            by=self.by(),
            at=clock.now(),
        )
        with tenant_scope(tenant.id):
            budgets.apply_plan(tenant=tenant.id, plan=tenant.plan, at=clock.now())
        owner = options["owner"].strip().lower()
        answer = {"tenant": tenant.slug, "tenant_id": str(tenant.id), "owner": owner}
        return answer, f"{tenant.name} is at /t/{tenant.slug}/, owned by {owner}."
