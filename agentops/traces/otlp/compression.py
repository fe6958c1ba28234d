"""gzip request bodies, with a cap on what they inflate to."""

from __future__ import annotations

import zlib

from agentops.traces.otlp.errors import MalformedRequest, TooLarge

_GZIP = 31  # wbits: gzip framing only, so that a zlib or raw stream is refused
_BLOCK = (
    65_536  # fed at once: what follows the end of a member is copied, so a body of tiny members must not be one piece
)
_MEMBERS_MOST = 10_000


def decode_gzip(body: bytes, limit: int) -> bytes:
    """Inflate a gzip body (one or more members, RFC 1952) to at most `limit` bytes.

    Raises `TooLarge` as soon as the output would pass the limit (at most one byte more is ever held) and
    `MalformedRequest` if the stream is not gzip, is damaged, or ends early.
    """
    parts: list[bytes] = []
    size = members = 0
    inflater = None
    view = memoryview(body)
    for start in range(0, len(view), _BLOCK):
        block = bytes(view[start : start + _BLOCK])
        while block:
            if inflater is None:
                if members and not (block := block.lstrip(b"\0")):  # zero padding between members is allowed
                    break
                members += 1
                if members > _MEMBERS_MOST:
                    raise MalformedRequest(f"the gzip body has more than {_MEMBERS_MOST} members")
                inflater = zlib.decompressobj(wbits=_GZIP)
            try:
                part = inflater.decompress(block, limit - size + 1)
            except zlib.error as error:
                raise MalformedRequest(f"the body is not valid gzip: {error}") from None
            size += len(part)
            if size > limit:
                raise TooLarge(limit)
            parts.append(part)
            block = inflater.unused_data
            if inflater.eof:
                inflater = None
    if inflater is not None or not members:
        raise MalformedRequest("the gzip body ends early")
    return b"".join(parts)
