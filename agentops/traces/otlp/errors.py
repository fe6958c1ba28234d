"""Refusals of a whole request; a single bad span is a `Rejected`, never one of these."""

from __future__ import annotations


class MalformedRequest(ValueError):
    """The body cannot be decoded at all: HTTP 400, which tells the client not to send it again."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class TooLarge(ValueError):
    """The body is larger than `limit` bytes, compressed or not: HTTP 413."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the body is larger than {limit} bytes after decompression; send smaller batches")
        self.limit = limit
        self.detail = str(self)


class TooMany(ValueError):
    """The body holds more things than one request may: HTTP 413."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
