"""JSON at the edge of the guard: one reading only, and canonical bytes (RFC 8785) that mean the same everywhere.

Ordinary parsers disagree on duplicate keys, NaN, large integers and lone surrogates; an argument that one program
checks and another runs must not have two readings. What is ambiguous is refused, with the pointer to the place.
"""

from __future__ import annotations

import json
from typing import Any

import orjson
import rfc8785

from agentops.common.errors import InputProblem, InvalidInput, TooLarge

_MAX_DEPTH = 200  # far beyond what any door takes
MAX_INTEGER = 2**53 - 1  # beyond it JavaScript, and RFC 8785, no longer tell integers apart


class _Refused(ValueError):
    """What the parser's hooks found; they do not know where."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class _Pairs(list[tuple[str, Any]]):
    """A JSON object as it was written, duplicates included."""


def loads(raw: bytes, *, max_bytes: int, max_depth: int) -> Any:
    """Parse strictly. Raises InvalidInput with the pointer, or TooLarge."""
    if len(raw) > max_bytes:
        raise TooLarge(f"the body is larger than {max_bytes} bytes")
    value = _quick(raw)
    if value is _SLOW:
        value = _exact(raw)
    _check(value, max_depth)
    return value


def canonical(value: Any) -> bytes:
    """The RFC 8785 bytes of a value that `loads` gave (or that keeps its rules)."""
    if _is_plain(
        value
    ):  # sorted by bytes is sorted by UTF-16 units there, nothing is a float, and texts are escaped alike
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return rfc8785.dumps(value)


def canonical_checked(value: Any) -> bytes:
    """The RFC 8785 bytes of any value. Raises InvalidInput for what has no form that all programs write alike."""
    if not isinstance(value, str):
        _check(value, _MAX_DEPTH)
    return canonical(value)


_SLOW = object()


def _quick(raw: bytes) -> Any:
    """orjson's reading, where it is the only one. Else `_SLOW`.

    orjson refuses NaN, lone surrogates and invalid UTF-8 by itself, but keeps the last of duplicate keys, and makes
    floats of integers beyond 64 bits. An object that lost a member has fewer colons than its text, unless the text
    writes some as escapes.
    """
    if b"\\u" in raw:
        return _SLOW
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return _SLOW
    return value if raw.count(b":") == _colons(value) else _SLOW


def _colons(value: Any) -> int:
    """How many colons the text of a value has if no member was lost; -1 where a float may have been an integer."""
    count = 0
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            count += len(found)
            for key, inner in found.items():
                if ":" in key:
                    count += key.count(":")
                stack.append(inner)
        elif isinstance(found, list):
            stack.extend(found)
        elif isinstance(found, str):
            if ":" in found:
                count += found.count(":")
        elif isinstance(found, float) and not -MAX_INTEGER <= found <= MAX_INTEGER:
            return -1
    return count


def _exact(raw: bytes) -> Any:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the body is not UTF-8 (byte {error.start})") from error
    try:
        return _unpaired(json.loads(text, object_pairs_hook=_Pairs, parse_constant=_constant, parse_int=_integer), "")
    except _Refused as refused:
        raise InvalidInput(refused.detail, problems=(InputProblem("", refused.code, refused.detail),)) from refused
    except RecursionError as error:
        raise InvalidInput("the body is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error


def _constant(name: str) -> Any:
    raise _Refused("not_finite", f"{name} is no JSON; a finite number is expected")


def _integer(text: str) -> int:
    if len(text) > 20:  # Python's own conversion is quadratic
        raise _Refused("range", f"a number of at most {MAX_INTEGER} is expected; send larger ones as a string")
    return int(text)


def _unpaired(value: Any, pointer: str) -> Any:
    """Objects from pairs. Raises InvalidInput where a name stands twice."""
    if isinstance(value, _Pairs):
        found: dict[str, Any] = {}
        for name, inner in value:
            at = f"{pointer}/{_escape(name)}"
            if name in found:
                _refuse(at, "duplicate", "this name stands twice in its object; one is expected")
            found[name] = _unpaired(inner, at)
        return found
    if isinstance(value, list):
        return [_unpaired(inner, f"{pointer}/{place}") for place, inner in enumerate(value)]
    return value


def _check(value: Any, max_depth: int) -> None:
    """Refuse what has no canonical form, and what is nested too deeply; without recursion."""
    stack: list[tuple[Any, int, tuple[Any, ...] | None]] = [(value, 1, None)]
    while stack:
        found, depth, path = stack.pop()
        if isinstance(found, dict):
            if depth > max_depth:
                _refuse(_pointer(path), "too_deep", f"at most {max_depth} levels of nesting are taken")
            for name, inner in found.items():
                if not name.isascii() and _has_surrogate(name):
                    _refuse(_pointer((path, name)), "surrogate", "a lone surrogate is no character")
                stack.append((inner, depth + 1, (path, name)))
        elif isinstance(found, list | tuple):
            if depth > max_depth:
                _refuse(_pointer(path), "too_deep", f"at most {max_depth} levels of nesting are taken")
            stack.extend((inner, depth + 1, (path, place)) for place, inner in enumerate(found))
        elif isinstance(found, str):
            if not found.isascii() and _has_surrogate(found):
                _refuse(_pointer(path), "surrogate", "a lone surrogate is no character")
        elif isinstance(found, bool) or found is None:
            continue
        elif found != found or found in (float("inf"), float("-inf")):
            _refuse(_pointer(path), "not_finite", "a finite number is expected")
        elif not -MAX_INTEGER <= found <= MAX_INTEGER:  # of floats, too: RFC 8785 writes them without a point
            _refuse(
                _pointer(path),
                "range",
                f"a number from -{MAX_INTEGER} to {MAX_INTEGER} is expected; send larger ones as a string",
            )


def _is_plain(value: Any) -> bool:
    """Names and whole numbers whose canonical form is also orjson's; that of every text is (tests/audit/test_canonical.py)."""
    stack = [value]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            for name, inner in found.items():
                if not (isinstance(name, str) and name.isascii()):
                    return False
                if type(inner) is not str:
                    stack.append(inner)
        elif isinstance(found, list):
            stack.extend(found)
        elif found is None or isinstance(found, str | bool):
            continue
        elif not isinstance(found, int) or not -MAX_INTEGER <= found <= MAX_INTEGER:
            return False
    return True


def _has_surrogate(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _pointer(path: tuple[Any, ...] | None) -> str:
    parts: list[str] = []
    while path is not None:
        path, part = path
        parts.append(_escape(str(part)))
    return "".join(f"/{part}" for part in reversed(parts))


def _escape(name: str) -> str:
    return name[:100].replace("~", "~0").replace("/", "~1").encode("utf-8", "replace").decode()


def _refuse(pointer: str, code: str, detail: str) -> None:
    raise InvalidInput(f"the body is not acceptable: {detail}", problems=(InputProblem(pointer, code, detail),))
