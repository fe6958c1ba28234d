"""How one tenant's spans are taken in: masking, prices, how old they may be. Read rarely, used on every request."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass
from typing import cast

from agentops.budgets import queries as budgets
from agentops.budgets.book import Book
from agentops.common.scope import tenant_scope
from agentops.traces.masking import Masker, Policy
from agentops.traces.partitions import ACCEPT_BACK_DAYS
from tenants import queries as tenants
from tenants.roles import PLAN_RETENTION_DAYS

CACHE_SECONDS = 2.0  # how long a change of the settings may take to reach every process


@dataclass(frozen=True, slots=True)
class IngestPolicy:
    """What ingest needs to know of a tenant."""

    masker: Masker
    overrides: Book
    accept_back_days: int


_cache: dict[uuid.UUID, tuple[float, IngestPolicy]] = {}
_lock = threading.Lock()


def policy_of(tenant: uuid.UUID) -> IngestPolicy:
    """The policy of a tenant. Opens its own scope when the cached one is older than CACHE_SECONDS."""
    found = _cache.get(tenant)
    if found is not None and found[0] > time.monotonic():
        return found[1]
    with tenant_scope(tenant):
        policy = read_policy(tenant)
    with _lock:
        _cache[tenant] = (time.monotonic() + CACHE_SECONDS, policy)
    return policy


def read_policy(tenant: uuid.UUID) -> IngestPolicy:
    """The policy as it stands now, inside the tenant's scope."""
    settings = tenants.settings_of(tenant)
    retention = settings.retention_days or PLAN_RETENTION_DAYS[tenants.plan_of(tenant)]
    return IngestPolicy(
        masker=Masker(
            cast(Policy, settings.masking),
            salt=bytes(settings.masking_salt),
            pseudonymise_users=settings.pseudonymise_users,
        ),
        overrides=budgets.overrides(tenant=tenant),
        accept_back_days=min(retention, ACCEPT_BACK_DAYS),
    )


def forget_cached_policies() -> None:
    """Empty this process's cache."""
    _cache.clear()
