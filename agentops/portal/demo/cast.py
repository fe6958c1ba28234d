"""Who is in the demo: two organisations, their people, and our own staff."""

from __future__ import annotations

from dataclasses import dataclass

from tenants.roles import KeyScope, Plan, Role, StaffRole

PASSWORD = "follow-the-agents"  # noqa: S105  shown to everyone who starts the demo
NORTHWIND, KESTREL = "northwind", "kestrel"
ELLA, MAEVE = "cus_ella", "cus_maeve"  # the end users who have an account here
BUSY, STOPPED = "cus_outfitter_club", "cus_resale_bot"  # Northwind's: one past their limit, and one who was stopped


@dataclass(frozen=True, slots=True)
class Member:
    """`end_user`: which of the customer's own users they are, as agents name them. With an authenticator, signing in asks
    for its code, and they can be one of two."""

    name: str
    email: str
    role: Role
    end_user: str = ""
    has_authenticator: bool = False


@dataclass(frozen=True, slots=True)
class Organisation:
    """`members` begins with the owner, with whom the organisation is made."""

    slug: str
    name: str
    plan: Plan
    time_zone: str
    masking: str
    monthly_usd: int  # what it pays for its agents
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
        monthly_usd=400,
        members=(
            Member("Nora Lindqvist", "owner@northwind.example", Role.OWNER),
            Member("Tomas Weber", "admin@northwind.example", Role.ADMIN),
            Member("Aylin Demir", "auditor@northwind.example", Role.AUDITOR),
            Member("Paul Okafor", "approver@northwind.example", Role.APPROVER),
            Member("Ella Brandt", "user@northwind.example", Role.END_USER, end_user=ELLA),
            Member("Greta Lindholm", "second@northwind.example", Role.APPROVER, has_authenticator=True),
            Member("Jonas Richter", "third@northwind.example", Role.APPROVER, has_authenticator=True),
        ),
    ),
    Organisation(
        slug=KESTREL,
        name="Kestrel Bank",
        plan=Plan.ENTERPRISE,
        time_zone="Europe/Dublin",
        masking="mask",
        monthly_usd=180,
        members=(
            Member("Orla Byrne", "owner@kestrel.example", Role.OWNER),
            Member("Adrian Moss", "admin@kestrel.example", Role.ADMIN),
            Member("Ruth Adeyemi", "auditor@kestrel.example", Role.AUDITOR),
            Member("Conor Walsh", "approver@kestrel.example", Role.APPROVER),
            Member("Maeve Doyle", "user@kestrel.example", Role.END_USER, end_user=MAEVE),
            Member("Niamh Quinn", "second@kestrel.example", Role.APPROVER, has_authenticator=True),
            Member("Rafael Costa", "third@kestrel.example", Role.APPROVER, has_authenticator=True),
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
    Key("Our own app", (KeyScope.PRESENT,)),
    Key("Reporting", (KeyScope.READ,)),
    Key("Pipeline", (KeyScope.EVALS, KeyScope.ADMIN)),
)


def with_authenticator() -> list[Member]:
    return [member for one in ORGANISATIONS for member in one.members if member.has_authenticator]
