"""Async stories of the tests, each in a thread and a loop of its own: Playwright's loop counts as running in the main
thread of a worker that plays journeys, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar

T = TypeVar("T")


def play_out(story: Coroutine[Any, Any, T]) -> T:
    """What the story answers, or raises."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(copy_context().run, asyncio.run, story).result()
