"""Characters by which a text may look like another one, or like less than it is.

The grounds are UTS #39 (confusables, mixed scripts) and UAX #9 (bidirectional controls). What people write in their own
script is no finding: joiners stay in emoji and in the scripts that spell with them, Japanese mixes its scripts, and a word
of Cyrillic is Cyrillic. Only what pretends is found: hidden signs, one word of two scripts, and a word all of whose letters
look like Latin ones in a text that nowhere shows its script otherwise.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    INVISIBLE = "invisible"
    BIDIRECTIONAL = "bidirectional"
    CONFUSABLE = "confusable"
    MIXED_SCRIPT = "mixed_script"
    PADDING = "padding"


@dataclass(frozen=True, slots=True)
class Finding:
    """A place in a text, `text[start:end]`, and what is odd about it. `name` says it to people."""

    start: int
    end: int
    kind: Kind
    name: str


_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = "\u200c\u200d"  # zero width non-joiner, zero width joiner
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2028\u2029\u2800\u3164\uffa0")
_JOINING = frozenset({
    "ARABIC", "SYRIAC", "MONGOLIAN", "NKO", "MANDAIC", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA", "TAMIL",
    "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "KHMER", "MYANMAR", "TIBETAN",
})  # fmt: skip
_TOGETHER = (  # UTS #39, "highly restrictive": scripts that one word may mix
    frozenset({"LATIN", "HAN", "HIRAGANA", "KATAKANA"}),
    frozenset({"LATIN", "HAN", "BOPOMOFO"}),
    frozenset({"LATIN", "HAN", "HANGUL"}),
)
_EAST_ASIAN = frozenset({"HAN", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"})
_NO_SCRIPT = frozenset({"COMMON", "INHERITED", "Unknown"})
_SPLITS_ADDRESSES = frozenset("./:@\\?#")
_FLAG, _TAG_END, _KEYCAP_BASE = "\U0001f3f4", 0xE007F, "#*0123456789‼⁉〰〽"
_ODD_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]|\r(?!\n)"
_PAD = r"(?<=\S)[^\S\n]{8,}|^[^\S\n]{40,}|\A[^\S\n]{2,}|[^\S\n]{2,}\Z|\n(?:[^\S\n]*\n){4,}"
_CONTROLS = re.compile(_ODD_CONTROL)
_PADDING = re.compile(_PAD, re.MULTILINE)
_ODD_ASCII = re.compile(f"{_ODD_CONTROL}|{_PAD}", re.MULTILINE)
# UTS #39: more than four marks on one letter are more than any language writes.
_MARKS = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{5,}")


def findings(text: str) -> list[Finding]:
    """Everything odd in a text, in its order."""
    if text.isascii():
        if (text.isprintable() and "  " not in text) or _ODD_ASCII.search(text) is None:
            return []  # nearly every value of nearly every call ends here
        return _in_order([*_controls(text), *_padded(text)])
    return _in_order([*_controls(text), *_padded(text), *_hidden(text), *_heaped(text), *_pretending(text)])


def _in_order(found: list[Finding]) -> list[Finding]:
    return sorted(found, key=lambda finding: (finding.start, finding.end, finding.kind))


def _controls(text: str) -> Iterator[Finding]:
    for match in _CONTROLS.finditer(text):
        yield Finding(match.start(), match.end(), Kind.INVISIBLE, f"control character ({_code(match[0])})")


def _padded(text: str) -> Iterator[Finding]:
    """Spaces or empty lines that push the rest out of sight, or end a value that looks shorter."""
    for match in _PADDING.finditer(text):
        if match[0].startswith("\n"):
            name = f"{match[0].count(chr(10)) - 1} empty lines"
        else:
            name = f"{match.end() - match.start()} spaces"
        yield Finding(match.start(), match.end(), Kind.PADDING, name)


def _heaped(text: str) -> Iterator[Finding]:
    for match in _MARKS.finditer(text):
        yield Finding(match.start(), match.end(), Kind.PADDING, f"{len(match[0])} marks on one letter")


def _hidden(text: str) -> Iterator[Finding]:
    tags = _flag_tags(text)
    for at, char in enumerate(text):
        if char.isascii():
            continue
        if char in _BIDIRECTIONAL:
            yield Finding(at, at + 1, Kind.BIDIRECTIONAL, _named(char))
        elif _is_hidden(char) and at not in tags and not _is_at_home(text, at):
            yield Finding(at, at + 1, Kind.INVISIBLE, _named(char))


def _is_hidden(char: str) -> bool:
    """Draws nothing, or nothing that anybody could know. Characters newer than our tables are not hidden by that."""
    code = ord(char)
    if char in _BLANK or _is_selector(code) or 0xE0000 <= code <= 0xE0FFF:
        return True
    if code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF or 0xFFF0 <= code <= 0xFFF8 or code == 0x2065:
        return True  # no characters, by definition
    return unicodedata.category(char) in ("Cf", "Co", "Cs") and not _is_visible_format(code)


def _is_visible_format(code: int) -> bool:
    """Number signs of Arabic, Kaithi and Syriac are drawn, although they count as format characters."""
    return 0x600 <= code <= 0x605 or code in (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD)


def _is_selector(code: int) -> bool:
    return 0xFE00 <= code <= 0xFE0F or 0xE0100 <= code <= 0xE01EF


def _is_at_home(text: str, at: int) -> bool:
    """Does a script or an emoji need this character here?"""
    char, code = text[at], ord(text[at])
    before = text[at - 1] if at else ""
    after = text[at + 1] if at + 1 < len(text) else ""
    if not before:
        return False
    if char in _JOINERS:
        if unicodedata.combining(before) == 9:  # after a virama (RFC 5892, appendix A.1)
            return True
        base = before if not unicodedata.category(before).startswith("M") else _base(text, at - 1)
        if char == "\u200d" and _is_picture(base) and after and _is_picture(after):
            return True
        return bool(after) and script(base) == script(after) and script(base) in _JOINING
    if code in (0xFE0E, 0xFE0F):
        return before in _KEYCAP_BASE or unicodedata.category(before).startswith("S") or _is_picture(before)
    if _is_selector(code):  # a variant of one ideograph
        return script(before) == "HAN"
    if 0x180B <= code <= 0x180F:
        return script(before) == "MONGOLIAN"
    return char in "\u17b4\u17b5" and script(before) == "KHMER"


def _base(text: str, at: int) -> str:
    while at > 0 and unicodedata.category(text[at]).startswith("M"):
        at -= 1
    return text[at]


def _is_picture(char: str) -> bool:
    code = ord(char)
    return unicodedata.category(char) in ("So", "Sk") or 0x1F000 <= code <= 0x1FAFF or code in (0x2194, 0x2195, 0x27A1)


def _flag_tags(text: str) -> frozenset[int]:
    """Tag characters that spell the flag of a region (England's, say), and nothing else."""
    found: set[int] = set()
    start = text.find(_FLAG)
    while start >= 0:
        end = start + 1
        while end < len(text) and end - start <= 8 and 0xE0030 <= ord(text[end]) <= 0xE007A:
            end += 1
        if end < len(text) and end > start + 1 and ord(text[end]) == _TAG_END:
            found.update(range(start + 1, end + 1))
        start = text.find(_FLAG, start + 1)
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class _Word:
    """A run of letters, marks and digits (and what hides between them), with the scripts it is written in."""

    start: int
    end: int
    letters: str
    scripts: frozenset[str]


def _pretending(text: str) -> Iterator[Finding]:
    words = [word for word in _words(text) if not word.letters.isascii()]
    has_east_asian = any(word.scripts & _EAST_ASIAN for word in words)
    shown = _shown(words)
    for word in words:
        if len(word.scripts) > 1 and not any(word.scripts <= group for group in _TOGETHER):
            yield Finding(word.start, word.end, Kind.MIXED_SCRIPT, _and(word.scripts))
        elif _digit_systems(word.letters) > 1:
            yield Finding(word.start, word.end, Kind.MIXED_SCRIPT, "digits of several scripts")
        elif _looks_latin(word) and not word.scripts & shown:
            alike = "".join(_alike(char) or char for char in word.letters)
            name = f"{_and(word.scripts)} letters that look like {alike[:40]}"
            yield Finding(word.start, word.end, Kind.CONFUSABLE, name)
        else:
            yield from _styled(text, word, has_east_asian)
    yield from _false_dividers(text, has_east_asian)


def _words(text: str) -> Iterator[_Word]:
    start: int | None = None
    for at, char in enumerate(text):
        if _is_of_word(char):
            start = at if start is None else start
        elif start is not None:
            yield _word(text, start, at)
            start = None
    if start is not None:
        yield _word(text, start, len(text))


def _is_of_word(char: str) -> bool:
    return char.isalnum() or (not char.isascii() and unicodedata.category(char) in ("Mn", "Mc", "Me", "Cf"))


def _word(text: str, start: int, end: int) -> _Word:
    letters = "".join(char for char in text[start:end] if char.isalnum())
    scripts = frozenset(script(char) for char in letters if char.isalpha()) - _NO_SCRIPT
    if not scripts:  # digits alone
        scripts = frozenset(script(char) for char in letters) - _NO_SCRIPT
    return _Word(start, end, letters, scripts)


def _shown(words: list[_Word]) -> frozenset[str]:
    """The scripts that a text shows by a letter which looks like none of Latin: there, look-alikes are just letters."""
    found: set[str] = set()
    for word in words:
        if len(word.scripts) == 1 and not _looks_latin(word):
            found |= word.scripts
    return frozenset(found)


def _looks_latin(word: _Word) -> bool:
    if len(word.scripts) != 1 or "LATIN" in word.scripts:
        return False
    foreign = [char for char in word.letters if not char.isascii()]
    return bool(foreign) and all(_alike(char) for char in foreign)


def _digit_systems(letters: str) -> int:
    return len({ord(char) - unicodedata.decimal(char) for char in letters if char.isdecimal()})


def _styled(text: str, word: _Word, has_east_asian: bool) -> Iterator[Finding]:
    """Letters that are Latin ones in another dress: mathematical, full-width, phonetic. Those of languages are not."""
    for at in range(word.start, word.end):
        char, code = text[at], ord(text[at])
        if code < 0x250 or 0x1E00 <= code <= 0x1EFF or not char.isalnum() or not _alike(char):
            continue
        if script(char) != "LATIN" and script(char) not in _NO_SCRIPT:
            continue
        if unicodedata.category(char) == "No" or (has_east_asian and 0xFF00 <= code <= 0xFFEF):
            continue
        yield Finding(at, at + 1, Kind.CONFUSABLE, f"{_named(char)}, looks like {_alike(char)}")


def _false_dividers(text: str, has_east_asian: bool) -> Iterator[Finding]:
    """Signs that look like those which divide an address, between letters: `bank.example∕pay` is one host."""
    for at in range(1, len(text) - 1):
        char = text[at]
        if char.isascii() or char.isalnum() or not (text[at - 1].isalpha() and text[at + 1].isalnum()):
            continue
        alike = _prototypes().get(char, "")
        if alike not in _SPLITS_ADDRESSES or not alike or script(char) not in _NO_SCRIPT:
            continue
        if not (has_east_asian and 0x3000 <= ord(char) <= 0xFFEF):
            yield Finding(at, at + 1, Kind.CONFUSABLE, f"{_named(char)}, looks like {alike}")


@functools.lru_cache(maxsize=8_192)
def _alike(char: str) -> str:
    """The ASCII letter or digit that a character looks like; "" for none, and for a digit of the same value."""
    found = _prototypes().get(char, "") or _compatible(char)
    if not found.isalnum():
        return ""
    if char.isdecimal():
        return found if found.isdecimal() and int(found) != unicodedata.decimal(char) else ""
    return found


def _compatible(char: str) -> str:
    plain = unicodedata.normalize("NFKC", char)
    return plain if len(plain) == 1 and plain.isascii() else ""


@functools.lru_cache(maxsize=8_192)
def script(char: str) -> str:
    """The script of a character, in capitals: LATIN, HAN; COMMON and INHERITED for what belongs to many."""
    from confusable_homoglyphs import categories  # some megabytes that a process with ASCII values never needs

    return str(categories.alias(char))


@functools.cache
def _prototypes() -> dict[str, str]:
    """Unicode's confusables, as far as they lead from one character to one of ASCII."""
    from confusable_homoglyphs import confusables

    found: dict[str, str] = {}
    for char, prototypes in confusables.confusables_data.items():
        if len(char) != 1 or char.isascii():
            continue
        ascii_ones = sorted(p["c"] for p in prototypes if len(p["c"]) == 1 and p["c"].isascii())
        if ascii_ones:
            found[char] = ascii_ones[-1]
    return found


def _and(scripts: frozenset[str]) -> str:
    names = [name.replace("_", " ").title() for name in sorted(scripts)]
    return " and ".join(names) or "foreign"


def _named(char: str) -> str:
    return f"{unicodedata.name(char, 'unnamed character').lower()} ({_code(char)})"


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"
