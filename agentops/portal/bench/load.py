"""Load on a web server, and what its callers saw: as fast as it is answered, or at a fixed rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agentops.portal.bench import wire
from agentops.portal.bench.machine import percentile
from agentops.portal.bench.server import Web

CONNECTIONS = 8
OPEN_RATE = 200  # requests a second, whatever the answers take


@dataclass
class Load:
    """What the callers saw: latencies in seconds."""

    seconds: float
    latencies: list[float]
    wrong: list[str]

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def figures(self) -> dict[str, Any]:
        return {
            "rate": round(self.rate),
            "p50_ms": round(percentile(self.latencies, 0.5) * 1000, 2),
            "p99_ms": round(percentile(self.latencies, 0.99) * 1000, 2),
        }


def closed(server: Web, messages: Sequence[bytes], *, connections: int = CONNECTIONS) -> Load:
    """So many connections, each as fast as it is answered."""
    waiting = iter(messages)
    lock = threading.Lock()

    def next_one() -> bytes | None:
        with lock:
            return next(waiting, None)

    return _played(server, connections, lambda: (next_one(), time.perf_counter()))


def fixed_rate(server: Web, messages: Sequence[bytes]) -> Load:
    """A fixed rate: a request is due at its time whether or not earlier ones were answered, and waits count."""
    waiting = iter(enumerate(messages))
    lock = threading.Lock()
    began = time.perf_counter() + 0.1

    def next_one() -> tuple[bytes | None, float]:
        with lock:
            place, message = next(waiting, (0, None))
        due = began + place / OPEN_RATE
        if message is not None:
            time.sleep(max(0.0, due - time.perf_counter()))
        return message, due

    return _played(server, CONNECTIONS, next_one)


def _played(server: Web, connections: int, take: Callable[[], tuple[bytes | None, float]]) -> Load:
    latencies: list[float] = []
    wrong: list[str] = []

    def caller() -> None:
        with wire.Link(server.port) as link:
            while True:
                message, due = take()
                if message is None:
                    return
                status, body = link.ask(message)
                latencies.append(time.perf_counter() - due)
                if status != 200 or not (b'"allow"' in body or b'"one"' in body or b'"cost_usd"' in body):
                    wrong.append(f"{status} {body[:300]!r}")

    threads = [threading.Thread(target=caller) for _ in range(connections)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(time.perf_counter() - begun, latencies, wrong)
