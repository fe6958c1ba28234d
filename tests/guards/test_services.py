"""Every service that writes for a tenant asks for that tenant's scope before anything else."""

from __future__ import annotations

import importlib
import inspect
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

from agentops.common.scope import ScopeError
from tests.world import World

# Services that have no tenant to ask for, or that open its scope themselves, each with the reason.
WITHOUT_SCOPE = {
    "tenants.services.create_tenant": "before it, there is no tenant",
    "tenants.services.create_staff": "staff belong to no tenant",
    "agentops.traces.services.take_spans": "acknowledged means committed: it opens the scope, and begins again after a race",
    "agentops.traces.services.take_logs": "as take_spans",
    "agentops.runtime.services.add_up_days": "each day is a transaction of its own, so it opens the scope",
    **dict.fromkeys(
        (
            f"agentops.runtime.services.{verb}"
            for verb in [
                "start",
                "reserve",
                "settle",
                "propose",
                "redeem",
                "take_result",
                "consume",
                "finish",
                "sweep",
                "release_due",
                "close_lost",
            ]
        ),
        "a verb of the guard: its transaction is the decision, so it opens the scope",
    ),
    **dict.fromkeys(
        (
            f"agentops.runtime.services.{verb}"
            for verb in ("set_product_switch", "ask_product_lift", "lift_product_switch")
        ),
        "no tenant owns the product's kill switch",
    ),
    **dict.fromkeys(
        (
            f"agentops.budgets.services.{verb}"
            for verb in (
                "note_product_finding",
                "end_product_finding",
                "watch_product_minutes",
                "watch_product_days",
                "set_week_plan",
            )
        ),
        "what is found about the whole product, or planned for it, is no tenant's",
    ),
    **dict.fromkeys(
        (f"tenants.services.{verb}" for verb in ("create_staff_token", "revoke_staff_token")),
        "tokens of our own machines belong to no tenant",
    ),
    **dict.fromkeys(
        (
            f"audit.services.{verb}"
            for verb in [
                "seal",
                "seal_all",
                "publish_keys",
                "rotate_key",
                "rotate_keys",
                "beat",
                "note_finding",
                "end_finding",
                "prune",
                "thin_checkpoints",
                "erase",
            ]
        ),
        "done by the owner of the tables, who has no scope: each statement names its tenant",
    ),
}
# judging
WITHOUT_SCOPE["evals.services.ask_due"] = (
    "a worker's round over all organisations: each step opens the scope of its own"
)
Service = Callable[..., Any]


def services() -> dict[str, Service]:
    """What the apps offer as services: what a package exports, or what a module defines."""
    found = {}
    for config in apps.get_app_configs():
        if not str(config.path).startswith(str(settings.BASE_DIR)):
            continue
        try:
            module = importlib.import_module(f"{config.name}.services")
        except ModuleNotFoundError:
            continue
        for name, function in inspect.getmembers(module, inspect.isfunction):
            is_offered = (
                name in module.__all__ if hasattr(module, "__all__") else function.__module__ == module.__name__
            )
            if is_offered and not name.startswith("_"):
                found[f"{module.__name__}.{name}"] = function
    return found


SERVICES = services()
SCOPED = sorted(
    name
    for name, function in SERVICES.items()
    if "tenant" in inspect.signature(function).parameters and name not in WITHOUT_SCOPE
)


def test_every_service_names_its_tenant_or_a_reason() -> None:
    assert set(WITHOUT_SCOPE) <= set(SERVICES)
    unknown = [
        name for name in SERVICES if name not in SCOPED and name not in WITHOUT_SCOPE and not _takes_access(name)
    ]
    assert unknown == []


def _takes_access(name: str) -> bool:
    """`by: Access` carries the tenant."""
    by = inspect.signature(SERVICES[name]).parameters.get("by")
    return by is not None and "Access" in str(by.annotation)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_services_take_keywords_only(name: str) -> None:
    kinds = {parameter.kind for parameter in inspect.signature(SERVICES[name]).parameters.values()}
    assert kinds <= {inspect.Parameter.KEYWORD_ONLY}


@pytest.mark.parametrize("name", SCOPED)
def test_outside_the_tenants_scope_nothing_is_done(world: World, name: str) -> None:
    parameters = inspect.signature(SERVICES[name]).parameters
    arguments: dict[str, Any] = dict.fromkeys(parameters)
    with pytest.raises(ScopeError):
        SERVICES[name](**{**arguments, "tenant": uuid.uuid4()})
