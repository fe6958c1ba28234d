"""What a pattern may cost. The engine is linear in the text, but by a factor that the pattern chooses: up to the size of
its compiled form, for texts that defeat the engine's cache. Two hundred kilobytes against a pattern of seventy are three
seconds, which nothing interrupts; so the product of both is looked at before.
"""

from __future__ import annotations

import functools

import jsonschema_rs

MOST_BYTES = 200_000  # of the compiled pattern
# Characters of a text by bytes of the compiled patterns it has to fit: a quarter of a nanosecond each, at worst.
MOST_COST = 700_000_000
_SIZES = (*(int(512 * 1.5**step) for step in range(15)), MOST_BYTES)


def options(most_bytes: int = MOST_BYTES) -> jsonschema_rs.RegexOptions:
    """Linear in the text: no look-around, no back-references. An engine that backtracks gives up at some limit, and what
    it gave up on would count as fitting under a `not`."""
    return jsonschema_rs.RegexOptions(size_limit=most_bytes, dfa_size_limit=500_000)


@functools.lru_cache(maxsize=4_096)
def compiled_bytes(pattern: str) -> int:
    """How large a pattern is once it is compiled, rounded up; MOST_BYTES also where it does not compile at all."""
    low, high = 0, len(_SIZES) - 1
    while low < high:
        middle = (low + high) // 2
        if _fits(pattern, _SIZES[middle]):
            high = middle
        else:
            low = middle + 1
    return _SIZES[low]


def _fits(pattern: str, most_bytes: int) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=options(most_bytes))
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True
