"""Changes of an organisation's settings, and of the time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agentops.common import clock
from agentops.common.scope import tenant_scope
from agentops.traces import policy
from tenants import services as tenant_services
from tests.world import Organisation, World

Travel = Callable[..., None]  # see the fixture `travel`


def change(organisation: Organisation, world: World, **changes: Any) -> None:
    """Settings of an organisation; they hold at once."""
    wanted = {
        "masking": "mask",
        "pseudonymise_users": False,
        "retention_days": None,
        "time_zone": "UTC",
        "idle_minutes": 10,
    }
    with tenant_scope(organisation.id):
        tenant_services.change_settings(
            tenant=organisation.id, **{**wanted, **changes}, by=world.ada.actor, at=clock.now()
        )
    policy.forget_cached_policies()
