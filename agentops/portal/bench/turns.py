"""What a part of the product costs ingest: the same bodies to the product and to the product without it, by turns, so
that a noisy minute hits both."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

from agentops.portal.bench import batches, ingest
from agentops.portal.bench.server import Web, web

ROUNDS = 6
PRODUCT = "agentops.wsgi:application"


@dataclass(frozen=True, slots=True)
class Turns:
    """Spans per second of each turn, with the part and without it, and how many spans were sent with it in all."""

    whole: list[float]
    without: list[float]
    spans_per_turn: int
    sent_with: int

    def figures(self) -> dict[str, Any]:
        """Medians, and the cost as a share of what ingest does without the part."""
        whole, without = statistics.median(self.whole), statistics.median(self.without)
        pairs = [1 - one / other for one, other in zip(self.whole, self.without, strict=True)]
        return {
            "spans_per_turn": self.spans_per_turn,
            "spans_per_s": round(whole),
            "spans_per_s_without": round(without),
            "cost": round(1 - whole / without, 3),
            "cost_median_of_pairs": round(statistics.median(pairs), 3),
        }


def by_turns(*, without: str, key: str, spans: int) -> Turns:
    """ROUNDS turns of so many spans each; `without` is the WSGI application that lacks the part."""
    rates: dict[str, list[float]] = {PRODUCT: [], without: []}
    templates = [batches.template(seed) for seed in range(8)]
    count = max(8, spans // batches.BATCH)
    for turn in range(ROUNDS):
        for application in (PRODUCT, without) if turn % 2 else (without, PRODUCT):
            bodies = [batches.renewed(*templates[place % len(templates)]) for place in range(count)]
            with web(application=application) as server:
                ingest.send(server, key, [batches.renewed(*template) for template in templates])
                rates[application].append(_rate(server, key, bodies))
    sent = ROUNDS * (count + len(templates)) * batches.BATCH
    return Turns(rates[PRODUCT], rates[without], count * batches.BATCH, sent)


def _rate(server: Web, key: str, bodies: list[bytes]) -> float:
    load = ingest.send(server, key, bodies)
    if load.failures:
        raise RuntimeError(f"ingest refused: {load.failures[0]}")
    return load.sent / load.seconds
