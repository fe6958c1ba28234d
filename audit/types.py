"""Words of the audit log: categories, outcomes, who acted, on what."""

from __future__ import annotations

from dataclasses import dataclass

from django.db import models


class Category(models.IntegerChoices):
    AGENT = 1, "Agent"
    APPROVAL = 2, "Approval"
    ADMIN = 3, "Administration"
    AUTH = 4, "Sign-in"
    DATA = 5, "Data"
    INCIDENT = 6, "Incident"
    INTEGRITY = 7, "Integrity"


class Outcome(models.IntegerChoices):
    SUCCESS = 1, "Success"
    FAILURE = 2, "Failure"
    DENIED = 3, "Denied"
    PENDING = 4, "Pending"
    UNKNOWN = 5, "Unknown"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: `type` is user, agent, service, staff or system; `id` is stable, `label` is for reading."""

    type: str
    id: str
    label: str

    @property
    def user_id(self) -> int | None:
        """The account of a person; None for everybody else."""
        kind, _, number = self.id.partition(":")
        return int(number) if kind in ("user", "staff") else None


@dataclass(frozen=True, slots=True)
class Target:
    """What it was done to."""

    type: str
    id: str


def operator(name: str = "operator") -> Actor:
    """Somebody at the command line of the machine that runs the portal."""
    return Actor(type="system", id=f"cli:{name}", label=f"{name} (command line)")


SYSTEM = Actor(type="system", id="agentops", label="agentops")
