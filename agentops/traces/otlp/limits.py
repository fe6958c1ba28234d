"""How many things one request may hold: the limit of bytes alone lets some kilobytes of gzip become gigabytes of objects."""

from __future__ import annotations

from agentops.traces.otlp.errors import TooMany

MOST_ITEMS = 100_000  # spans, records and what groups them; 64 MiB of ordinary spans are fewer than half
MOST_OBJECTS = 4_000_000  # JSON objects and arrays
_SMALL = 8 * 1024 * 1024  # a body that cannot hold too many to matter


def check_items(count: int) -> None:
    """Raises TooMany."""
    if count > MOST_ITEMS:
        raise TooMany(f"the request holds more than {MOST_ITEMS} spans or records; send smaller batches")


def check_json(body: bytes) -> None:
    """Before a JSON body is parsed. Raises TooMany."""
    if len(body) > _SMALL and body.count(b"{") + body.count(b"[") > MOST_OBJECTS:
        raise TooMany(f"the request holds more than {MOST_OBJECTS} JSON objects; send smaller batches")
