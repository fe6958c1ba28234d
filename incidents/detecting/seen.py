"""What a detector saw: a value, ready to become an alert, or to be one more look at one."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from incidents.types import AlertClass, ScopeType, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRun:
    """A run that shows it, and at which step (a span's 16 hex digits, or nothing)."""

    tenant: uuid.UUID
    run: uuid.UUID
    at: datetime
    step: str = ""
    value: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look of a detector that is above its threshold.

    `summary` is a sentence that may be sent to pagers: no secrets, nothing personal, no text of users or models.
    """

    alert_class: AlertClass
    scope_type: ScopeType
    scope_id: str = ""
    about_tenant: uuid.UUID | None = None
    agent: str = ""
    agent_version: str = ""
    tool: str = ""
    model_route: str = ""
    severity: Severity
    summary: str
    value: float
    threshold: float
    unit: str = ""
    since: datetime
    data: dict[str, Any] = field(default_factory=dict)
    source: dict[str, str] = field(default_factory=dict)
    runs: tuple[SampleRun, ...] = ()
    detector_major: int = 1

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 of class, scope, agent and the detector's major version; never of a text, a value or a time."""
        parts = (self.alert_class, self.scope_type, self.scope_id, self.agent, str(self.detector_major))
        about = str(self.about_tenant or "")
        return hashlib.sha256("|".join((about, *(part.replace("|", "||") for part in parts))).encode()).hexdigest()
