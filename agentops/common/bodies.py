"""The bytes of a request's body, under a limit."""

from __future__ import annotations

from django.http import HttpRequest

from agentops.common.errors import InvalidInput, TooLarge


def read(request: HttpRequest, *, most: int) -> bytes:
    """The whole body, chunked ones too. Raises TooLarge beyond `most` bytes, InvalidInput for one that ended early."""
    try:
        if not request.META.get("CONTENT_LENGTH") and request.META.get("wsgi.input_terminated"):
            raw = bytes(request.META["wsgi.input"].read(most + 1))
        else:
            raw = request.read(most + 1)
    except OSError as error:
        raise InvalidInput("the body ended early") from error
    if len(raw) > most:
        raise TooLarge(f"the body is larger than {most} bytes")
    return raw


def media_type(request: HttpRequest) -> str:
    """The Content-Type without its parameters, in small letters; "" where there is none."""
    found: str = request.META.get("CONTENT_TYPE", "")
    return found.partition(";")[0].strip().lower()
