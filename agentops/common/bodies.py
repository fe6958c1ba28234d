"""The bytes of a request's body, under a limit."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from agentops.common import strictjson
from agentops.common.errors import InvalidInput, TooLarge

MAX_DEPTH = 40


def read(request: HttpRequest, *, most: int, hint: str = "") -> bytes:
    """The whole body. Raises TooLarge beyond `most` bytes (with a hint what to do), InvalidInput for one that ended early.

    Chunked bodies carry no length, so Django would read nothing: the server's stream is asked.
    """
    try:
        if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
            raw = bytes(request.META["wsgi.input"].read(most + 1))
        else:
            raw = request.read(most + 1)
            if len(raw) < min(int(request.META.get("CONTENT_LENGTH") or 0), most + 1):
                raise InvalidInput("the body ended early")
    except OSError as error:  # the sender went away, or its chunks are no chunks
        raise InvalidInput("the body ended early") from error
    if len(raw) > most:
        raise TooLarge(f"the body is larger than {most} bytes" + (f"; {hint}" if hint else ""))
    return raw


def read_json(request: HttpRequest, *, most: int, depth: int = MAX_DEPTH) -> Any:
    """A JSON body, strictly parsed. Raises TooLarge, InvalidInput with the pointer to the place."""
    raw = read(request, most=most, hint="keep large content elsewhere and pass a reference")
    return strictjson.loads(raw, max_bytes=most, max_depth=depth)


def media_type(request: HttpRequest) -> str:
    """The Content-Type without its parameters, in small letters; "" where there is none."""
    found: str = request.META.get("CONTENT_TYPE", "")
    return found.partition(";")[0].strip().lower()
