"""Python's collector in a program that is loaded and now answers: told once, for the web processes and for who measures them."""

from __future__ import annotations

import gc


def settle() -> None:
    """Take what is loaded out of the collector's sight, and let it look less often.

    A batch of spans is ten thousands of small objects without a cycle among them. The collector would walk the loaded
    program and the batch again and again to find that out: a twelfth of the time of ingest, and a page that meets a look
    at all 200,000 objects that are loaded waits 0.15 s for it. Frozen, they also stay shared between the processes.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
