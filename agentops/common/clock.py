"""The one clock: services take `at=`, edges read it here."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from django.db import connection

NANOS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def now() -> datetime:
    """The present instant, aware, in UTC."""
    return datetime.now(UTC)


def database_now() -> datetime:
    """The present instant by the database, which is the same for all processes; read it after the lock it is to follow."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        found: datetime = cursor.fetchone()[0]
    return found.astimezone(UTC)


def now_ns() -> int:
    """The present instant in nanoseconds since the Unix epoch."""
    return time.time_ns()


def from_ns(nanoseconds: int) -> datetime:
    """Nanoseconds since the epoch as an aware UTC datetime, cut (not rounded) to the microsecond."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def rfc3339(moment: datetime) -> str:
    """An aware UTC datetime in the API's form (RFC 3339, with Z)."""
    return moment.isoformat().replace("+00:00", "Z")


def to_ns(moment: datetime) -> int:
    """An aware datetime in nanoseconds since the epoch, exact to the microsecond."""
    return (moment - _EPOCH) // _MICROSECOND * 1000
