"""The signed heads of a tenant's tree, and the keys they can be checked with."""

from __future__ import annotations

import uuid

from audit.keys import PublicKey
from audit.models import Checkpoint, SigningKey


def checkpoints(*, tenant: uuid.UUID, after: int = 0, most: int = 100) -> list[Checkpoint]:
    """Those of trees with more than so many leaves, the smallest first."""
    return list(Checkpoint.objects.filter(tenant_id=tenant, tree_size__gt=after).order_by("tree_size")[:most])


def last_checkpoint(*, tenant: uuid.UUID) -> Checkpoint | None:
    """The newest; None where nothing was sealed yet."""
    return Checkpoint.objects.filter(tenant_id=tenant).order_by("-tree_size").first()


def public_keys() -> list[PublicKey]:
    """Every key that ever signed here, the oldest first. They are everybody's to know, so no scope is needed."""
    return [
        PublicKey(
            id=row.key_id,
            name=row.name,
            public=bytes(row.public_key),
            created_at=row.created_at,
            retired_at=row.retired_at,
        )
        for row in SigningKey.objects.order_by("created_at", "key_id")
    ]
