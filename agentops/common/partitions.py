"""Range partitions by UTC day or month: made ahead, dropped when retention has passed. Runs as the owner.

`CREATE ... LIKE` and `ATTACH` instead of `CREATE ... PARTITION OF`: attaching takes a lock that lets readers and
writers of the parent go on. Partitions stay ungranted (see rowsecurity.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from django.db.backends.utils import CursorWrapper


@dataclass(frozen=True, slots=True)
class Partitioned:
    """A partitioned parent table: its name, the width of a partition, and how far ahead and back they are made."""

    table: str
    every: Literal["day", "month"]
    ahead: int
    back: int

    def first_day(self, day: date) -> date:
        return day if self.every == "day" else day.replace(day=1)

    def next_day(self, first: date) -> date:
        if self.every == "day":
            return first + timedelta(days=1)
        return (first.replace(day=28) + timedelta(days=4)).replace(day=1)

    def name(self, first: date) -> str:
        return f"{self.table}_{first:%Y%m%d}" if self.every == "day" else f"{self.table}_{first:%Y%m}"

    def wanted(self, today: date) -> list[date]:
        """The first days of the partitions that must exist today, oldest first."""
        days, first = [], self.first_day(today)
        for _ in range(self.back):
            first = self.first_day(first - timedelta(days=1))
        for _ in range(self.back + self.ahead + 1):
            days.append(first)
            first = self.next_day(first)
        return days


def existing(cursor: CursorWrapper, table: str) -> set[str]:
    """The names of the attached partitions of a table."""
    cursor.execute(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass",
        [table],
    )
    return {name for (name,) in cursor.fetchall()}


def make_ahead(cursor: CursorWrapper, parent: Partitioned, *, today: date) -> list[str]:
    """Create the partitions that are missing; answers their names. Safe to run twice and by two at once."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"partitions:{parent.table}"])
    have = existing(cursor, parent.table)
    made = []
    for first in parent.wanted(today):
        name = parent.name(first)
        if name in have:
            continue
        upto = parent.next_day(first)
        cursor.execute(
            f'CREATE TABLE IF NOT EXISTS "{name}" (LIKE "{parent.table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE '
            f"INCLUDING COMPRESSION);"
            f"ALTER TABLE \"{parent.table}\" ATTACH PARTITION \"{name}\" FOR VALUES FROM ('{first}') TO ('{upto}')"
        )
        made.append(name)
    return made


def drop_before(cursor: CursorWrapper, parent: Partitioned, *, day: date, only_empty: bool = False) -> list[str]:
    """Drop the partitions that end on or before `day`, or those of them that are empty; answers their names."""
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"partitions:{parent.table}"])
    dropped = []
    for name in sorted(existing(cursor, parent.table)):
        stamp = name.rsplit("_", 1)[1]
        first = date(int(stamp[:4]), int(stamp[4:6]), int(stamp[6:8] or 1))
        if parent.next_day(first) <= day and not (only_empty and _has_rows(cursor, name)):
            cursor.execute(f'DROP TABLE "{name}"')
            dropped.append(name)
    return dropped


def _has_rows(cursor: CursorWrapper, partition: str) -> bool:
    cursor.execute(f'SELECT EXISTS (SELECT FROM "{partition}")')  # noqa: S608
    return bool(cursor.fetchone()[0])
