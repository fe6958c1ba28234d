"""Whose turn it is in a process of many threads: so many at once, and no organisation with all of them."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """At most so many turns at once, and so many of one organisation. Nobody waits for a turn: there is one, or there is not."""

    def __init__(self, *, most: int, of_one: int) -> None:
        self._most, self._of_one = most, of_one
        self._taken: Counter[uuid.UUID] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, tenant: uuid.UUID) -> Iterator[bool]:
        """Whether there was a turn; it is given back at the end."""
        with self._lock:
            is_taken = self._taken.total() < self._most and self._taken[tenant] < self._of_one
            self._taken[tenant] += is_taken
        try:
            yield is_taken
        finally:
            with self._lock:
                self._taken[tenant] -= is_taken
