"""What one person has of a confirmation besides their vote: the code that was mailed to them."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db import connection

from agentops.confirmations.types import Person

_CODE = """
SELECT CASE WHEN used_at IS NULL AND attempts < %s AND expires_at > clock_timestamp() THEN expires_at END
FROM confirmations_mailedcode WHERE tenant_id = %s AND confirmation_id = %s AND user_id = %s
ORDER BY sent_at DESC, id DESC LIMIT 1
"""
ATTEMPTS_MOST = 5


def code_until(*, tenant: uuid.UUID, confirmation: uuid.UUID, person: Person) -> datetime | None:
    """Until when the code that was mailed last counts; None where none does."""
    if person.user_id is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(_CODE, [ATTEMPTS_MOST, tenant, confirmation, person.user_id])
        row = cursor.fetchone()
    return row[0] if row else None
