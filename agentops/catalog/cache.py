"""What is kept in this process: compiled tool versions, policies, contacts. Bounded, and safe between threads.

Nothing here is trusted for long: a policy holds for one `policy_version`, which the caller has read in its own
transaction; compiled checks and contacts hold for ids whose content never changes.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from contextvars import ContextVar
from typing import Generic, TypeVar

from agentops.common import scope
from agentops.common.scope import Scope

K = TypeVar("K")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """A mapping that forgets what was not asked for the longest."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept)


_writing: ContextVar[tuple[Scope | None, frozenset[uuid.UUID]]] = ContextVar(
    "agentops_catalog_writing", default=(None, frozenset())
)


def note_write(agents: list[uuid.UUID]) -> None:
    """The open scope has changed these agents. Until it has committed, what it reads of them must not be kept: it may
    roll back, and another transaction may then give the same number to another policy."""
    here, before = _writing.get()
    now = scope.current()
    _writing.set((now, (before if here is now else frozenset()) | frozenset(agents)))


def may_keep(agent: uuid.UUID) -> bool:
    here, agents = _writing.get()
    return here is not scope.current() or agent not in agents


def is_writing() -> bool:
    """Has the open scope changed any agent? Then nothing it reads under a policy version may be kept."""
    here, agents = _writing.get()
    return bool(agents) and here is scope.current()
