"""What to do for an alert class."""

from __future__ import annotations

from incidents.models import Runbook
from incidents.types import AlertClass


def runbook_for(alert_class: AlertClass) -> Runbook | None:
    """The newest version."""
    return Runbook.objects.filter(alert_class=alert_class).order_by("-version").first()
