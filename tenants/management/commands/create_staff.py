"""`create_staff EMAIL --roles ROLE,ROLE --password-stdin [--json]`"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from agentops.common import clock
from tenants import services
from tenants.commands import DomainCommand, add_password, read_password
from tenants.roles import StaffRole


class Command(DomainCommand):
    help = "Give one of our own people staff roles. An account that exists already keeps its password and its roles."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email", metavar="EMAIL")
        parser.add_argument("--roles", required=True, help=f"separated by commas: {','.join(StaffRole.values)}")
        parser.add_argument("--name", default="", help="the person's name")
        add_password(parser)

    def run(self, **options: Any) -> tuple[dict[str, Any], str]:
        roles = [role.strip() for role in options["roles"].split(",") if role.strip()]
        user = services.create_staff(
            email=options["email"],
            roles=roles,
            name=options["name"],
            password=read_password(options),
            by=self.by(),
            at=clock.now(),
        )
        return {"email": user.email, "roles": roles}, f"{user.email} is staff: {', '.join(roles)}."
