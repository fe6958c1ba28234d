"""Forgetting a person, a slice of a table at a time: what apps list in their `forgetting.py`, and how it is walked.

Each app says of its own tables what becomes of a person there (settings.FORGOTTEN_TABLES); audit walks them all before it
does its own part and issues the certificate (audit/services/forgetting.py). It works as the owner, who has no scope: each
statement names its tenant. A slice is a stretch of the primary key in a transaction of its own, and doing one again
changes nothing, so whoever is killed goes on where the last commit was. In the place of the person's name stands a
pseudonym made of the erasure's id, the same in every table: sums by user stay sums of one user.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson
from django.db.backends.utils import CursorWrapper

ERASED = "(erased)"
AT_ONCE = 5_000
_PSEUDONYM = "erased-"  # and a part of the erasure's id


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Whom to forget: all that they are called, in lower case, and what stands there instead. In SQL, `~ %(named)s` is true of
    a text in which any of it stands as a word."""

    tenant: uuid.UUID
    names: tuple[str, ...]
    accounts: tuple[int, ...]
    pseudonym: str
    held: tuple[uuid.UUID, ...]  # runs that a legal hold keeps
    at: datetime

    @property
    def params(self) -> dict[str, Any]:
        return {
            "tenant": self.tenant, "names": list(self.names), "whose": [*self.names, self.pseudonym],
            "pseudonym": self.pseudonym, "held": list(self.held), "accounts": list(self.accounts), "erased": ERASED,
            "at": self.at, "named": f"(?i){_a_word(self.spellings)}",
        }  # fmt: skip

    @property
    def pattern(self) -> re.Pattern[str]:
        """Any of the names as a word of its own."""
        return re.compile(_a_word(self.names), re.IGNORECASE)

    @property
    def spellings(self) -> list[str]:
        """How the names are written in a text, and inside one of JSON."""
        return sorted({*self.names, *(orjson.dumps(name).decode()[1:-1] for name in self.names)})


def _a_word(names: Collection[str]) -> str:
    """For Python's and for PostgreSQL's regular expressions; the longest first, so that none is cut in two."""
    longest_first = sorted(names, key=len, reverse=True)
    return rf"(?<!\w)(?:{'|'.join(re.escape(name) for name in longest_first)})(?!\w)"


class Step(Protocol):
    """One table, or what has to change together."""

    @property
    def name(self) -> str: ...

    def slice(self, cursor: CursorWrapper, who: Forgotten, after: list[str]) -> tuple[list[str] | None, int]:
        """Do the next stretch; answers where to go on (None: done), and how many rows it changed."""


# A run is the person's where either the trace or the guard says so. `t` is the row of the table.
RUN_IS_THEIRS = (
    "(EXISTS (SELECT 1 FROM traces_run r WHERE r.tenant_id = %(tenant)s AND r.run_id = t.{run} "
    "AND lower(r.user_id) = ANY(%(whose)s)) OR EXISTS (SELECT 1 FROM runtime_guardedrun g "
    "WHERE g.tenant_id = %(tenant)s AND g.run_id = t.{run} AND lower(g.user_id) = ANY(%(whose)s)))"
)


@dataclass(frozen=True, slots=True)
class Table:
    """What becomes of a person in one table.

    Rows are the person's where a column of `users` names them, their run is the person's (`by_run`), or `theirs` holds.
    Of those, the columns in `emptied` get these values (SQL), or the row goes (`is_removed`). Then the names in `users`
    become the pseudonym, and wherever else a name stands in `texts` and `jsons`, it is struck out.
    Rows of a run that is held (`run`) are left as they are; `kept` is what else is left, in SQL.
    """

    name: str
    key: tuple[str, ...]  # the primary key without the tenant
    users: tuple[str, ...] = ()
    run: str = ""
    by_run: bool = False
    theirs: str = ""
    emptied: Mapping[str, str] = field(default_factory=dict)
    is_removed: bool = False
    texts: tuple[str, ...] = ()
    jsons: tuple[str, ...] = ()  # jsonb, or JSON in a column of text
    kept: str = ""
    of_tenant: str = "t.tenant_id = %(tenant)s"  # which rows are walked
    at_once: int = AT_ONCE

    def slice(self, cursor: CursorWrapper, who: Forgotten, after: list[str]) -> tuple[list[str] | None, int]:
        """Do the next stretch of the key."""
        keys, params = ", ".join(f"t.{each}" for each in self.key), who.params
        begun = self._beyond(">", after, "after", params)
        cursor.execute(
            f"SELECT {', '.join(f't.{each}::text' for each in self.key)} FROM {self.name} t "  # noqa: S608  our own names
            f"WHERE {self.of_tenant}{begun} ORDER BY {keys} OFFSET {self.at_once - 1} LIMIT 1",
            params,
        )
        found = cursor.fetchone()
        end = list(found) if found else None
        where = f"{self.of_tenant}{begun}{self._beyond('<=', end or [], 'end', params)}"
        if self.run:
            where += f" AND (t.{self.run} IS NULL OR t.{self.run} <> ALL(%(held)s::uuid[]))"
        if self.kept:
            where += f" AND NOT ({self.kept})"
        changed = self._own(cursor, where, params)
        for user in self.users:
            cursor.execute(
                f"UPDATE {self.name} t SET {user} = %(pseudonym)s WHERE {where} AND lower(t.{user}) = ANY(%(names)s)",  # noqa: S608
                params,
            )
            changed += cursor.rowcount
        if self.texts or self.jsons:
            changed += self._strike(cursor, who, where, params)
        return end, changed

    def _beyond(self, sign: str, bound: list[str], named: str, params: dict[str, Any]) -> str:
        if not bound:
            return ""
        params |= {f"{named}{place}": value for place, value in enumerate(bound)}
        keys = ", ".join(f"t.{each}" for each in self.key)
        values = ", ".join(f"%({named}{place})s" for place in range(len(bound)))
        return f" AND ({keys}) {sign} ({values})"

    def _own(self, cursor: CursorWrapper, where: str, params: dict[str, Any]) -> int:
        if not (self.emptied or self.is_removed):
            return 0
        whose = [f"lower(t.{user}) = ANY(%(whose)s)" for user in self.users]
        whose += [RUN_IS_THEIRS.format(run=self.run)] if self.by_run else []
        whose += [self.theirs] if self.theirs else []
        own = f"{where} AND ({' OR '.join(whose)})"
        if self.is_removed:
            cursor.execute(f"DELETE FROM {self.name} t WHERE {own}", params)  # noqa: S608
            return int(cursor.rowcount)
        columns = ", ".join(f"t.{name}" for name in self.emptied)
        values = ", ".join(self.emptied.values())
        cursor.execute(
            f"UPDATE {self.name} t SET {', '.join(f'{name} = {value}' for name, value in self.emptied.items())} "  # noqa: S608
            f"WHERE {own} AND ({columns}) IS DISTINCT FROM ({values})",
            params,
        )
        return int(cursor.rowcount)

    def _strike(self, cursor: CursorWrapper, who: Forgotten, where: str, params: dict[str, Any]) -> int:
        columns, pattern = (*self.texts, *self.jsons), who.pattern
        named = " OR ".join(
            f"strpos(lower(t.{column}::text), %(spelled{place})s) > 0"
            for column in columns
            for place in range(len(who.spellings))
        )
        params = params | {f"spelled{place}": each for place, each in enumerate(who.spellings)}
        selected = ", ".join([f"t.{each}::text" for each in self.key] + [f"t.{each}::text" for each in columns])
        cursor.execute(f"SELECT {selected} FROM {self.name} t WHERE {where} AND ({named})", params)  # noqa: S608
        rows, changed = cursor.fetchall(), 0
        for row in rows:
            keys, values = row[: len(self.key)], row[len(self.key) :]
            struck = [
                value and (_struck_json(value, pattern) if column in self.jsons else pattern.sub(ERASED, value))
                for column, value in zip(columns, values, strict=True)
            ]
            changes = [
                pair for pair, old in zip(zip(columns, struck, strict=True), values, strict=True) if pair[1] != old
            ]
            if changes:
                there = {f"key{place}": value for place, value in enumerate(keys)}
                struck_out = {f"struck{place}": value for place, (_, value) in enumerate(changes)}
                cursor.execute(
                    f"UPDATE {self.name} t SET {', '.join(f'{each[0]} = %({new})s' for new, each in zip(struck_out, changes, strict=True))} "  # noqa: S608
                    f"WHERE {self.of_tenant} AND ({', '.join(f't.{each}' for each in self.key)}) = ({', '.join(f'%({each})s' for each in there)})",
                    who.params | there | struck_out,
                )
                changed += 1
        return changed


def _struck_json(text: str, pattern: re.Pattern[str]) -> str:
    """The same JSON with the names struck out of every text and every member's name; a text that is none, as a text."""
    try:
        there = orjson.loads(text)
    except orjson.JSONDecodeError:
        return pattern.sub(ERASED, text)
    struck = strike(there, pattern)
    return text if struck == there else orjson.dumps(struck).decode()


def strike(value: Any, pattern: re.Pattern[str]) -> Any:
    """A JSON value with what the pattern finds struck out of every text in it, and of members' names."""
    if isinstance(value, str):
        return pattern.sub(ERASED, value)
    if isinstance(value, list):
        return [strike(each, pattern) for each in value]
    if isinstance(value, dict):
        return {pattern.sub(ERASED, name): strike(each, pattern) for name, each in value.items()}
    return value


def is_pseudonym(user: str) -> bool:
    """Does this stand where a person was who is forgotten?"""
    return user.startswith(_PSEUDONYM)


def names_of(cursor: CursorWrapper, person: str) -> tuple[list[int], set[str]]:
    """The accounts of a person of the house, and all that they are called: by address, as user:12, and as portal:12, which
    is how the portal's own widget calls them."""
    person = person.lower()
    kind, _, number = person.partition(":")
    number = number if kind in ("user", "staff", "portal") and number.isascii() and number.isdigit() else ""
    cursor.execute(
        "SELECT id, lower(email) FROM tenants_user WHERE lower(email) = %s OR id::text = %s", [person, number]
    )
    names, accounts = {person}, [int(number)] if number and len(number) < 19 else []
    for account, email in cursor.fetchall():
        accounts.append(account)
        names |= {f"user:{account}", f"staff:{account}", f"portal:{account}"} | ({email} if email else set())
    return accounts, names


def forgotten(
    cursor: CursorWrapper,
    *,
    tenant: uuid.UUID,
    person: str,
    erasure: uuid.UUID,
    held: Collection[uuid.UUID],
    at: datetime,
) -> Forgotten:
    """Whom an erasure is about."""
    accounts, names = names_of(cursor, person)
    return Forgotten(
        tenant, tuple(sorted(names)), tuple(accounts), f"{_PSEUDONYM}{erasure.hex[-16:]}", tuple(sorted(held)), at
    )
