"""The product's URLs and the route of `bench guard` (see wsgi.py)."""

from __future__ import annotations

from django.db import connection
from django.urls import include, path
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from agentops.common.scope import tenant_scope
from tenants.machine_view import MachineView
from tenants.roles import KeyScope


class SelectOneView(MachineView):
    """`POST /api/v1/bench/select-1`: the round trip of a verb that decides nothing."""

    scope = KeyScope.GUARD

    @extend_schema(exclude=True)
    def post(self, request: Request) -> Response:
        with tenant_scope(self.tenant), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return Response({"one": cursor.fetchone()[0]})


urlpatterns = [path("api/v1/bench/select-1", SelectOneView.as_view()), path("", include("agentops.urls"))]
