"""The base of every API view. It stands apart from machines.py, which DRF imports while it builds its own views."""

from __future__ import annotations

import uuid
from typing import cast

from rest_framework.views import APIView

from tenants.machines import KeyPrincipal


class MachineView(APIView):
    """An API view of one tenant: the key says which."""

    @property
    def tenant(self) -> uuid.UUID:
        return self.principal.tenant_id

    @property
    def principal(self) -> KeyPrincipal:
        return cast(KeyPrincipal, self.request.user)
