"""Checksums and plausibility of what a pattern found."""

from __future__ import annotations

import functools

import phonenumbers

_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IBAN_LENGTHS = range(15, 35)


def digits_of(text: str) -> str:
    """The ASCII digits of a text."""
    return "".join(char for char in text if "0" <= char <= "9")


def is_card(digits: str) -> bool:
    """A payment card number: an issuer's prefix, its length, and the Luhn check (ISO/IEC 7812)."""
    length = len(digits)
    if not 13 <= length <= 19 or len(set(digits)) < 2:
        return False
    return _issued(digits, length) and _luhn(digits)


def _issued(digits: str, length: int) -> bool:
    first, two, four = digits[0], int(digits[:2]), int(digits[:4])
    if first == "4":
        return length in (13, 16, 19)
    if 51 <= two <= 55 or 2221 <= four <= 2720:
        return length == 16
    if two in (34, 37):
        return length == 15
    if two in (36, 38, 39) or 3000 <= int(digits[:4]) <= 3059:
        return length in (14, 16, 19)
    # Discover, JCB, UnionPay, Maestro, Mir
    return (two in (35, 50, 60, 62, 63, 64, 65, 67, 81) and length >= 15) or 2200 <= four <= 2204


def _luhn(digits: str) -> bool:
    total = 0
    for position, char in enumerate(reversed(digits)):
        value = ord(char) - 48
        total += _DOUBLED[value] if position & 1 else value
    return total % 10 == 0


def is_iban(text: str) -> bool:
    """An International Bank Account Number (ISO 13616): the remainder mod 97 is 1."""
    compact = text.replace(" ", "").upper()
    if len(compact) not in _IBAN_LENGTHS:
        return False
    moved = compact[4:] + compact[:4]
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


@functools.lru_cache(maxsize=4096)
def is_phone(text: str, region: str) -> bool:
    """A number that can be dialled: international with +, or national for `region` if written with separators."""
    try:
        number = phonenumbers.parse(text, None if text.lstrip("(").startswith("+") else region)
    except phonenumbers.NumberParseException:
        return False
    return bool(phonenumbers.is_valid_number(number))


def is_ipv4(text: str) -> bool:
    """Four numbers of 0 to 255."""
    return all(int(part) <= 255 for part in text.split("."))
