"""Another key from here on, said by the key before it.

The entry that names the new key is sealed under the old one, and the old key has signed what it says, so whoever trusts the
old key learns of the new one from the log itself. A key that somebody made up who can write entries, or owns the tables, has
no such signature.
"""

from __future__ import annotations

import base64
import uuid
from datetime import datetime

from django.db import connections, transaction
from django.db.backends.utils import CursorWrapper

from agentops.common.scope import tenant_scope
from audit import keys
from audit.keys import SignsAs
from audit.models import Head, Leaf
from audit.services import sealing
from audit.services.recording import record
from audit.types import SYSTEM, Outcome, Target
from audit.verifier import rotation_text

OWNER = "owner"
ROTATED = "audit.key_rotated"

_TAKE_KEY = "UPDATE audit_head SET key_id = %s WHERE tenant_id = %s"
# Not the newest: trees that begin are signed with it, although none may be yet.
_RETIRE = """
UPDATE audit_signingkey k SET retired_at = %s
WHERE k.retired_at IS NULL AND k.key_id <> %s AND NOT EXISTS (SELECT FROM audit_head h WHERE h.key_id = k.key_id)
"""


def rotate_key(*, tenant: uuid.UUID, new_key_id: str, at: datetime) -> bool:
    """Have a tenant's checkpoints signed by another key; False where they are already, or nothing was sealed yet.

    One transaction of the owner: the entry, the checkpoint that holds it, and the change of keys. Once a checkpoint of the
    old key holds the entry, no larger one of that key is believed; so nobody who is killed, and no entry that comes
    meanwhile, may leave the old key at work behind it. Raises KeyMissing where one of the two keys is not here.
    """
    new = keys.get(new_key_id)
    if not Head.objects.using(OWNER).filter(tenant_id=tenant).exists():
        return False
    with transaction.atomic(using=OWNER, durable=True), connections[OWNER].cursor() as cursor:
        head = sealing.lock_head(cursor, tenant)
        if head.key.id == new.id:
            return False
        while sealing.place(cursor, tenant, head, at, sealing.BATCH) is not None:
            head = sealing.lock_head(cursor, tenant)
        entry = _tell(cursor, tenant, head.key, new, at)
        sealing.place(cursor, tenant, head, at, sealing.BATCH)
        if not Leaf.objects.using(OWNER).filter(tenant_id=tenant, entry_id=entry).exists():
            raise RuntimeError(f"the rotation of tenant {tenant} found no place among what waits; run it again")
        sealing.publish(cursor, new)
        cursor.execute(_TAKE_KEY, [new.id, tenant])
    return True


def rotate_keys(*, new_key_id: str, at: datetime) -> int:
    """Rotate every tenant, one by one; answers how many. Run it again where it was interrupted."""
    tenants = list(Head.objects.using(OWNER).order_by("tenant_id").values_list("tenant_id", flat=True))
    count = sum(rotate_key(tenant=tenant, new_key_id=new_key_id, at=at) for tenant in tenants)
    with transaction.atomic(using=OWNER), connections[OWNER].cursor() as cursor:
        sealing.publish(cursor, keys.get(new_key_id))
        cursor.execute(_RETIRE, [at, keys.newest().id])
    return count


def _tell(cursor: CursorWrapper, tenant: uuid.UUID, old: SignsAs, new: SignsAs, at: datetime) -> uuid.UUID:
    with tenant_scope(tenant):
        return record(
            tenant=tenant,
            action=ROTATED,
            actor=SYSTEM,
            target=Target("signing_key", new.id),
            outcome=Outcome.SUCCESS,
            data={
                "old": old.id,
                "new": new.id,
                "public_key": base64.b64encode(new.public).decode(),
                "signature": base64.b64encode(old.sign(rotation_text(str(tenant), new.public))).decode(),
            },
            at=at,
            cursor=cursor,
        )
