"""A search that somebody keeps, and may share with a colleague."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Func, Value
from django.db.models.functions import Cast, NullIf
from guardian.models import UserObjectPermissionBase

from agentops.common.models import HasId, Kind, TenantOwned


class SavedSearch(HasId, TenantOwned):
    """A named query string of the Runs page. The owner sees it; others by an object permission."""

    name = models.CharField(max_length=80)
    query = models.TextField()  # the URL's query string, as the filter form writes it
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant_id", "user", "name"], name="saved_search_name_once")]
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.name


class SavedSearchUserPermission(UserObjectPermissionBase):
    """guardian's row for one person and one search, owned by the tenant whose scope is open when it is made."""

    table_kind: ClassVar[Kind] = "tenant"

    content_object = models.ForeignKey(SavedSearch, on_delete=models.CASCADE)
    tenant_id = models.UUIDField(
        db_default=Cast(NullIf(Func(Value("app.tenant_id"), function="current_setting"), Value("")), models.UUIDField())
    )
