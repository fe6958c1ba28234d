"""`create_member TENANT EMAIL --role ROLE --password-stdin [--json]`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from agentops.common import clock
from agentops.common.scope import tenant_scope
from tenants import queries, services
from tenants.commands import DomainCommand, add_password, read_password
from tenants.roles import Role


class Command(DomainCommand):
    help = "Add a person to an organisation. An account that exists already keeps its password."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("tenant", metavar="TENANT", help="the organisation's short name")
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--name", default="", help="the person's name")
        add_password(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        password = read_password(options)
        tenant = queries.tenant_called(options["tenant"])
        with tenant_scope(tenant.id):
            added = services.add_member(
                tenant=tenant.id,
                email=options["email"],
                role=options["role"],
                name=options["name"],
                password=password,
                by=self.by(),
                at=clock.now(),
            )
        if not added.is_new_account:
            self.stderr.write(f"{added.user.email} had an account already; its password was not changed.")
        answer = {
            "tenant": tenant.slug,
            "email": added.user.email,
            "role": added.membership.role,
            "new_account": added.is_new_account,
        }
        return answer, f"{added.user.email} is now {added.membership.get_role_display().lower()} of {tenant.name}."
