"""One valid row of any model, made up from its fields: so that a new table is tried without anybody writing its row."""

from __future__ import annotations

import datetime
import os
import uuid
from typing import Any

from django.contrib.auth.models import Group
from django.contrib.postgres.fields import ArrayField
from django.db import models

from agentops.common import clock
from agentops.common.rowsecurity import classify

OWNED: dict[str, type[models.Model]] = {
    table: model
    for table, (kind, model) in classify().items()
    if kind in ("tenant", "ledger", "sealed") and model is not None
}
LEDGERS = sorted(table for table, (kind, _) in classify().items() if kind == "ledger")
SEALED = sorted(table for table, (kind, _) in classify().items() if kind == "sealed")


def insert(model: type[models.Model], tenant: uuid.UUID, *, using: str = "default") -> models.Model:
    """Insert one row of a tenant through the open scope (or as the owner), with the rows it refers to."""
    values = {field.attname: _value(field, tenant) for field in model._meta.concrete_fields if not _is_given(field)}
    return model._base_manager.using(using).bulk_create([model(**{**values, "tenant_id": tenant})])[0]


def _is_given(field: models.Field[Any, Any]) -> bool:
    """Does the model or the database fill it?"""
    if isinstance(field, models.CompositePrimaryKey):
        return True
    return (
        field.name == "tenant_id"
        or field.has_default()
        or field.has_db_default()
        or field.null
        or isinstance(field, models.AutoField)
    )


def _value(field: models.Field[Any, Any], tenant: uuid.UUID) -> Any:
    if field.blank and isinstance(field, models.CharField | models.TextField):
        return ""  # what may be left out is left out: constraints tie such columns to each other
    if field.choices:
        return field.flatchoices[0][0]
    if isinstance(field, models.ForeignKey):
        return _target(field.related_model, tenant)
    makers = (
        (models.UUIDField, uuid.uuid4),
        (models.DateTimeField, clock.now),  # before DateField, of which it is one
        (
            models.DateField,
            lambda: clock.now().astimezone(datetime.UTC).date().replace(day=1),
        ),  # which can be a month, too
        (models.TimeField, lambda: clock.now().astimezone(datetime.UTC).time()),
        (models.BooleanField, bool),
        (models.IntegerField, lambda: 1),
        (models.BinaryField, lambda: os.urandom(field.max_length or 16)),
        (models.DecimalField, lambda: 1),
        (models.FloatField, lambda: 1.0),
        (models.JSONField, dict),
        (ArrayField, list),
        (models.TextField, lambda: uuid.uuid4().hex),
        (models.CharField, lambda: uuid.uuid4().hex[: field.max_length]),
    )
    for kind, make in makers:
        if isinstance(field, kind):
            return make()
    raise NotImplementedError(f"say in tests/isolation/rows.py what a {type(field).__name__} may hold")


def _target(model: Any, tenant: uuid.UUID) -> Any:
    """A row to refer to: one of the tenant's own, or any of a global table."""
    if model._meta.db_table in OWNED:
        return insert(model, tenant).pk
    if model is Group:  # each belongs to one row
        return Group.objects.create(name=uuid.uuid4().hex).pk
    found = model._base_manager.order_by("pk").values_list("pk", flat=True).first()
    assert found is not None, f"{model.__name__} has no row to refer to"
    return found
