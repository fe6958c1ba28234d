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


# What is looked for most: agreements, and what people changed.
SENSITIVE = (Category.APPROVAL, Category.ADMIN, Category.INTEGRITY)


class Outcome(models.IntegerChoices):
    SUCCESS = 1, "Success"
    FAILURE = 2, "Failure"
    DENIED = 3, "Denied"
    PENDING = 4, "Pending"
    UNKNOWN = 5, "Unknown"


class ExportFormat(models.TextChoices):
    BUNDLE = "bundle", "Bundle that can be checked (NDJSON with proofs)"
    NDJSON = "ndjson", "NDJSON"
    CSV = "csv", "CSV for spreadsheets"
    OCSF = "ocsf", "OCSF events (NDJSON)"


class ExportState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class StreamState(models.TextChoices):
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    STOPPED = "stopped", "Stopped: a batch could not be delivered"


class Every(models.TextChoices):
    HOUR = "hour", "Every hour"
    DAY = "day", "Every day"


class ErasureState(models.TextChoices):
    ASKED = "asked", "Asked for"
    APPROVED = "approved", "Agreed to"
    REFUSED = "refused", "Refused"
    DONE = "done", "Done"


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
