"""Why a call takes one tier more than its tool says. Values in, reasons out, in words a person reads beside the call.

However many reasons there are, the tier rises by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_UP, Context, Decimal, InvalidOperation
from typing import Any

from agentops.common.characters import Kind, findings

OPAQUE_NAMES = frozenset(
    {"sql", "code", "script", "command", "cmd", "shell", "bash", "python", "javascript"}
)  # what a person cannot foresee by reading it
PLAIN_MEDIA = frozenset({"text/plain", "text/markdown"})
TAINTED = "the arguments come from content that nobody vouches for"
_TOLD_MOST = 5  # places of one kind
_WORDS = {
    Kind.INVISIBLE: "characters that cannot be seen",
    Kind.BIDIRECTIONAL: "characters that turn the direction of the text",
    Kind.CONFUSABLE: "characters that look like others",
    Kind.MIXED_SCRIPT: "words of mixed scripts",
    Kind.PADDING: "stretches of empty space that may hide what follows",
}
_PLAIN_POINTER = re.compile(r"[ -~]{1,100}")
_REFERENCES_MOST = 20
_AMOUNT_MOST = Decimal(10) ** 33
_STEP, _EXACT = Decimal("0.000001"), Context(prec=60, rounding=ROUND_UP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Paying:
    """A call of a tool that declares whom it pays and how much. `amount` None: the arguments do not tell it."""

    amount: Decimal | None
    is_new_payee: bool  # nobody of the organisation was known to have paid it before today
    today: Decimal  # what this user's calls of this tool pay to new payees today, this one included


def reasons(
    *,
    arguments: Any,
    schema: Mapping[str, Any],
    names_media: bool,
    is_tainted: bool,
    paying: Paying | None,
    threshold: Decimal,
) -> list[str]:
    """All that raises the tier of a call by one; empty when nothing does.

    `names_media`: does the schema say of any value what media type it is (see `names_media_types`)? `threshold` is in the
    tool's own unit.
    """
    found = [TAINTED] if is_tainted else []
    found += _odd_characters(arguments)
    if names_media or _has_opaque_name(arguments):  # else the schema need not be walked
        found += _opaque(arguments, schema)
    if paying is not None:
        found += _payment(paying, threshold)
    return found


def names_media_types(schema: Any) -> bool:
    """Is there a `contentMediaType` anywhere in a schema?"""
    stack = [schema]
    while stack:
        found = stack.pop()
        if isinstance(found, Mapping):
            if "contentMediaType" in found:
                return True
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
    return False


def amount_of(value: Any) -> Decimal | None:
    """The amount in an argument, up to six decimal places, without its sign; None where it is none that can be kept."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value)).copy_abs()
    except InvalidOperation:
        return None
    return amount.quantize(_STEP, context=_EXACT) if amount.is_finite() and amount < _AMOUNT_MOST else None


def _payment(paying: Paying, threshold: Decimal) -> list[str]:
    if not paying.is_new_payee:
        return []
    if paying.amount is None:
        return ["it pays somebody who was not paid before, and how much cannot be told"]
    if paying.amount > threshold:
        return [f"it pays somebody who was not paid before more than {threshold.normalize():f}"]
    if paying.today > threshold:
        return [f"with it, more than {threshold.normalize():f} goes to people who were not paid before, within a day"]
    return []


def _odd_characters(arguments: Any) -> list[str]:
    places: dict[Kind, list[str]] = {}
    for pointer, text in _texts(arguments, ""):
        for kind in {finding.kind for finding in findings(text)}:
            places.setdefault(kind, []).append(pointer)
    return [f"there are {_WORDS[kind]}{_at(places[kind])}" for kind in Kind if kind in places]


def _texts(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Every text with the pointer to it; names of members, too, as they are read like the rest."""
    stack = [(value, pointer)]
    while stack:
        found, here = stack.pop()
        if isinstance(found, str):
            yield here, found
        elif isinstance(found, dict):
            for name, inner in found.items():
                if not name.isascii() or not name.isprintable():
                    yield here, name
                stack.append((inner, f"{here}/{_escaped(name)}"))
        elif isinstance(found, list):
            stack.extend((inner, f"{here}/{place}") for place, inner in enumerate(found))


def _has_opaque_name(arguments: Any) -> bool:
    stack = [arguments]
    while stack:
        found = stack.pop()
        if isinstance(found, dict):
            if any(name.lower() in OPAQUE_NAMES for name in found):
                return True
            stack.extend(found.values())
        elif isinstance(found, list):
            stack.extend(found)
    return False


def _opaque(arguments: Any, schema: Mapping[str, Any]) -> list[str]:
    found = [
        pointer
        for pointer, name, described in _leaves(arguments, schema)
        if _is_opaque(name, [each for each in described if isinstance(each, Mapping)])
    ]
    return [f"there is code that nobody can foresee by reading it{_at(found)}"] if found else []


def _is_opaque(name: str, described: Sequence[Mapping[str, Any]]) -> bool:
    """By its media type, else by its name. What the definition lists in full, or calls plain text, was read by its reviewer."""
    media = {
        str(each["contentMediaType"]).partition(";")[0].strip().lower()
        for each in described
        if "contentMediaType" in each
    }
    if media:
        return not media <= PLAIN_MEDIA
    return name.lower() in OPAQUE_NAMES and not any("enum" in each or "const" in each for each in described)


def _leaves(arguments: Any, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """Every text with its pointer, the name of the member it stands in, and what the schema says of it."""
    stack: list[tuple[Any, str, str, list[Any]]] = [(arguments, "", "", _with_applied(schema, [schema]))]
    while stack:
        value, pointer, name, described = stack.pop()
        if isinstance(value, str):
            yield pointer, name, described
        elif isinstance(value, dict):
            for key, inner in value.items():
                below = _with_applied(schema, _of_member(described, key))
                stack.append((inner, f"{pointer}/{_escaped(key)}", key, below))
        elif isinstance(value, list):
            for place, inner in enumerate(value):
                below = _with_applied(schema, _of_item(described, place))
                stack.append((inner, f"{pointer}/{place}", name, below))


def _of_member(described: Sequence[Any], name: str) -> list[Any]:
    found = []
    for each in described:
        if not isinstance(each, Mapping):
            continue
        properties = each.get("properties", {})
        if name in properties:
            found.append(properties[name])
            continue
        # Which pattern fits does not matter: where any of them describes code, a member of that kind may be code.
        found += [*each.get("patternProperties", {}).values()]
        found += [each[rest] for rest in ("additionalProperties", "unevaluatedProperties") if rest in each]
    return found


def _of_item(described: Sequence[Any], place: int) -> list[Any]:
    found = []
    for each in described:
        if not isinstance(each, Mapping):
            continue
        first = each.get("prefixItems", [])
        if place < len(first):
            found.append(first[place])
        else:
            found += [each[rest] for rest in ("items", "unevaluatedItems", "contains") if rest in each]
    return found


def _with_applied(root: Mapping[str, Any], schemas: Sequence[Any]) -> list[Any]:
    """Schemas with those that they apply to the same value."""
    found: list[Any] = []
    waiting, references = list(schemas), 0
    while waiting:
        each = waiting.pop()
        if not isinstance(each, Mapping) or any(each is known for known in found):
            continue
        found.append(each)
        for name in ("allOf", "anyOf", "oneOf"):
            waiting += each.get(name, [])
        waiting += [each[name] for name in ("if", "then", "else") if name in each]
        waiting += each.get("dependentSchemas", {}).values()
        if "$ref" in each and references < _REFERENCES_MOST:
            references += 1
            waiting.append(_referred(root, each["$ref"]))
    return found


def _referred(root: Mapping[str, Any], reference: Any) -> Any:
    """What `#/$defs/…` points to; None for what is no pointer into the schema itself."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for part in reference[1:].split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _at(pointers: Sequence[str]) -> str:
    """At which places; those whose own names are odd are not written out."""
    told = [pointer for pointer in dict.fromkeys(pointers) if _PLAIN_POINTER.fullmatch(pointer)][:_TOLD_MOST]
    return f" (at {', '.join(told)})" if told else ""


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
