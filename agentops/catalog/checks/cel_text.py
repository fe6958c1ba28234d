"""CEL expressions as text: what they read, whether their cost is bounded, and the form in which they run.

The evaluator can neither be interrupted nor does it let other threads run, so an expression has to be harmless before it
is saved: it is short, nests little, makes no text or list that grows, and loops only over what it was given (`all`,
`exists`, `exists_one`, `filter` over a path). Each round of a loop asks the clock, by a call that is put into the text
here; between two rounds there is only straight work over values whose number is limited.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

ROOTS = ("args", "user", "run", "tenant", "contacts")
# Functions that are put into the text; no expression of a manifest may name them.
LATE = "late__"  # is time up?
MATCHES = "matches__"  # `matches` with its pattern compiled beforehand: the evaluator's own compiles it at each use
MAX_LENGTH = 1_000  # characters
MAX_BRACKETS = 16  # open at once
MAX_LOOPS = 4
MAX_LOOP_NESTING = 2
MAX_ADDITIONS = 20
MAX_PATTERN = 200  # characters

# What a round answers when time is up: what ends the loop soonest. The result is thrown away.
_LOOPS = {"all": "false", "exists": "true", "exists_one": "false", "filter": "false"}
_FUNCTIONS = frozenset(
    [
        "size",
        "contains",
        "startsWith",
        "endsWith",
        "matches",
        "has",
        "int",
        "double",
        "string",
        "timestamp",
        "duration",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
    ]
)
_SAY_YES_OR_NO = frozenset({"contains", "startsWith", "endsWith", "matches", "has", "all", "exists", "exists_one"})
_CHOOSING = frozenset({"&&", "||", "==", "!=", "<", "<=", ">", ">=", "in", "?"})
_WORDS = frozenset({"true", "false", "null", "in"})
_OPEN, _CLOSE = {"(": ")", "[": "]", "{": "}"}, frozenset(")]}")
_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<text>[rRbB]{0,2}(?:\"\"\".*?\"\"\"|'''.*?'''|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
    |(?P<number>0[xX][0-9a-fA-F]+[uU]?|(?:[0-9]+\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||==|!=|<=|>=|[][{}().,\-!?:+*/%<>])""",
    re.X | re.S,
)


class Unacceptable(ValueError):
    """Why an expression is not taken; the text says what would be."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What an expression is. `members` maps each variable to the members that are looked at; None: to all of them."""

    runnable: str
    members: Mapping[str, frozenset[str] | None]
    loops: bool
    only_asks_contacts: bool  # every use is `VALUE in contacts.NAME`, where the value is one of those given
    texts: frozenset[str] = field(default_factory=frozenset)  # literals, in case contacts are asked for them
    patterns: tuple[str, ...] = ()  # of `matches`, as they are written

    @property
    def variables(self) -> frozenset[str]:
        return frozenset(self.members)


def read(expression: str) -> Reading:
    """Raises Unacceptable."""
    if not expression.strip():
        raise Unacceptable("an expression is expected, such as args.amount > 0")
    if len(expression) > MAX_LENGTH:
        raise Unacceptable(f"at most {MAX_LENGTH} characters are taken; split it into several rules")
    return _Reader(expression).reading()


class _Reader:
    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = _tokens(expression)
        self.closing: dict[int, int] = {}  # place of an opening bracket -> of its closing one
        self.opening: dict[int, int] = {}
        self._pair_brackets()

    def reading(self) -> Reading:
        loops = self._loops()
        self._check_calls()
        self._check_growth()
        members = self._members(loops)
        if not self._says_yes_or_no():
            raise Unacceptable("it is not a condition: something that is true or false is expected")
        uses_contacts = "contacts" in members
        return Reading(
            runnable=self._instrumented(loops),
            members=members,
            loops=bool(loops),
            only_asks_contacts=uses_contacts and self._only_asks_contacts(),
            texts=frozenset(token.text[1:-1] for token in self.tokens if token.kind == "text"),
            patterns=tuple(
                self.tokens[place + 2].text
                for place, token in enumerate(self.tokens)
                if token.text == "matches" and self._is_call(place)
            ),
        )

    def _pair_brackets(self) -> None:
        open_: list[int] = []
        for place, token in enumerate(self.tokens):
            if token.kind != "sign":
                continue
            if token.text in _OPEN:
                open_.append(place)
                if len(open_) > MAX_BRACKETS:
                    raise Unacceptable(f"at most {MAX_BRACKETS} brackets may be open at once")
            elif token.text in _CLOSE:
                if not open_ or _OPEN[self.tokens[open_[-1]].text] != token.text:
                    raise Unacceptable(f"the bracket {token.text!r} at character {token.start + 1} closes nothing")
                begin = open_.pop()
                self.closing[begin], self.opening[place] = place, begin
        if open_:
            raise Unacceptable(f"the bracket at character {self.tokens[open_[-1]].start + 1} is never closed")

    def _loops(self) -> list[tuple[int, int]]:
        """Places of the loops' opening and closing brackets. Each loop runs over a path, by a variable of its own."""
        found = []
        for place, token in enumerate(self.tokens):
            if token.text not in _LOOPS or not self._is_call(place):
                continue
            begin = place + 1
            if self._text(place - 1) != "." or not self._is_path_until(place - 2):
                raise Unacceptable(f"{token.text} runs over a path only, such as args.items.{token.text}(x, …)")
            name = self.tokens[begin + 1]
            if name.kind != "name" or self._text(begin + 2) != "," or name.text in _WORDS:
                raise Unacceptable(f"{token.text} takes a name and a condition, such as {token.text}(x, x.qty > 0)")
            if name.text in ROOTS:
                raise Unacceptable(f"{name.text} is what is looked at; name the variable of {token.text} otherwise")
            found.append((begin, self.closing[begin]))
        if len(found) > MAX_LOOPS:
            raise Unacceptable(f"at most {MAX_LOOPS} of {', '.join(_LOOPS)} are taken in one expression")
        for begin, end in found:
            if sum(outer < begin and end < outer_end for outer, outer_end in found) >= MAX_LOOP_NESTING:
                raise Unacceptable(f"loops may nest {MAX_LOOP_NESTING} deep")
        return found

    def _is_path_until(self, place: int) -> bool:
        """Does a path such as `args.items[0].tags`, or a filter over one, end here?"""
        while place >= 0:
            token = self.tokens[place]
            if token.text == "]":
                place = self.opening[place] - 1
                continue
            if token.text == ")":
                place = self.opening[place] - 1
                if self._text(place) != "filter" or self._text(place - 1) != ".":
                    return False
                place -= 2
                continue
            if token.kind != "name" or token.text in _WORDS:
                return False
            if self._text(place - 1) != ".":
                return True
            place -= 2
        return False

    def _check_calls(self) -> None:
        for place, token in enumerate(self.tokens):
            if token.kind == "name" and self._text(place + 1) == "{":
                raise Unacceptable(f"{token.text}{{…}} makes a message; conditions over given values are expected")
            if not self._is_call(place):
                continue
            if token.text in ("map", "reduce"):
                raise Unacceptable(f"{token.text} is not taken; say it with {', '.join(_LOOPS)}")
            if token.text not in _FUNCTIONS and token.text not in _LOOPS:
                raise Unacceptable(
                    f"there is no function {token.text[:40]}; there are {', '.join(sorted(_FUNCTIONS | set(_LOOPS)))}"
                )
            if token.text == "matches":
                pattern = self.tokens[place + 2] if place + 2 < len(self.tokens) else None
                is_method = self._text(place - 1) == "."
                if pattern is None or pattern.kind != "text" or self._text(place + 3) != ")" or not is_method:
                    raise Unacceptable('matches takes a pattern that stands in the rule, such as x.matches("^a+$")')
                if len(pattern.text) > MAX_PATTERN:
                    raise Unacceptable(f"a pattern of at most {MAX_PATTERN} characters is expected")

    def _check_growth(self) -> None:
        if sum(token.text == "+" and token.kind == "sign" for token in self.tokens) > MAX_ADDITIONS:
            raise Unacceptable(f"at most {MAX_ADDITIONS} additions are taken in one expression")

    def _members(self, loops: Sequence[tuple[int, int]]) -> dict[str, frozenset[str] | None]:
        found: dict[str, set[str] | None] = {}
        for place, token in enumerate(self.tokens):
            if token.kind != "name" or token.text in _WORDS or self._text(place - 1) == "." or self._is_call(place):
                continue
            if any(begin < place < end and self.tokens[begin + 1].text == token.text for begin, end in loops):
                continue
            if token.text not in ROOTS:
                raise Unacceptable(f"{token.text[:40]} is not known; a rule may look at {', '.join(ROOTS)}")
            is_member = self._text(place + 1) == "." and not self._is_call(place + 2)
            if token.text == "contacts" and not is_member:
                raise Unacceptable("name the set of contacts, such as contacts.payees")
            members = found.setdefault(token.text, set())
            if not is_member:
                found[token.text] = None
            elif members is not None:
                members.add(self.tokens[place + 2].text)
        return {name: None if members is None else frozenset(members) for name, members in found.items()}

    def _only_asks_contacts(self) -> bool:
        if any(token.text == "+" and token.kind == "sign" for token in self.tokens):
            return False
        for place, token in enumerate(self.tokens):
            if token.kind == "text" and (
                "\\" in token.text or token.text[0] in "rRbB" or token.text[:3] in ('"""', "'''")
            ):
                return False
            if token.text == "string" and self._is_call(place):
                return False
            is_root = token.kind == "name" and token.text == "contacts" and self._text(place - 1) != "."
            if is_root and (self._text(place - 1) != "in" or self._text(place + 3) in (".", "[")):
                return False
        return True

    def _says_yes_or_no(self) -> bool:
        """False for what can be seen to be a number, a text or a list. A path may be either."""
        depth, outer = 0, []
        for token in self.tokens:
            if token.kind == "sign" and token.text in _CLOSE:
                depth -= 1
            if depth == 0:
                outer.append(token)
            if token.kind == "sign" and token.text in _OPEN:
                depth += 1
        signs = {token.text for token in outer if token.kind == "sign" or token.text == "in"}
        if signs & _CHOOSING or outer[0].text in ("!", "true", "false"):
            return True
        if signs & set("+-*/%") or outer[0].kind in ("number", "text") or outer[0].text in ("[", "{", "null"):
            if outer[0].kind == "text" and len(outer) > 1:
                return outer[-3].text in _SAY_YES_OR_NO if len(outer) > 2 else False
            return False
        if outer[-1].text == ")" and len(outer) > 2:
            return outer[-3].text in _SAY_YES_OR_NO
        return True

    def _instrumented(self, loops: Sequence[tuple[int, int]]) -> str:
        inserts: list[tuple[int, str]] = []
        for begin, end in loops:
            answer = _LOOPS[self.tokens[begin - 1].text]
            comma = self.tokens[begin + 2]
            inserts += [(comma.start + 1, f" {LATE}() ? {answer} : ("), (self.tokens[end].start, ")")]
        for place, token in enumerate(self.tokens):
            if token.text == "matches" and self._is_call(place):
                inserts.append((token.start + len(token.text), MATCHES.removeprefix("matches")))
        text = self.expression
        for start, piece in sorted(inserts, key=lambda insert: insert[0], reverse=True):
            text = text[:start] + piece + text[start:]
        return text

    def _is_call(self, place: int) -> bool:
        return self.tokens[place].kind == "name" and self._text(place + 1) == "(" if place < len(self.tokens) else False

    def _text(self, place: int) -> str:
        """The sign or word at a place; "" beyond the ends, and for literals."""
        if not 0 <= place < len(self.tokens) or self.tokens[place].kind in ("text", "number"):
            return ""
        return self.tokens[place].text


def _tokens(expression: str) -> list[_Token]:
    found, start = [], 0
    while start < len(expression):
        match = _TOKEN.match(expression, start)
        if match is None:
            raise Unacceptable(f"this is no CEL from character {start + 1} on: {expression[start : start + 20]!r}")
        kind = str(match.lastgroup)
        if kind != "space":
            found.append(_Token(kind, match.group(), start))
        start = match.end()
    if not found:
        raise Unacceptable("an expression is expected, such as args.amount > 0")
    return found
