"""Files that people write, from bytes to plain values, with one reading only.

YAML is read as its JSON part: no anchors (a document of a few lines can otherwise stand for a billion values), no tags,
no dates, no `yes` for true and no octal numbers; what is ambiguous is refused with its place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from agentops.common import strictjson
from agentops.common.errors import InputProblem, InvalidInput, TooLarge

MAX_BYTES = 262_144
MAX_DEPTH = 40
MAX_VALUES = 20_000
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {"null": None, "~": None, "": None, "true": True, "false": False}
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_json(raw: bytes, *, what: str) -> Any:
    """Strict JSON. `what` names the file in refusals. Raises InvalidInput, TooLarge."""
    value = strictjson.loads(raw, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH)
    _refuse_nul(value, what)
    return value


def load_yaml(raw: bytes, *, what: str) -> Any:
    """The JSON part of YAML. `what` names the file in refusals. Raises InvalidInput, TooLarge."""
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"the {what} is larger than {MAX_BYTES} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the {what} is not UTF-8 (byte {error.start})") from error
    try:
        value = _Builder(text, what).built()
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = getattr(error, "problem", None) or "it cannot be read"
        raise InvalidInput(f"the {what} is not YAML{where}: {str(said)[:200]}") from error
    _refuse_nul(value, what)
    return value


class _Builder:
    """Values from the parser's events, without recursion of the parser's own objects."""

    def __init__(self, text: str, what: str) -> None:
        self._what = what
        self._events: Iterator[Any] = iter(yaml.parse(text, Loader=_Loader))
        self._left = MAX_VALUES

    def built(self) -> Any:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise InvalidInput(f"the file holds several documents; one {self._what} is expected")
                value = self._value(next(self._events), "", 1)
        return value

    def _value(self, event: Any, pointer: str, depth: int) -> Any:
        self._left -= 1
        if self._left < 0:
            raise TooLarge(f"the {self._what} has more than {MAX_VALUES} values")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._refuse(event, pointer, "alias", "anchors and aliases are not taken; write the value out")
        if depth > MAX_DEPTH:
            self._refuse(event, pointer, "too_deep", f"at most {MAX_DEPTH} levels of nesting are taken")
        if event.tag is not None and event.tag != "!":
            self._refuse(event, pointer, "tag", "tags are not taken")
        if isinstance(event, yaml.SequenceStartEvent):
            return self._list(pointer, depth)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(pointer, depth)
        return self._scalar(event, pointer)

    def _list(self, pointer: str, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._value(event, f"{pointer}/{len(found)}", depth + 1))
        return found

    def _mapping(self, pointer: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            name = event.value if isinstance(event, yaml.ScalarEvent) else None
            if name is None or event.anchor is not None or event.tag not in (None, "!"):
                self._refuse(event, pointer, "name", "a plain name is expected before the colon")
            assert isinstance(name, str)
            here = f"{pointer}/{name[:100].replace('~', '~0').replace('/', '~1')}"
            if name == "<<" and not event.style:
                self._refuse(event, here, "merge", "merge keys are not taken; write the members out")
            if name in found:
                self._refuse(event, here, "duplicate", "this name stands twice in its object; one is expected")
            self._text(name, event, here)
            found[name] = self._value(next(self._events), here, depth + 1)
        return found

    def _scalar(self, event: Any, pointer: str) -> Any:
        text: str = event.value
        if event.style in ("'", '"', "|", ">") or event.tag == "!":
            return self._text(text, event, pointer)
        if text in _WORDS:
            return _WORDS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > 17 or not -strictjson.MAX_INTEGER <= int(text) <= strictjson.MAX_INTEGER:
                self._refuse(event, pointer, "range", f"an integer of at most {strictjson.MAX_INTEGER} is expected")
            return int(text)
        if _NUMBER.fullmatch(text):
            number = float(text)
            if not math.isfinite(number):
                self._refuse(event, pointer, "not_finite", "a finite number is expected")
            return number
        return self._text(text, event, pointer)

    def _text(self, text: str, event: Any, pointer: str) -> str:
        if any("\ud800" <= char <= "\udfff" for char in text):
            self._refuse(event, pointer, "surrogate", "a lone surrogate is no character")
        return text

    def _refuse(self, event: Any, pointer: str, code: str, detail: str) -> NoReturn:
        line = event.start_mark.line + 1
        raise InvalidInput(
            f"the {self._what} is not acceptable at line {line}: {detail}",
            problems=(InputProblem(pointer, code, detail),),
        )


def _refuse_nul(value: Any, what: str) -> None:
    """NUL is a character of JSON that PostgreSQL does not keep, and nobody means."""
    stack: list[tuple[Any, str]] = [(value, "")]
    while stack:
        found, pointer = stack.pop()
        if isinstance(found, str):
            if "\0" in found:
                detail = "no NUL character may be in it"
                raise InvalidInput(f"the {what}: {detail}", problems=(InputProblem(pointer, "nul", detail),))
        elif isinstance(found, dict):
            for name, inner in found.items():
                stack.append((name, pointer))
                stack.append((inner, f"{pointer}/{name[:100].replace('~', '~0').replace('/', '~1')}"))
        elif isinstance(found, list):
            stack.extend((inner, f"{pointer}/{place}") for place, inner in enumerate(found))
