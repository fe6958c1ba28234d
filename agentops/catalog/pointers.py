"""JSON Pointers (RFC 6901) into arguments."""

from __future__ import annotations

import re
from typing import Any

_FORM = re.compile(r"(?:/(?:[^~/]|~0|~1)*)+")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


def is_pointer(text: str) -> bool:
    """A pointer to something inside: the empty pointer, to all of it, is none here."""
    return _FORM.fullmatch(text) is not None


def of_argument(text: str) -> str:
    """The pointer of an argument that is given by pointer or by its plain name."""
    return text if text.startswith("/") else f"/{escape(text)}"


def escape(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def find(pointer: str, value: Any, default: Any = None) -> Any:
    """What is at a pointer; the default where there is nothing."""
    for part in parts(pointer):
        if isinstance(value, dict):
            if part not in value:
                return default
            value = value[part]
        elif isinstance(value, list) and _INDEX.fullmatch(part) and int(part) < len(value):
            value = value[int(part)]
        else:
            return default
    return value
