"""The rules applied to text, to JSON values and to JSON inside text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from agentops.traces.masking import rules
from agentops.traces.masking.checks import digits_of, is_card, is_iban, is_ipv4, is_phone
from agentops.traces.masking.hints import AT, DIGITS, DOTS, NAMES, SECRETS, TOKENS, URLS
from agentops.traces.masking.keys import is_id_key, is_secret_key
from agentops.traces.otlp.clean import deeper_than

_MAX_NESTED_JSON = 3
_MAX_DEPTH = 64
_SHORTEST = 6  # characters of the shortest thing worth masking
_LONGEST_ID = 64
_SMALLEST_CARD = 10**12

IN_KEYS = AT | TOKENS  # what is looked for in the keys of an object
_NO_SECRETS = frozenset({"null", "none", "true", "false", "string", "required", "undefined"})


class Work:
    """One masking run: walks values, applies the rules and counts the replacements."""

    __slots__ = ("count", "enabled", "region", "replacement")

    def __init__(self, replacement: Callable[[str, str], str], enabled: frozenset[str], region: str) -> None:
        self.replacement = replacement
        self.enabled = enabled
        self.region = region
        self.count = 0

    def value(self, value: Any, found: int, depth: int = 0, nested: int = 0) -> Any:
        """A JSON value; a new one where something was replaced, the same object otherwise."""
        kind = value.__class__
        if kind is str:
            return self.string(value, found, nested)
        if kind is dict:
            return self._object(value, found, depth, nested) if depth < _MAX_DEPTH else value
        if kind is list or kind is tuple:
            return self._array(value, found, depth, nested) if depth < _MAX_DEPTH else value
        if kind is int and value > _SMALLEST_CARD and found & DIGITS:
            return self._integer(value)
        return value

    def _object(self, value: dict[str, Any], found: int, depth: int, nested: int) -> dict[str, Any]:
        result = value
        for key, item in value.items():
            if item.__class__ is str and len(item) < _SHORTEST and not found & NAMES:
                continue
            new = self.entry(key, item, found, depth, nested)
            if new is not item:
                if result is value:
                    result = dict(value)
                result[key] = new
        if found & IN_KEYS and any("@" in key or len(key) >= rules.TOKEN_RUN for key in result):
            result = self.keys(result, found)
        return result

    def keys(self, value: dict[str, Any], found: int) -> dict[str, Any]:
        """An object whose keys are data: orders by customer's address, say. Keys that become equal are numbered."""
        before, found = self.count, found & IN_KEYS
        result: dict[str, Any] = {}
        for key, item in value.items():
            masked = name = self.text(key, found)
            number = 1
            while name in result:
                number += 1
                name = f"{masked} {number}"
            result[name] = item
        return value if self.count == before else result

    def _array(self, value: list[Any], found: int, depth: int, nested: int) -> list[Any]:
        result = value
        for position, item in enumerate(value):
            new = self.value(item, found, depth + 1, nested)
            if new is not item:
                if result is value:
                    result = list(value)
                result[position] = new
        return result

    def entry(self, key: str, item: Any, found: int, depth: int, nested: int) -> Any:
        """A value with its key: some keys say that it is a secret, some that it is an id and no card or phone."""
        kind = item.__class__
        if found & NAMES and (kind is str or kind is int or kind is float) and is_secret_key(key):
            if kind is not str:
                return self.replace("secret", str(item))
            if item and not item.startswith(("[masked:", "[hash:")):
                return self.replace("secret", item)
        if kind is str:
            if found & DIGITS and len(item) < _LONGEST_ID and is_id_key(key):
                masked = self.string(item, found & ~DIGITS, nested)
                if masked == item:
                    return item
                item = masked  # it held more than an id, so its numbers are looked at, too
            return self.string(item, found, nested)
        if kind is int:
            return item if item < _SMALLEST_CARD or not found & DIGITS or is_id_key(key) else self._integer(item)
        return self.value(item, found, depth + 1, nested)

    def string(self, text: str, found: int, nested: int) -> str:
        """A string, which may itself hold JSON."""
        if len(text) < _SHORTEST:
            return text
        if text[0] in '{["' and nested < _MAX_NESTED_JSON:
            inner = _loaded(text)
            if inner is not None:
                before = self.count
                masked = self.value(inner, found, 0, nested + 1)
                return text if self.count == before else orjson.dumps(masked).decode()
        return self.text(text, found)

    def _integer(self, value: int) -> Any:
        digits = str(value)
        return self.replace("card", digits) if "card" in self.enabled and is_card(digits) else value

    def text(self, text: str, found: int) -> str:
        """Plain text."""
        if found & SECRETS:
            text = self._secrets(text, found)
        if found & AT and "@" in text:
            text = self._emails(text)
        if found & DIGITS and rules.NINE_DIGITS.search(text) is not None:
            if "iban" in self.enabled:
                text = rules.IBAN.sub(self._iban, text)
            text = self._numbers(text)
        if found & DOTS:
            text = rules.IPV4.sub(self._ipv4, text)
        return text

    def replace(self, rule: str, value: str) -> str:
        self.count += 1
        return self.replacement(rule, value)

    def _emails(self, text: str) -> str:
        parts: list[str] = []
        position = 0
        at = text.find("@")
        while at >= 0:
            domain = rules.EMAIL_DOMAIN.match(text, at + 1)
            if domain is not None:
                before = text[max(position, at - rules.MAX_LOCAL) : at]
                local = len(before) - len(before.rstrip(rules.EMAIL_LOCAL))
                if local:
                    parts += [
                        text[position : at - local],
                        self.replace("email", text[at - local : domain.end()].lower()),
                    ]
                    position = domain.end()
            at = text.find("@", max(at + 1, position))
        return "".join([*parts, text[position:]]) if parts else text

    def _numbers(self, text: str) -> str:
        parts: list[str] = []
        position = 0
        for match in rules.NUMBER.finditer(text):
            begin = match.start()
            while begin > position and text[begin - 1] in "(+":
                begin -= 1
            before = text[begin - 1 : begin]
            if begin == match.start() and before.isascii() and (before.isalnum() or before in ("_", "-", ".")):
                continue  # the tail of an identifier
            rule = self._number_rule(text[begin : match.end()])
            if rule:
                parts += [text[position:begin], self.replace(rule, digits_of(match[0]))]
                position = match.end()
        return "".join([*parts, text[position:]]) if parts else text

    def _iban(self, match: Any) -> str:
        found: str = match[0]
        before = match.string[match.start() - 1 : match.start()]
        if (before.isascii() and before.isalnum()) or not is_iban(found):
            return found
        return self.replace("iban", found.replace(" ", ""))

    def _ipv4(self, match: Any) -> str:
        return self.replace("ipv4", match[0]) if is_ipv4(match[0]) else str(match[0])

    def _number_rule(self, found: str) -> str:
        """Which rule a candidate falls under, or ""."""
        digits = digits_of(found)
        if "card" in self.enabled and is_card(digits):
            return "card"
        if "ssn" in self.enabled and rules.SSN.fullmatch(found):
            return "ssn"
        if "phone" in self.enabled and len(digits) <= 15:
            written = found.lstrip("(").startswith("+") or (
                rules.NATIONAL_PHONE.fullmatch(found) and not rules.DATE_FIRST.match(found)
            )
            if written and is_phone(found, self.region):
                return "phone"
        return ""

    def _secrets(self, text: str, found: int) -> str:
        if found & TOKENS:
            text = self._tokens(text)
        if found & URLS and "://" in text and "@" in text:
            text = rules.URL_PASSWORD.sub(self._url_password, text)
        if found & NAMES:
            if "-----BEGIN" in text:
                text = self._private_keys(text)
            lowered = text.lower()
            if "bearer" in lowered or "authorization" in lowered:
                text = rules.BEARER.sub(self._named, text)
            if ("=" in lowered or ":" in lowered) and any(stem in lowered for stem in rules.NAMED_STEMS):
                text = rules.NAMED.sub(self._named, text)
        return text

    def _tokens(self, text: str) -> str:
        parts: list[str] = []
        position = 0
        for run in rules.RUN.finditer(text):
            begin = run.start()
            if begin >= position and text.startswith(rules.TOKEN_PREFIXES, begin):
                token = rules.TOKEN.match(text, begin)
                if token is not None:
                    parts += [text[position:begin], self.replace("secret", token[0])]
                    position = token.end()
        return "".join([*parts, text[position:]]) if parts else text

    def _private_keys(self, text: str) -> str:
        parts: list[str] = []
        position = 0
        while (begin := rules.PEM_BEGIN.search(text, position)) is not None:
            end = rules.PEM_END.search(text, begin.end())
            stop = len(text) if end is None else end.end()
            parts += [text[position : begin.start()], self.replace("secret", text[begin.start() : stop])]
            position = stop
        return "".join([*parts, text[position:]])

    def _named(self, match: Any) -> str:
        value: str = match[2]
        if value.startswith(("[masked:", "[hash:")) or value.lower() in _NO_SECRETS:
            return str(match[0])
        return str(match[1]) + self.replace("secret", value)

    def _url_password(self, match: Any) -> str:
        return str(match[1]) + self.replace("secret", match[2]) + "@"


def _loaded(text: str) -> Any:
    """The JSON object, array or string in a text, or None for what is to be read as plain text."""
    if text[-1] not in '}]"\n ':
        return None
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if text.count("[") + text.count("{") > _MAX_DEPTH and deeper_than(found, _MAX_DEPTH):
        return None  # below that depth values are not walked (and orjson reads 1024 levels, but writes 254)
    return found if isinstance(found, (dict, list, str)) else None
