"""The kinds a table can be. Every model is one of these or stands in `settings.GLOBAL_TABLES`; a test holds that."""

from __future__ import annotations

import uuid
from typing import ClassVar, Literal, NoReturn, TypeVar

from django.db import models

from agentops.common.ids import new_id

Kind = Literal["tenant", "ledger", "sealed", "global"]


class TenantOwned(models.Model):
    """Rows of one tenant: forced row-level security, read and written only inside that tenant's scope."""

    table_kind: ClassVar[Kind] = "tenant"
    extra_policies: ClassVar[tuple[str, ...]] = ()  # `name ... TO role USING (...)`, beyond the standard three

    tenant_id = models.UUIDField()

    class Meta:
        abstract = True


_Row = TypeVar("_Row", bound=models.Model, covariant=True)


class ReadOnlyQuerySet(models.QuerySet[_Row]):
    """A queryset that writes nothing: the rows come by SQL from one service, and stay as they are."""

    def _refuse(self, *args: object, **kwargs: object) -> NoReturn:
        raise TypeError(f"{self.model.__name__} rows are written by their service, and by nothing else")

    create = update = delete = bulk_create = bulk_update = get_or_create = update_or_create = _refuse
    acreate = aupdate = adelete = abulk_create = abulk_update = aget_or_create = aupdate_or_create = _refuse


class AppendOnly(TenantOwned):
    """Tenant-owned rows that the application may add and read, never change: the grants say so, and so does the ORM."""

    table_kind: ClassVar[Kind] = "ledger"

    objects = ReadOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: object, **kwargs: object) -> None:
        raise TypeError(f"{type(self).__name__} rows are appended by their service, never saved")

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        raise TypeError(f"{type(self).__name__} rows are never deleted")


class Sealed(TenantOwned):
    """Tenant-owned rows that only the owner of the tables writes (the maintenance worker); the application reads them."""

    table_kind: ClassVar[Kind] = "sealed"

    objects = ReadOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: object, **kwargs: object) -> None:
        raise TypeError(f"{type(self).__name__} rows are written by the owner of the tables")

    def delete(self, *args: object, **kwargs: object) -> tuple[int, dict[str, int]]:
        raise TypeError(f"{type(self).__name__} rows are deleted by the owner of the tables")


class HasId(models.Model):
    """A time-ordered id that is made by us, so that it is known before the row is written."""

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, default=new_id, editable=False)

    class Meta:
        abstract = True
