"""A quick look at a whole value: which families of rules are worth trying on it.

A value's JSON is written once and scanned a few times by the C library's searches, no regular expression among them,
so that values with nothing in them cost next to nothing.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from agentops.traces.masking import rules

# Families of rules.
AT, DIGITS, NAMES, TOKENS, URLS, DOTS = 1, 2, 4, 8, 16, 32
SECRETS = NAMES | TOKENS | URLS

# Digits become "0", what people write between digits vanishes: nine zeros in a row are worth a look.
_TO_ZERO = bytes(48 if 48 <= byte <= 57 else 120 for byte in range(256))
_SEPARATORS = b" ().-/"
_NINE = b"000000000"
# Characters of tokens become "a", all others " ": a long run of them is worth a look.
_TO_RUN = bytes(97 if byte < 128 and (chr(byte).isalnum() or byte in b"_-") else 32 for byte in range(256))
_TO_SKELETON = bytes(119 if byte in b"pP" else byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
_RUN = b"a" * rules.TOKEN_RUN
_RUN_BYTES = re.compile(rules.RUN.pattern.encode())
_PREFIX_BYTES = tuple(prefix.encode() for prefix in rules.TOKEN_PREFIXES)


def hints(value: Any, wanted: int) -> int:
    """Which families of rules are worth trying on a value: a few scans of its JSON."""
    if value.__class__ is str:
        blob = value.encode("utf-8", "replace")
    else:
        try:
            blob = orjson.dumps(value)
        except (TypeError, ValueError):  # deeper than orjson goes: look everywhere
            return wanted
    found = 0
    if wanted & AT and b"@" in blob:
        found |= AT
    if wanted & DIGITS and _NINE in blob.translate(_TO_ZERO, _SEPARATORS):
        found |= DIGITS
    if wanted & SECRETS:
        # As text: a search in it costs half of one in bytes.
        skeleton = blob.translate(_TO_SKELETON, rules.SKELETON_DROPS).decode("latin-1")
        for hint in rules.NAME_HINTS:
            if hint in skeleton:
                found |= NAMES
                break
        if _RUN in blob.translate(_TO_RUN) and _holds_token(blob):
            found |= TOKENS
        if b"@" in blob and b"://" in blob:
            found |= URLS
    if wanted & DOTS and b"." in blob:
        found |= DOTS
    return found


def _holds_token(blob: bytes) -> bool:
    for match in _RUN_BYTES.finditer(blob):
        run = match[0]
        # JSON's escapes end in letters and digits: \\n, \\u001f.
        if run.startswith(_PREFIX_BYTES) or run.startswith(_PREFIX_BYTES, 1) or run.startswith(_PREFIX_BYTES, 5):
            return True
    return False
