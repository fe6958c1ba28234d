"""Who is in the demo: two organisations, their people, and our own staff."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.roles import KeyScope, Plan, Role, StaffRole

PASSWORD = "follow-the-agents"  # noqa: S105  shown to everyone who starts the demo
NORTHWIND, KESTREL = "northwind", "kestrel"


@dataclass(frozen=True, slots=True)
class Member:
    name: str
    email: str
    role: Role


@dataclass(frozen=True, slots=True)
class Organisation:
    """`members` begins with the owner, with whom the organisation is made."""

    slug: str
    name: str
    plan: Plan
    time_zone: str
    masking: str
    members: tuple[Member, ...]


@dataclass(frozen=True, slots=True)
class Staff:
    name: str
    email: str
    role: StaffRole


@dataclass(frozen=True, slots=True)
class Key:
    """An API key of each organisation: its name there, and its scopes."""

    name: str
    scopes: tuple[KeyScope, ...]


ORGANISATIONS = (
    Organisation(
        slug=NORTHWIND,
        name="Northwind Outfitters",
        plan=Plan.PRO,
        time_zone="Europe/Berlin",
        masking="hash",
        members=(
            Member("Nora Lindqvist", "owner@northwind.example", Role.OWNER),
            Member("Tomas Weber", "admin@northwind.example", Role.ADMIN),
            Member("Aylin Demir", "auditor@northwind.example", Role.AUDITOR),
            Member("Paul Okafor", "approver@northwind.example", Role.APPROVER),
            Member("Ella Brandt", "user@northwind.example", Role.END_USER),
        ),
    ),
    Organisation(
        slug=KESTREL,
        name="Kestrel Bank",
        plan=Plan.ENTERPRISE,
        time_zone="Europe/Dublin",
        masking="mask",
        members=(
            Member("Orla Byrne", "owner@kestrel.example", Role.OWNER),
            Member("Adrian Moss", "admin@kestrel.example", Role.ADMIN),
            Member("Ruth Adeyemi", "auditor@kestrel.example", Role.AUDITOR),
            Member("Conor Walsh", "approver@kestrel.example", Role.APPROVER),
            Member("Maeve Doyle", "user@kestrel.example", Role.END_USER),
        ),
    ),
)

STAFF = (
    Staff("Sam Ito", "on-call@agentops.example", StaffRole.ON_CALL),
    Staff("Elif Kaya", "eval-owner@agentops.example", StaffRole.EVAL_OWNER),
    Staff("Carl Jensen", "cost-owner@agentops.example", StaffRole.COST_OWNER),
    Staff("Quinn Harper", "quality-owner@agentops.example", StaffRole.QUALITY_OWNER),
    Staff("Ines Moreau", "incident-commander@agentops.example", StaffRole.INCIDENT_COMMANDER),
    Staff("Tara Novak", "tool-reviewer@agentops.example", StaffRole.TOOL_REVIEWER),
    Staff("Sofia Marin", "success-manager@agentops.example", StaffRole.SUCCESS_MANAGER),
)

KEYS = (
    Key("Production agents", (KeyScope.INGEST, KeyScope.FEEDBACK)),
    Key("Agent guard", (KeyScope.GUARD,)),
    Key("Reporting", (KeyScope.READ,)),
)
