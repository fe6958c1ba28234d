from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from agentops.outbox.credentials import Credentials


class IncidentsConfig(AppConfig):
    name = "incidents"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the outbox, which stands below, who keeps the keys of pagers."""
        from agentops.outbox import credentials

        credentials.read_by(_credentials)


def _credentials(tenant: uuid.UUID, target: uuid.UUID) -> Credentials:
    """Imported when a page is sent: a process that starts has enough to read."""
    from incidents.queries import targets

    return targets.credentials(tenant, target)
