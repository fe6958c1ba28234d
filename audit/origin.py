"""Where a request came from, for the entries that it leaves. Set at the door, read by the writer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Address and program of whoever asked; how they proved who they are: session, api_key, cli, or nothing."""

    src_ip: str = ""
    user_agent: str = ""
    auth_method: str = ""


NOWHERE = Origin()
_current: ContextVar[Origin] = ContextVar("audit_origin", default=NOWHERE)


def current() -> Origin:
    return _current.get()


@contextmanager
def origin(*, src_ip: str, user_agent: str, auth_method: str) -> Iterator[None]:
    """Entries recorded inside the block say that they came from here."""
    token = _current.set(Origin(src_ip[:64], user_agent[:300], auth_method[:20]))
    try:
        yield
    finally:
        _current.reset(token)
