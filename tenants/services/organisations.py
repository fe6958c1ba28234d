"""Making organisations, and what their admins decide for them."""

from __future__ import annotations

import secrets
import uuid
import zoneinfo
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agentops.common import scope
from agentops.common.ids import new_id
from audit import services as audit
from audit.types import Actor, Outcome, Target
from tenants import house
from tenants.errors import SlugTaken, from_validation, invalid
from tenants.models import Membership, Tenant, TenantSettings
from tenants.models.tenant import MaskingMode
from tenants.roles import PLAN_RETENTION_DAYS, Role
from tenants.services.accounts import find_or_create

MAX_IDLE_MINUTES = 24 * 60


def create_tenant(
    *,
    slug: str,
    name: str,
    plan: str,
    owner_email: str,
    owner_name: str = "",
    password: str | None = None,
    is_drill: bool = False,
    by: Actor,
    at: datetime,
) -> Tenant:
    """A new organisation with its settings and its owner, whose account is made where there is none.

    `is_drill`: no customer, but where drills are played.

    The one service that opens its scope itself: before it, there is no tenant whose scope one could be in.
    Raises SlugTaken, and InvalidInput for a slug, name, plan, address or password that will not do.
    """
    if slug.strip().lower() == house.SLUG:
        raise SlugTaken(f"The short name {house.SLUG!r} is of our own organisation; choose another.")
    tenant = Tenant(id=new_id(), slug=slug.strip(), name=name.strip(), plan=plan, is_drill=is_drill, created_at=at)
    try:
        tenant.clean_fields()
    except ValidationError as error:
        raise from_validation(error) from error
    with scope.tenant_scope(tenant.id):
        try:
            with transaction.atomic():
                tenant.save(force_insert=True)
        except IntegrityError as error:
            raise SlugTaken(
                f"There is an organisation called {tenant.slug!r} already; choose another short name."
            ) from error
        TenantSettings.objects.create(tenant_id=tenant.id, masking_salt=secrets.token_bytes(32))
        owner, _ = find_or_create(email=owner_email, name=owner_name, password=password)
        Membership.objects.create(tenant_id=tenant.id, user=owner, role=Role.OWNER, created_at=at, created_by=by.id)
        target = Target(type="tenant", id=str(tenant.id))
        audit.record_many(
            tenant=tenant.id,
            entries=[
                audit.NewEntry(
                    action="tenant.created",
                    actor=by,
                    target=target,
                    outcome=Outcome.SUCCESS,
                    data={"slug": tenant.slug, "plan": tenant.plan},
                    at=at,
                ),
                audit.NewEntry(
                    action="member.added",
                    actor=by,
                    target=Target(type="user", id=f"user:{owner.pk}"),
                    outcome=Outcome.SUCCESS,
                    data={"member": owner.email, "role": Role.OWNER.value},
                    at=at,
                ),
            ],
        )
    return tenant


def change_settings(
    *,
    tenant: uuid.UUID,
    masking: str,
    pseudonymise_users: bool,
    retention_days: int | None,
    time_zone: str,
    idle_minutes: int,
    by: Actor,
    at: datetime,
) -> TenantSettings:
    """Set what an admin decides; an entry is left only where something changed.

    `retention_days` None means what the plan gives. Raises InvalidInput for values outside what the plan or the
    product allows.
    """
    scope.require_tenant(tenant)
    plan = Tenant.objects.values_list("plan", flat=True).get(id=tenant)
    wanted = {
        "masking": masking,
        "pseudonymise_users": pseudonymise_users,
        "retention_days": retention_days,
        "time_zone": time_zone,
        "idle_minutes": idle_minutes,
    }
    _check_settings(plan, masking, retention_days, time_zone, idle_minutes)
    found = TenantSettings.objects.select_for_update().get(tenant_id=tenant)
    changes = {
        field: {"from": getattr(found, field), "to": value}
        for field, value in wanted.items()
        if getattr(found, field) != value
    }
    if not changes:
        return found
    for field in changes:
        setattr(found, field, wanted[field])
    found.save(update_fields=list(changes))
    audit.record(
        tenant=tenant,
        action="tenant.settings_changed",
        actor=by,
        target=Target(type="tenant", id=str(tenant)),
        outcome=Outcome.SUCCESS,
        data={"changes": changes},
        at=at,
    )
    return found


def _check_settings(plan: str, masking: str, retention_days: int | None, time_zone: str, idle_minutes: int) -> None:
    most = PLAN_RETENTION_DAYS[plan]
    if masking not in MaskingMode.values:
        raise invalid("/masking", "Masking is off, mask or hash.")
    if retention_days is not None and not 1 <= retention_days <= most:
        raise invalid("/retention_days", f"The {plan} plan keeps spans for 1 to {most} days.")
    if time_zone not in zoneinfo.available_timezones():
        raise invalid("/time_zone", f"{time_zone!r} is no time zone; choose one such as Europe/Berlin.")
    if not 1 <= idle_minutes <= MAX_IDLE_MINUTES:
        raise invalid("/idle_minutes", f"A run is finished after 1 to {MAX_IDLE_MINUTES} minutes of silence.")
