"""Refusals: one base that carries a code for machines, a sentence for people and an HTTP status."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class InputProblem:
    """One thing wrong with the input: where (RFC 6901 pointer), which code, and what would be accepted."""

    pointer: str
    code: str
    detail: str

    def as_json(self) -> dict[str, str]:
        return asdict(self)


class DomainError(Exception):
    """A refusal that callers can act on. Views raise it; the doors translate it."""

    code = "refused"
    status = 400
    title = "The request was refused"

    def __init__(self, detail: str, *, problems: tuple[InputProblem, ...] = (), retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems
        self.retry_after = retry_after


class InvalidInput(DomainError):
    code = "invalid"
    title = "Some of the input is not valid"


class NotSignedIn(DomainError):
    code, status, title = "unauthenticated", 401, "Sign-in needed"


class Forbidden(DomainError):
    code, status, title = "forbidden", 403, "Not allowed"


class NotFound(DomainError):
    code, status, title = "not_found", 404, "Not found"


class MethodNotAllowed(DomainError):
    code, status, title = "method_not_allowed", 405, "Not done"


class Conflict(DomainError):
    code, status, title = "conflict", 409, "Conflict"


class TooLarge(DomainError):
    code, status, title = "too_large", 413, "Too large"


class UnsupportedMedia(DomainError):
    code, status, title = "unsupported_media_type", 415, "Unsupported media type"


class Throttled(DomainError):
    code, status, title = "rate_limited", 429, "Too many requests"


class Unavailable(DomainError):
    code, status, title = "unavailable", 503, "Not available at the moment"


class Unexpected(DomainError):
    """Our own mistake, told without its inside."""

    code, status, title = "internal_error", 500, "Unexpected error"
